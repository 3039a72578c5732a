//! The accept loop: axum's routes over hyper's connections, bounded in number and in time.

use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::Status;
use super::routes::router;

/// Open connections at once. Further ones wait in the system's backlog: probes and scrapers are few.
pub const MAX_CONNECTIONS: usize = 64;

/// A connection that sends no complete request head for this long is closed.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Pause after a failed accept (out of file descriptors, mostly), so that it is not tried in a hot loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A request head larger than this is refused with 431; also the size of a connection's read buffer.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// Serves the admin endpoint for as long as the future lives; it never completes.
///
/// It is meant to outlive the drain, so that `/readyz` can say that the gateway is draining.
///
/// # Cancel safety
/// Dropping the future is how to stop: it closes the listener and the connections.
pub async fn serve(listener: TcpListener, status: Arc<dyn Status>) {
    let router = router(status);
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    // Dropped with the future, which ends them.
    let mut connections = JoinSet::new();
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(MAX_HEAD_BYTES);
    loop {
        let permit = Arc::clone(&permits).acquire_owned().await;
        // Finished connections leave their result behind; take it so that the set does not grow.
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let service = TowerToHyperService::new(router.clone());
                let connection = builder.serve_connection(TokioIo::new(stream), service);
                connections.spawn(async move {
                    // A client that breaks off is its own affair.
                    let _ = connection.await;
                    drop(permit);
                });
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}
