//! `/debug/pprof/profile`: where the running gateway spends its processor time.
//!
//! [`parameters`] reads what is asked for, [`sampler`] takes the profile on a thread of its own, and [`symbols`] names what was seen, and the others show it: [`pprof`] for tools,
//! [`flamegraph`] and [`top`] for people. One profile at a time: the timer that takes the samples is the process's.

mod flamegraph;
mod parameters;
mod pprof;
mod sampler;
mod stacks;
mod symbols;
mod top;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use axum::extract::RawQuery;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::oneshot;

use self::parameters::{Format, Parameters};

/// Whether a profile is being taken.
static TAKING: AtomicBool = AtomicBool::new(false);

/// Building the report goes as deep as the profiler has buckets. Only what is used of it is ever in memory.
const STACK_BYTES: usize = 16 << 20;

/// The right to take a profile, until it is dropped.
#[derive(Debug)]
struct Turn;

impl Turn {
    fn take() -> Option<Self> {
        // Made only if it is: one that is dropped gives the turn back.
        (!TAKING.swap(true, Ordering::AcqRel)).then(|| Self)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        TAKING.store(false, Ordering::Release);
    }
}

/// Takes a profile and shows it in the format that was asked for. When the client goes away, the profile ends.
pub(super) async fn answer(method: Method, RawQuery(query): RawQuery) -> Response {
    let parameters = match Parameters::read(query.as_deref().unwrap_or_default()) {
        Ok(parameters) => parameters,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    // What a HEAD asks for is in the head alone: no reason to measure anything.
    if method == Method::HEAD {
        return shown(parameters.format, Vec::new());
    }
    let Some(turn) = Turn::take() else {
        let text = "another profile is being taken, and there can be only one at a time: ask again when it is done\n";
        return (StatusCode::CONFLICT, text).into_response();
    };
    let (tell, told) = oneshot::channel();
    // Dropped with this future, which ends the wait of the thread.
    let (_stay, gone) = mpsc::channel();
    let take = move || {
        let taken = sampler::take(parameters.hz, Duration::from_secs(parameters.seconds.into()), &gone);
        let shown = taken.map(|stacks| match parameters.format {
            Format::Pprof => pprof::encode(&stacks),
            Format::Flamegraph => flamegraph::draw(&stacks).into_bytes(),
            Format::Top => top::render(&stacks).into_bytes(),
        });
        // Before the answer: who has one may ask for the next.
        drop(turn);
        // Nobody waits any more when the client went away.
        let _ = tell.send(shown);
    };
    // A thread rather than a runtime's: a stop of the gateway does not wait for it.
    let thread = std::thread::Builder::new().name("aqueduct-profile".to_owned()).stack_size(STACK_BYTES);
    if let Err(error) = thread.spawn(take) {
        return failed(&format!("no thread to take the profile on: {error}"));
    }
    match told.await {
        Ok(Ok(body)) => shown(parameters.format, body),
        Ok(Err(error)) => failed(&error.to_string()),
        Err(_) => failed("the thread that took it ended early, which is a defect"),
    }
}

fn shown(format: Format, body: Vec<u8>) -> Response {
    let media = HeaderValue::from_static(match format {
        Format::Pprof => "application/octet-stream",
        Format::Flamegraph => "image/svg+xml",
        Format::Top => "text/plain; charset=utf-8",
    });
    let mut response = ([(header::CONTENT_TYPE, media)], body).into_response();
    if format == Format::Pprof {
        let name = HeaderValue::from_static("attachment; filename=\"profile.pb\"");
        response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    }
    response
}

fn failed(why: &str) -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, format!("no profile: {why}\n")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the end of a turn, without which the first profile would be the last.
    #[test]
    fn one_at_a_time_and_then_the_next() {
        let first = Turn::take().expect("nobody else takes profiles in these tests");
        // Twice: who is refused must not give back what is not his.
        assert!(Turn::take().is_none() && Turn::take().is_none());
        drop(first);
        assert!(Turn::take().is_some());
    }
}
