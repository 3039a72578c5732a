//! The admin endpoint over a real socket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use aqueduct::metrics::Exposition;
use aqueduct_gateway::admin::{
    ExporterState, HEADER_TIMEOUT, PipelineStatus, Readiness, ReadyState, Requests, Status, StatusReport,
    TunerStatus, serve,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A gateway with fixed numbers that can be told to drain.
#[derive(Debug)]
struct Fixed {
    draining: AtomicBool,
    requests: Requests,
}

impl Status for Fixed {
    fn metrics(&self) -> String {
        "# TYPE aqueduct_up gauge\naqueduct_up 1\n".to_owned()
    }

    fn ready(&self) -> Readiness {
        let mut exporter = ExporterState::new("traces", "otlp/backup");
        exporter.connected = false;
        exporter.last_error = Some("connection refused".to_owned());
        let state =
            if self.draining.load(Ordering::Relaxed) { ReadyState::Draining } else { ReadyState::Ready };
        Readiness::new(state, vec![exporter])
    }

    fn requests(&self) -> &Requests {
        &self.requests
    }

    fn tuner(&self) -> Option<TunerStatus> {
        None
    }

    fn statusz(&self) -> StatusReport {
        let mut row = PipelineStatus::new("traces", "otlp/backup");
        (row.accepted, row.delivered, row.held) = (10, 6, 1);
        row.dropped.insert("max_age".to_owned(), 3);
        (row.refused, row.in_flight_requests, row.in_flight_limit) = (7, 2, 8);
        (row.compressed_from_bytes, row.compressed_to_bytes) = (900, 100);
        StatusReport::new(Duration::from_millis(61_500), vec![row])
    }
}

struct Served {
    address: SocketAddr,
    status: Arc<Fixed>,
    task: tokio::task::JoinHandle<()>,
}

async fn start() -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let requests = Requests::new(Instant::now());
    let status = Arc::new(Fixed { draining: AtomicBool::new(false), requests });
    let dynamic: Arc<dyn Status> = status.clone();
    let task = tokio::spawn(serve(listener, dynamic));
    Served { address, status, task }
}

/// Sends bytes and reads until the server closes: status line and headers, and the body.
async fn exchange(address: SocketAddr, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a complete head");
    (head.to_ascii_lowercase(), body.to_owned())
}

async fn ask(address: SocketAddr, method: &str, path: &str) -> (String, String) {
    exchange(address, &format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")).await
}

/// Guards each path's status, type and body.
#[tokio::test]
async fn paths_answer() {
    let served = start().await;
    let (head, body) = ask(served.address, "GET", "/metrics").await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    assert!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
    assert_eq!(body, "# TYPE aqueduct_up gauge\naqueduct_up 1\n");

    let (head, body) = ask(served.address, "GET", "/livez").await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    assert_eq!(body, "alive\n");

    let (head, body) = ask(served.address, "GET", "/statusz").await;
    assert!(head.contains("content-type: application/json"), "{head}");
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        body,
        format!(
            "{{\"version\":\"{version}\",\"uptime_s\":61,\"pipelines\":[{{\"signal\":\"traces\",\
             \"destination\":\"otlp/backup\",\"accepted\":10,\"delivered\":6,\"rejected\":0,\
             \"dropped\":{{\"max_age\":3}},\"held\":1,\"refused\":7,\"in_flight_requests\":2,\"in_flight_limit\":8,\
             \"compressed_from_bytes\":900,\"compressed_to_bytes\":100,\"restarts\":0}}]}}\n"
        )
    );
}

/// Guards that an unreachable destination is visible and does not make the gateway unready, and that draining does.
#[tokio::test]
async fn readiness_is_about_the_gateway() {
    let served = start().await;
    let exporters = "\"exporters\":[{\"signal\":\"traces\",\"destination\":\"otlp/backup\",\"connected\":false,\
                     \"last_error\":\"connection refused\",\"held_bytes\":0,\"capacity_bytes\":0}]";
    let (head, body) = ask(served.address, "GET", "/readyz").await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    assert_eq!(body, format!("{{\"state\":\"ready\",{exporters}}}\n"));
    served.status.draining.store(true, Ordering::Relaxed);
    let (head, body) = ask(served.address, "GET", "/readyz").await;
    assert!(head.starts_with("http/1.1 503 "), "{head}");
    assert_eq!(body, format!("{{\"state\":\"draining\",{exporters}}}\n"));
}

