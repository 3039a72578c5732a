//! The ways over gRPC, carried out.

use aqueduct_wire::rpc::Code;
use aqueduct_wire::rpc::health::ServingStatus;
use tokio::time::Instant;

use super::route::Method;
use super::{Health, HealthSource, Inner};
use crate::failure::{Failure, FailureKind};
use crate::grpc::{Ended, Listen, Peer, Pinged};

impl Inner {
    /// `Check`. Nothing if the server does not implement it.
    pub(super) async fn ask(&self, peer: &Peer, started: Instant, deadline: Instant) -> Option<Health> {
        let mut status = None;
        let call =
            Listen { service: &self.config.service, deadline, limit: self.client.timeout(), silence: None };
        let failure = match self.listen(peer, &call, &mut |told| status = Some(told)).await {
            Ended::Failed(failure) if is_unimplemented(&failure) => {
                self.learn(Method::Check);
                return None;
            }
            Ended::Failed(failure) => failure,
            Ended::Done | Ended::Silent => {
                if let Some(status) = status {
                    return Some(Health::told(status, HealthSource::Check, started.elapsed()));
                }
                Failure::new(FailureKind::Protocol, "status OK without a health status")
            }
        };
        Some(Health::failed(failure, HealthSource::Check, started.elapsed()))
    }

    /// A connection and a ping on it. Nothing if there is no telling.
    pub(super) async fn ping(&self, peer: &Peer, started: Instant, deadline: Instant) -> Option<Health> {
        match peer.ping(deadline, self.client.timeout()).await {
            Pinged::Answered => Some(Health::serving(HealthSource::Connection, started.elapsed())),
            Pinged::Failed(failure) => {
                Some(Health::failed(failure, HealthSource::Connection, started.elapsed()))
            }
            Pinged::Nothing => None,
        }
    }

    /// A call with the client's credentials, and if the server does not accept them once more with new ones.
    pub(super) async fn listen(
        &self,
        peer: &Peer,
        call: &Listen<'_>,
        heard: &mut (dyn FnMut(ServingStatus) + Send),
    ) -> Ended {
        let Some(credentials) = self.client.credentials() else {
            return peer.listen(call, None, heard).await;
        };
        let issued = match credentials.current(call.deadline).await {
            Ok(issued) => issued,
            Err(failure) => return Ended::Failed(failure),
        };
        let ended = peer.listen(call, Some(&issued.headers), heard).await;
        // A watch that was accepted for a while and is refused now begins anew with a deadline of its own.
        if !matches!(&ended, Ended::Failed(failure) if is_unauthenticated(failure))
            || Instant::now() >= call.deadline
        {
            return ended;
        }
        match credentials.instead_of(&issued, call.deadline).await {
            Ok(renewed) => peer.listen(call, Some(&renewed.headers), heard).await,
            Err(failure) => Ended::Failed(failure),
        }
    }
}

pub(super) fn is_unimplemented(failure: &Failure) -> bool {
    failure.kind == FailureKind::Status(Code::Unimplemented)
}

fn is_unauthenticated(failure: &Failure) -> bool {
    matches!(failure.kind, FailureKind::Http(401) | FailureKind::Status(Code::Unauthenticated))
}
