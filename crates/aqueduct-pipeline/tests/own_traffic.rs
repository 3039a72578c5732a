//! What the pipeline's own traffic causes: nothing that would be exported.
//!
//! A program of its own, because a subscriber of `tracing` is one for the whole process.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aqueduct_pipeline::{Destination, Intake, LaneConfig, Pipeline};
use aqueduct_testkit::ScriptedPeer;
use aqueduct_transport::{Client, ClientConfig, Protocol, RetryPolicy};
use aqueduct_wire::{Chunk, Signal};
use bytes::Bytes;
use tokio::runtime::Builder;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{Interest, NoSubscriber, set_default, set_global_default};
use tracing::{Event, Metadata, Subscriber};

const PATIENCE: Duration = Duration::from_secs(20);

/// Exports every event and every span of the process, as an application's layer would: each as a log record.
struct ExportsEverything {
    intake: Arc<Mutex<Option<Intake>>>,
    seen: Arc<AtomicU64>,
}

impl ExportsEverything {
    fn export(&self) {
        self.seen.fetch_add(1, Ordering::Relaxed);
        let record = b"\x0a\x0a\x12\x08\x12\x06\x1a\x04INFO";
        let chunk = Chunk::from_valid(Signal::Logs, 1, Bytes::from_static(record));
        if let Some(intake) = &*self.intake.lock().expect("nobody panics") {
            intake.offer(chunk).expect("the pipeline is open");
        }
    }
}

impl Subscriber for ExportsEverything {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        self.export();
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        self.export();
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Guards against the loop that fills disks: an export makes events, which are exported, which makes events. The HTTP/2 library tells of every frame.
#[test]
fn exporting_makes_nothing_to_export() {
    let (intake, seen) = (Arc::new(Mutex::new(None)), Arc::new(AtomicU64::new(0)));
    // The peer stands for another process: what its threads say is nobody's business.
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .on_thread_start(|| std::mem::forget(set_default(NoSubscriber::new())))
        .enable_all()
        .build()
        .unwrap();
    let peer = runtime.block_on(async { tokio::spawn(ScriptedPeer::start()).await.unwrap().unwrap() });
    let config = ClientConfig::new(peer.grpc_endpoint(), Protocol::Grpc);
    let destination = Destination::new("peer", Client::new(config).unwrap(), RetryPolicy::default());
    let pipeline = Pipeline::builder(Signal::Logs)
        .destination(Arc::new(destination), LaneConfig::default())
        .build()
        .unwrap();
    *intake.lock().unwrap() = Some(pipeline.intake());
    set_global_default(ExportsEverything { intake: Arc::clone(&intake), seen: Arc::clone(&seen) }).unwrap();

    tracing::info!("what the application says");
    assert_eq!(seen.load(Ordering::Relaxed), 1, "the subscriber works");
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    let report = pipeline.shutdown(PATIENCE).unwrap();
    assert!(report.complete);
    assert_eq!(report.lanes[0].ledger.accepted, 1, "the application said one thing");
    assert_eq!(report.lanes[0].ledger.delivered, 1);
}
