//! Paths and answers.

use std::sync::Arc;

use aqueduct::metrics::Exposition;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;

use super::requests::PATHS;
use super::{ReadyState, Status, profile};

/// The routes over `status`.
pub(crate) fn router(status: Arc<dyn Status>) -> Router {
    // `get` answers HEAD as well, without the body.
    Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .route("/statusz", get(statusz))
        .route("/debug/tuner", get(tuner))
        .route("/debug/pprof/profile", get(profile::answer))
        .fallback(async || (StatusCode::NOT_FOUND, format!("not found; there are\n{}\n", PATHS.join("\n"))))
        .method_not_allowed_fallback(async || (StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n"))
        .layer(map_response(harden))
        .layer(from_fn_with_state(Arc::clone(&status), count))
        .with_state(status)
}

type Source = State<Arc<dyn Status>>;

async fn metrics(State(status): Source) -> Response {
    let format = HeaderValue::from_static(Exposition::PROMETHEUS_CONTENT_TYPE);
    ([(header::CONTENT_TYPE, format)], status.metrics()).into_response()
}

async fn ready(State(status): Source) -> Response {
    let readiness = status.ready();
    let code = match readiness.state {
        ReadyState::Ready => StatusCode::OK,
        ReadyState::Draining | ReadyState::Full => StatusCode::SERVICE_UNAVAILABLE,
    };
    json(code, &readiness)
}

async fn statusz(State(status): Source) -> Response {
    json(StatusCode::OK, &status.statusz())
}

async fn tuner(State(status): Source) -> Response {
    match status.tuner() {
        Some(report) => json(StatusCode::OK, &report),
        None => {
            (StatusCode::NOT_FOUND, "there is no tuner: `service.tuning` switches it on\n").into_response()
        }
    }
}

fn json(code: StatusCode, report: &impl Serialize) -> Response {
    match serde_json::to_string(report) {
        Ok(mut text) => {
            text.push('\n');
            let format = HeaderValue::from_static("application/json");
            (code, [(header::CONTENT_TYPE, format)], text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

/// Before the answer leaves, so that who has it finds it counted.
async fn count(State(status): Source, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    status.requests().answered(&path, response.status());
    response
}

/// What is told here is true for a moment and meant for the caller alone.
async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'"));
    response
}
