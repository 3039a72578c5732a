//! A sink that counts items and does nothing else.

use std::io::BufRead;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use aqueduct_receiver::{
    Accept, Answer, Entry, Incoming, ReceiveBudget, ReceiverConfig, Reply, Server, ShutdownTrigger,
};
use tokio::net::TcpListener;
use tokio::runtime::Builder;

use crate::Failure;

#[derive(Default)]
struct Counting(AtomicU64);

impl Accept for Counting {
    fn accept(&self, incoming: Incoming) -> Reply {
        // Relaxed: a sum that is read when those who send have ended.
        self.0.fetch_add(incoming.chunk.items(), Ordering::Relaxed);
        Answer::Accepted.into()
    }
}

/// Says where it listens, and after each line of standard input how many items it has, until that ends.
pub(super) fn run() -> Result<(), Failure> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    super::say(&listener.local_addr()?)?;
    let counting = Arc::new(Counting::default());
    let budget = ReceiveBudget::new(1 << 30);
    let server = Server::new(ReceiverConfig::default(), budget, Arc::clone(&counting) as Arc<dyn Accept>);
    thread::spawn(move || {
        runtime.block_on(async {
            let (_trigger, shutdown) = ShutdownTrigger::new();
            while let Ok((stream, peer)) = listener.accept().await {
                tokio::spawn(server.serve_connection_until(stream, peer, Entry::Http, shutdown.clone()));
            }
        });
    });
    for line in std::io::stdin().lock().lines() {
        line?;
        super::say(&counting.0.load(Ordering::Relaxed))?;
    }
    Ok(())
}
