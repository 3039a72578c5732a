//! What is known about the addresses of a peer, shared by everything that connects or sends there.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aqueduct_wire::rpc::Code;
use tokio::time::Instant;

use super::outlier::{Ejection, Outliers};
use crate::failure::FailureKind;
use crate::outcome::Outcome;

/// The addresses of one peer: whose turn it is, and which are left alone.
#[derive(Debug)]
pub(crate) struct Addresses {
    turn: AtomicUsize,
    outliers: Mutex<Outliers>,
    /// Whether a success would change anything; read without the lock. Relaxed: a stale value delays the notice of a
    /// success or of an ejection by one call.
    troubled: AtomicBool,
}

impl Addresses {
    /// `turn` is where in the list of addresses the first connection begins: at random, so that not all clients of a
    /// name go to its first address.
    pub(crate) const fn new(ejection: Ejection, turn: usize) -> Self {
        Self {
            turn: AtomicUsize::new(turn),
            outliers: Mutex::new(Outliers::new(ejection)),
            troubled: AtomicBool::new(false),
        }
    }

    /// What to connect to, of the addresses that a lookup has found.
    pub(super) fn plan(&self, found: &[SocketAddr]) -> Vec<SocketAddr> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now().into_std();
        self.change(|outliers| outliers.plan(found, turn, now))
    }

    /// The addresses that the last lookup has found.
    pub(super) fn known(&self) -> Vec<SocketAddr> {
        self.lock().known()
    }

    pub(super) fn failed(&self, address: SocketAddr) {
        self.change(|outliers| outliers.failed(address, Instant::now().into_std()));
    }

    /// Nobody whom the plan named could be connected to.
    pub(super) fn all_failed(&self) {
        self.change(|outliers| outliers.all_failed(Instant::now().into_std()));
    }

    fn change<R>(&self, change: impl FnOnce(&mut Outliers) -> R) -> R {
        let mut outliers = self.lock();
        let result = change(&mut outliers);
        self.troubled.store(!outliers.is_untroubled(), Ordering::Relaxed);
        result
    }

    fn lock(&self) -> MutexGuard<'_, Outliers> {
        // Each change is complete in itself.
        self.outliers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The address of one connection, among the others of its peer.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    addresses: Arc<Addresses>,
    /// None for what has no address.
    address: Option<SocketAddr>,
    renew_at: Option<Instant>,
}

impl Standing {
    /// The standing of a connection that was opened just now, to this address if it has one.
    pub(super) fn new(addresses: Arc<Addresses>, address: Option<SocketAddr>) -> Self {
        let renew_at = addresses.lock().renew_at(Instant::now().into_std()).map(Instant::from_std);
        Self { addresses, address, renew_at }
    }

    /// Whether a connection to this address is to be used: it is not ejected, and nobody has come back who was when it
    /// was opened.
    pub(crate) fn is_good(&self) -> bool {
        if self.renew_at.is_some_and(|at| at <= Instant::now()) {
            return false;
        }
        match self.address {
            Some(address) if self.addresses.troubled.load(Ordering::Relaxed) => {
                !self.addresses.lock().is_ejected(address, Instant::now().into_std())
            }
            _ => true,
        }
    }

    /// Learns from how an attempt ended. Most refusals are a sign of health: the peer is there and does its work.
    pub(crate) fn learn(&self, outcome: &Outcome) {
        match outcome.failure().map(|failure| failure.kind) {
            Some(
                FailureKind::Status(Code::Unavailable)
                | FailureKind::Http(500..=599)
                | FailureKind::Reset
                | FailureKind::Protocol,
            ) => self.failed(),
            // A goodbye says nothing about the address.
            Some(FailureKind::Refused) => {}
            _ => self.succeeded(),
        }
    }

    /// The attempt's time has run out.
    pub(crate) fn failed(&self) {
        if let Some(address) = self.address {
            self.addresses.failed(address);
        }
    }

    fn succeeded(&self) {
        if let Some(address) = self.address
            && self.addresses.troubled.load(Ordering::Relaxed)
        {
            self.addresses.change(|outliers| outliers.succeeded(address, Instant::now().into_std()));
        }
    }
}
