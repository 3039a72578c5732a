//! The service.

use std::fmt::Write;
use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use axum::routing::get;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::runtime::Builder;

use super::tracing::{Telemetry, Tracing, end};
use crate::Failure;

/// Lines of the answer, each some 60 bytes.
const LINES: usize = 16;

/// A service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Whose telemetry it has.
    pub telemetry: Telemetry,
    /// Where that goes.
    pub endpoint: String,
}

pub(super) fn run(service: &Service) -> Result<(), Failure> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let _entered = runtime.enter();
    let tracing = Arc::new(Tracing::new(service.telemetry, &service.endpoint)?);
    let router = Router::new().route("/orders/{id}", get(order)).with_state(tracing);
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        super::say(&listener.local_addr()?)?;
        let (closed, wait) = tokio::sync::oneshot::channel::<()>();
        std::thread::spawn(move || {
            // Whatever it is that ends the input: nobody wants the service any more.
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            drop(closed);
        });
        tokio::select! {
            served = axum::serve(axum::serve::ListenerExt::tap_io(listener, |stream| drop(stream.set_nodelay(true))), router) => Ok(served?),
            _ = wait => Ok(()),
        }
    })
}

async fn order(
    State(tracing): State<Arc<Option<Tracing>>>,
    Path(id): Path<u32>,
    uri: Uri,
    headers: HeaderMap,
) -> ([(&'static str, &'static str); 1], String) {
    let span = tracing.as_ref().as_ref().map(|tracing| tracing.begin(uri.path(), &headers));
    let body = lines(id);
    if let Some(span) = span {
        end(span, 200);
    }
    ([("content-type", "application/json")], body)
}

/// The order as JSON, of a length that does not depend on its number.
fn lines(id: u32) -> String {
    let mut body = format!("{{\"order\":{id:08},\"lines\":[");
    for line in 0..LINES {
        let comma = if line == 0 { "" } else { "," };
        let price = (id as usize + line * 37) % 900 + 100;
        // Writing to a string cannot fail.
        let _ = write!(body, "{comma}{{\"line\":{line:02},\"sku\":\"SKU-{price:06}\",\"price\":{price}.99}}");
    }
    body.push_str("]}");
    body
}
