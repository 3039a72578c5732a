//! One HTTP/1.1 connection of the generator: one request at a time, by hyper.

use super::answer::{self, Attempt};
use super::body::Bodies;
use super::queue::Queue;
use super::target::Target;
use aqueduct::wire::rpc::ExportResponse;
use aqueduct::wire::{Signal, json};
use bytes::Bytes;
use http::{HeaderValue, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::Notify;

/// Longest answer that is read.
const MAX_ANSWER: usize = 64 * 1024;

/// A connection and its queue of capacity one.
pub(crate) struct Lane {
    pub(crate) target: Rc<Target>,
    pub(crate) queue: Queue,
    pub(crate) bodies: Bodies,
    /// Rung when something is due.
    pub(crate) bell: Rc<Notify>,
    /// When this lane wants to be rung.
    pub(crate) due: Rc<Cell<Option<Instant>>>,
    pub(crate) signal: Signal,
    pub(crate) json: bool,
}

impl Lane {
    /// Sends until the run is over, connecting again as often as needed. Gives the queue back for its final counts.
    pub(crate) async fn run(mut self) -> Queue {
        let mut failures = 0;
        while !self.queue.is_finished(Instant::now()) {
            match self.target.connect().await {
                Ok(stream) => {
                    failures = 0;
                    self.queue.count_connect();
                    match http1::handshake(TokioIo::new(stream)).await {
                        Ok((send, connection)) => {
                            let driver = tokio::task::spawn_local(connection);
                            self.session(send).await;
                            driver.abort();
                        }
                        Err(error) => self.queue.problem(error),
                    }
                }
                Err(error) => {
                    self.queue.problem(error);
                    failures += 1;
                    let pause = self.queue.reconnect_pause(failures);
                    tokio::time::sleep(pause).await;
                }
            }
            self.queue.expire_waiting(Some(Instant::now()));
        }
        self.queue
    }

    /// Uses one connection until it breaks or the run is over.
    async fn session(&mut self, mut send: SendRequest<Full<Bytes>>) {
        loop {
            if !self.wait_for_work().await {
                return;
            }
            if send.ready().await.is_err() {
                return;
            }
            let now = Instant::now();
            let Some(job) = self.queue.next(now) else { continue };
            let body = match self.bodies.make(job.first, now) {
                Ok(body) => body,
                Err(error) => {
                    self.queue.problem(error);
                    self.queue.settle(job, Attempt::Rejected, now);
                    continue;
                }
            };
            let deadline = self.queue.attempt_deadline(&job, now);
            let exchange = exchange(&mut send, self.request(body.clone()), self.signal, self.json);
            let (attempt, problem) = tokio::time::timeout_at(deadline.into(), exchange)
                .await
                .unwrap_or((Attempt::Unknown, Some("no answer within the timeout".to_owned())));
            if let Some(problem) = problem {
                self.queue.problem(problem);
            }
            self.bodies.recycle(body);
            self.queue.settle(job, attempt, Instant::now());
            if attempt == Attempt::Unknown {
                // The answer may still come and would be taken for that of the next request.
                return;
            }
        }
    }

    /// Waits until something is due; `false` when the run is over.
    async fn wait_for_work(&mut self) -> bool {
        loop {
            let now = Instant::now();
            if self.queue.is_finished(now) {
                return false;
            }
            if self.queue.is_due(now) {
                return true;
            }
            self.due.set(self.queue.fresh_at(now));
            // A tenth of a second bounds how late the end of the run is noticed.
            let wake = self.queue.retry_at().map_or(now + LOOK, |at| at.min(now + LOOK));
            let _ = tokio::time::timeout_at(wake.into(), self.bell.notified()).await;
            self.due.set(None);
        }
    }

    fn request(&self, body: Bytes) -> Request<Full<Bytes>> {
        let path = format!("{}{}", self.target.base_path, self.signal.http_path());
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = path.parse().unwrap_or_default();
        let headers = request.headers_mut();
        if let Ok(host) = HeaderValue::from_str(&self.target.authority) {
            headers.insert(header::HOST, host);
        }
        let content_type = if self.json { "application/json" } else { "application/x-protobuf" };
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(super::USER_AGENT));
        if let Some(name) = self.target.encoder.name() {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
        }
        request
    }
}

const LOOK: Duration = Duration::from_millis(100);

/// One request and its answer.
async fn exchange(
    send: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
    signal: Signal,
    is_json: bool,
) -> (Attempt, Option<String>) {
    let response = match send.send_request(request).await {
        Ok(response) => response,
        Err(error) => return (Attempt::Unknown, Some(error.to_string())),
    };
    let (head, body) = response.into_parts();
    let after = head.headers.get(header::RETRY_AFTER).and_then(retry_after);
    let body = match Limited::new(body, MAX_ANSWER).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return (Attempt::Unknown, Some(error.to_string())),
    };
    let attempt = answer::by_http(head.status.as_u16(), after);
    if attempt != Attempt::Acknowledged {
        return (attempt, Some(format!("HTTP status {}", head.status)));
    }
    let response = if body.is_empty() {
        return (attempt, None);
    } else if is_json {
        json::response_from_json(&body).map_err(|error| error.to_string())
    } else {
        ExportResponse::decode(&body).map_err(|error| error.to_string())
    };
    match response {
        Ok(response) if response.rejected > 0 => {
            (Attempt::Partial { rejected: response.rejected }, Some(response.message))
        }
        Ok(_) => (attempt, None),
        Err(error) => (Attempt::Unknown, Some(format!("unreadable answer about {signal}: {error}"))),
    }
}

/// `Retry-After` in seconds or as a date (RFC 9110, 10.2.3).
fn retry_after(value: &HeaderValue) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards both forms of the header and what is neither.
    #[test]
    fn retry_after_forms() {
        let parse = |text: &'static str| retry_after(&HeaderValue::from_static(text));
        assert_eq!(parse("3"), Some(Duration::from_secs(3)));
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        assert!(parse("Wed, 31 Dec 2200 23:59:59 GMT") > Some(Duration::from_secs(3600)));
        assert_eq!(parse("soon"), None);
    }
}
