//! A scripted HTTP/2 server.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use h2::RecvStream;
use h2::server::{Builder, SendResponse};
use http::{HeaderMap, Request, Response};
use tokio::net::{TcpListener, TcpStream};

/// A server and what it counts.
#[derive(Clone, Debug)]
pub(crate) struct GrpcServer {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

/// One call that arrived.
pub(crate) struct Call {
    pub(crate) request: Request<RecvStream>,
    pub(crate) respond: SendResponse<Bytes>,
    /// Counts from 0, over all connections.
    pub(crate) number: usize,
}

impl GrpcServer {
    /// Serves every call with this function.
    pub(crate) async fn start<F, R>(serve: F) -> Self
    where
        F: Fn(Call) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        Self::start_with(Builder::new(), usize::MAX, serve).await
    }

    /// The same with these settings; each connection is closed gracefully (GOAWAY) after so many calls.
    pub(crate) async fn start_with<F, R>(builder: Builder, calls_per_connection: usize, serve: F) -> Self
    where
        F: Fn(Call) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        let number = Arc::new(AtomicUsize::new(0));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                stream.set_nodelay(true).expect("nodelay");
                tokio::spawn(connection(
                    stream,
                    builder.clone(),
                    calls_per_connection,
                    serve.clone(),
                    number.clone(),
                ));
            }
        });
        Self { address, connections }
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

async fn connection<F, R>(
    stream: TcpStream,
    builder: Builder,
    mut calls: usize,
    serve: F,
    number: Arc<AtomicUsize>,
) where
    F: Fn(Call) -> R,
    R: Future<Output = ()> + Send + 'static,
{
    let Ok(mut connection) = builder.handshake(stream).await else { return };
    while let Some(Ok((request, respond))) = connection.accept().await {
        let number = number.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(serve(Call { request, respond, number }));
        // More may be on their way when the goodbye is said.
        if calls == 1 {
            connection.graceful_shutdown();
        }
        calls = calls.saturating_sub(1);
    }
}

impl Call {
    /// The whole body, framing included.
    pub(crate) async fn body(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        let body = self.request.body_mut();
        while let Some(Ok(data)) = body.data().await {
            all.extend_from_slice(&data);
            let _ = body.flow_control().release_capacity(data.len());
        }
        all
    }

    /// Answers as gRPC does: head, message, trailers.
    pub(crate) fn answer(mut self, message: &[u8], trailers: HeaderMap) {
        let Ok(mut stream) = self.respond.send_response(head(), false) else { return };
        if !message.is_empty() {
            let _ = stream.send_data(Bytes::copy_from_slice(message), false);
        }
        let _ = stream.send_trailers(trailers);
    }

    /// Answers that everything was taken.
    pub(crate) fn ok(self) {
        self.answer(&[0; 5], status(0));
    }

    /// Answers with a status only, in the headers.
    pub(crate) fn trailers_only(mut self, headers: HeaderMap) {
        let mut head = head();
        head.headers_mut().extend(headers);
        let _ = self.respond.send_response(head, true);
    }
}

/// The head of a good answer.
pub(crate) fn head() -> Response<()> {
    Response::builder().header("content-type", "application/grpc").body(()).expect("valid")
}

/// Trailers with this status.
pub(crate) fn status(code: u32) -> HeaderMap {
    HeaderMap::from_iter([("grpc-status".parse().expect("valid"), code.to_string().parse().expect("valid"))])
}