/// Guards the count of requests: by route, by outcome, and of paths that anybody may make up under one name.
#[tokio::test]
async fn requests_are_counted_by_route_and_outcome() {
    let served = start().await;
    for _ in 0..3 {
        ask(served.address, "GET", "/livez").await;
    }
    ask(served.address, "HEAD", "/metrics").await;
    ask(served.address, "POST", "/metrics").await;
    ask(served.address, "GET", "/readyz?verbose=1").await;
    served.status.draining.store(true, Ordering::Relaxed);
    ask(served.address, "GET", "/readyz").await;
    ask(served.address, "GET", "/one").await;
    ask(served.address, "GET", "/two").await;
    let mut page = Exposition::new();
    served.status.requests.write(Instant::now(), &mut page);
    let text = page.prometheus_text();
    let counted: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("aqueduct_admin_requests_total"))
        .filter(|rest| !rest.ends_with(" 0"))
        .collect();
    assert_eq!(
        counted,
        [
            "{route=\"/metrics\",error_type=\"\"} 1",
            "{route=\"/metrics\",error_type=\"405\"} 1",
            "{route=\"/livez\",error_type=\"\"} 3",
            "{route=\"/readyz\",error_type=\"\"} 1",
            "{route=\"/readyz\",error_type=\"503\"} 1",
            "{route=\"other\",error_type=\"404\"} 2",
        ],
        "{text}"
    );
}

/// Guards that every answer, errors included, keeps caches and content sniffers away.
#[tokio::test]
async fn every_answer_is_hardened() {
    let served = start().await;
    for (method, path) in
        [("GET", "/metrics"), ("GET", "/nowhere"), ("POST", "/metrics"), ("HEAD", "/readyz")]
    {
        let (head, _) = ask(served.address, method, path).await;
        assert!(head.contains("x-content-type-options: nosniff"), "{method} {path}: {head}");
        assert!(head.contains("cache-control: no-store"), "{method} {path}: {head}");
    }
}

/// Guards that the endpoint only reads, and that a wrong path lists the right ones.
#[tokio::test]
async fn only_known_paths_and_reading_methods() {
    let served = start().await;
    let (head, body) = ask(served.address, "GET", "/").await;
    assert!(head.starts_with("http/1.1 404 "), "{head}");
    assert_eq!(
        body,
        "not found; there are\n/metrics\n/livez\n/readyz\n/statusz\n/debug/tuner\n/debug/pprof/profile\n"
    );
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
        let (head, _) = ask(served.address, method, "/metrics").await;
        assert!(head.starts_with("http/1.1 405 "), "{method}: {head}");
        assert!(head.contains("allow: get,head"), "{method}: {head}");
    }
    let (head, body) = ask(served.address, "HEAD", "/metrics").await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    assert_eq!(body, "");
}

/// Guards against clients that send garbage or heads without end.
#[tokio::test]
async fn bad_clients_are_refused() {
    let served = start().await;
    let (head, _) = exchange(served.address, "\x16\x03\x01 hello\r\n\r\n").await;
    assert!(head.starts_with("http/1.1 400 "), "{head}");
    let (head, _) =
        exchange(served.address, &format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}", "y".repeat(20_000))).await;
    assert!(head.starts_with("http/1.1 431 "), "{head}");
    let (head, _) = ask(served.address, "GET", "/livez").await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
}

/// Guards the bound on a silent client's stay. The clock is tokio's own, paused: nothing waits.
#[tokio::test]
async fn a_silent_client_is_shown_out() {
    let served = start().await;
    let mut stream = TcpStream::connect(served.address).await.expect("it listens");
    stream.write_all(b"GET /livez HT").await.expect("it reads");
    // An answer on another connection shows that this one was accepted.
    ask(served.address, "GET", "/livez").await;
    tokio::time::pause();
    let before = tokio::time::Instant::now();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("it is closed in order");
    assert!(before.elapsed() <= HEADER_TIMEOUT + Duration::from_secs(1), "{:?}", before.elapsed());
    assert!(before.elapsed() >= HEADER_TIMEOUT / 2, "{:?}", before.elapsed());
}

/// Guards the end: once the future is dropped, connections are closed.
#[tokio::test]
async fn dropping_it_ends_everything() {
    let served = start().await;
    let mut idle = TcpStream::connect(served.address).await.expect("it listens");
    ask(served.address, "GET", "/livez").await;
    served.task.abort();
    assert!(served.task.await.is_err_and(|error| error.is_cancelled()), "it never ends by itself");
    let mut rest = Vec::new();
    // Closed or reset, but not held open: this would never return.
    let _ = idle.read_to_end(&mut rest).await;
    assert!(rest.is_empty(), "{rest:?}");
}
