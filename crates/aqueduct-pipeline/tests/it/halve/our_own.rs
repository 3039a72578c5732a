//! Requests that our own client finds too large and does not send.

use std::sync::Arc;
use std::time::Duration;

use aqueduct_metrics::DropReason;
use aqueduct_pipeline::{Attempt, Destination, Exporter, LaneConfig, Pipeline};
use aqueduct_transport::{Failure, FailureKind, Outcome, Request};
use aqueduct_wire::Signal;

use super::spans;
use crate::scripted::{PATIENCE, Scripted, Step, batches_of, lane, quick};

/// Guards the pause of a destination that is down: what our own client does not send is no sign of life.
#[test]
fn our_own_refusal_ends_no_pause() {
    struct Own(Scripted);

    impl Exporter for Own {
        fn send<'a>(&'a self, request: &'a Request) -> Attempt<'a> {
            if request.uncompressed_len() <= 3_000 {
                return self.0.send(request);
            }
            Box::pin(async { Outcome::TooLarge(Failure::new(FailureKind::RequestTooLarge, "ours")) })
        }
    }

    let exporter = Scripted::new([Step::Retry(Some(Duration::from_millis(50)))]);
    let mut policy = quick();
    policy.max_attempts = Some(1);
    let destination = Arc::new(Destination::new("test", Own(exporter), policy));
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(batches_of(1))
        .destination(destination, LaneConfig::default())
        .build()
        .unwrap();
    // The destination is paused, and the one who made it so has given up.
    pipeline.intake().offer(spans(0, &[10])).unwrap();
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    // So this is the one that asks, after the pause.
    pipeline.intake().offer(spans(1, &[4_000])).unwrap();
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    let lane = lane(&pipeline);
    assert_eq!(lane.ledger.dropped(DropReason::TooLarge), 1);
    assert!(lane.paused.is_some(), "{lane:?}");
}

#[cfg(feature = "grpc")]
mod grpc {
    use aqueduct_transport::{Client, ClientConfig, Protocol};

    use super::*;
    use crate::halve::ids;
    use crate::scripted::assert_conserved;

    /// An exporter that asks a client first, which has no server.
    struct Asking(Client, Scripted);

    impl Exporter for Asking {
        fn send<'a>(&'a self, request: &'a Request) -> Attempt<'a> {
            Box::pin(async move {
                match self.0.send(request).await {
                    refused @ Outcome::TooLarge(_) => refused,
                    _ => self.1.send(request).await,
                }
            })
        }
    }

    /// Guards our own limit: what the client does not send because of its size becomes parts as well.
    #[test]
    fn the_limit_may_be_our_own() {
        let mut config = ClientConfig::new("http://127.0.0.1:1", Protocol::Grpc);
        config.max_request_bytes = 2_000;
        let (client, exporter) = (Client::new(config).unwrap(), Scripted::default());
        let asking = Asking(client, exporter.clone());
        let pipeline = Pipeline::builder(Signal::Traces)
            .config(batches_of(50))
            .destination(Arc::new(Destination::new("test", asking, quick())), LaneConfig::default())
            .build()
            .unwrap();
        pipeline.intake().offer(spans(0, &[100; 50])).unwrap();
        assert!(pipeline.flush(PATIENCE).unwrap().complete);
        let log = exporter.log();
        assert_eq!(ids(&log.delivered), (0..50).collect::<Vec<_>>());
        assert!(log.delivered.iter().all(|request| request.len() <= 2_000));
        assert_conserved(&lane(&pipeline));
    }
}
