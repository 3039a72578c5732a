//! Which addresses of a peer are left alone for a while, because they fail while others do not. No I/O, no clock.
//!
//! ```text
//!              so many failures in a row                  the time is up
//!   admitted ----------------------------> ejected ------------------------> on trial
//!      ^                                      ^     (or all others failed)      |  |
//!      |                                      |           a failure             |  |
//!      |                                      +---------------------------------+  |
//!      |                              a success                                    |
//!      +---------------------------------------------------------------------------+
//! ```
//!
//! Never more than half of the addresses are ejected, so a single one never is. An ejection lasts the base time, times
//! the number of ejections in a row; they are in a row if less than the longest time has passed since the last. After
//! Envoy's outlier detection, with a trial in place of a plain return.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// When an address is ejected, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ejection {
    /// Failures in a row; none for never.
    pub(crate) after: Option<u32>,
    pub(crate) base: Duration,
    pub(crate) longest: Duration,
}

#[derive(Debug)]
pub(crate) struct Outliers {
    ejection: Ejection,
    peers: Vec<Peer>,
}

#[derive(Debug)]
struct Peer {
    address: SocketAddr,
    failures: u32,
    /// Ejections in a row.
    ejections: u32,
    readmitted: Option<Instant>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Admitted,
    Ejected {
        until: Instant,
    },
    /// `next` is when a connection is to be sent its way, before all other addresses.
    Trial {
        next: Instant,
    },
}

impl Outliers {
    pub(crate) const fn new(ejection: Ejection) -> Self {
        Self { ejection, peers: Vec::new() }
    }

    /// What to connect to, of these addresses: all that are not ejected, `turn` of them skipped, the families by
    /// turns. An address on trial comes first for one connection, and last for the others.
    pub(crate) fn plan(&mut self, addresses: &[SocketAddr], turn: usize, now: Instant) -> Vec<SocketAddr> {
        self.observe(addresses, now);
        let admitted: Vec<SocketAddr> =
            addresses.iter().copied().filter(|address| !self.is_ejected(*address, now)).collect();
        let mut addresses = interleave(&admitted, turn);
        let (mut first, mut last) = (None, Vec::new());
        for peer in &mut self.peers {
            match &mut peer.state {
                State::Trial { next } if *next <= now && first.is_none() => {
                    *next = now + self.ejection.base;
                    first = Some(peer.address);
                }
                // Somebody is trying it already.
                State::Trial { .. } => last.push(peer.address),
                State::Admitted | State::Ejected { .. } => {}
            }
        }
        // Stable, so that the order is kept otherwise.
        addresses.sort_by_key(|address| match first == Some(*address) {
            true => 0,
            false => 1 + u8::from(last.contains(address)),
        });
        addresses
    }

    /// The addresses of the last lookup.
    pub(crate) fn known(&self) -> Vec<SocketAddr> {
        self.peers.iter().map(|peer| peer.address).collect()
    }

    /// When the first of the ejected addresses comes back: connections made without it are to be renewed then.
    pub(crate) fn renew_at(&mut self, now: Instant) -> Option<Instant> {
        self.readmit_due(now);
        self.peers.iter().filter_map(Peer::ejected_until).min()
    }

    /// The address has answered as a peer in good health does.
    pub(crate) fn succeeded(&mut self, address: SocketAddr, now: Instant) {
        self.readmit_due(now);
        if let Some(peer) = self.peer(address) {
            peer.failures = 0;
            if let State::Trial { .. } = peer.state {
                peer.state = State::Admitted;
            }
        }
    }

    /// The address has failed: no connection, a lost one, an answer that says so.
    pub(crate) fn failed(&mut self, address: SocketAddr, now: Instant) {
        self.readmit_due(now);
        let Some(after) = self.ejection.after else { return };
        let room = self.ejected() < self.peers.len() / 2;
        let Ejection { base, longest, .. } = self.ejection;
        let Some(peer) = self.peer(address) else { return };
        match peer.state {
            State::Ejected { .. } => return,
            State::Admitted => peer.failures = peer.failures.saturating_add(1),
            State::Trial { .. } => peer.failures = after,
        }
        if peer.failures < after || !room {
            return;
        }
        let in_a_row = peer.readmitted.is_some_and(|at| now.duration_since(at) < longest);
        peer.ejections = if in_a_row { peer.ejections.saturating_add(1) } else { 1 };
        peer.failures = 0;
        peer.state = State::Ejected { until: now + base.saturating_mul(peer.ejections).min(longest) };
    }

    /// Every address that is not ejected has failed: the ejected ones may be no worse.
    pub(crate) fn all_failed(&mut self, now: Instant) {
        for peer in self.peers.iter_mut().filter(|peer| peer.ejected_until().is_some()) {
            peer.readmit(now);
        }
    }

    pub(crate) fn is_ejected(&mut self, address: SocketAddr, now: Instant) -> bool {
        self.readmit_due(now);
        self.peer(address).is_some_and(|peer| peer.ejected_until().is_some())
    }

    /// Whether all addresses are admitted and without failures, so that a success changes nothing.
    pub(crate) fn is_untroubled(&self) -> bool {
        self.peers.iter().all(|peer| peer.failures == 0 && peer.state == State::Admitted)
    }

    /// Takes over the addresses of a new lookup.
    fn observe(&mut self, addresses: &[SocketAddr], now: Instant) {
        self.readmit_due(now);
        self.peers.retain(|peer| addresses.contains(&peer.address));
        for address in addresses {
            if self.peer(*address).is_none() {
                let state = State::Admitted;
                self.peers.push(Peer {
                    address: *address,
                    failures: 0,
                    ejections: 0,
                    readmitted: None,
                    state,
                });
            }
        }
        while self.ejected() > self.peers.len() / 2 {
            let ejected = self.peers.iter_mut().filter(|peer| peer.ejected_until().is_some());
            let Some(first) = ejected.min_by_key(|peer| peer.ejected_until()) else { return };
            first.readmit(now);
        }
    }

    fn readmit_due(&mut self, now: Instant) {
        for peer in &mut self.peers {
            if let Some(until) = peer.ejected_until().filter(|until| *until <= now) {
                peer.readmit(until);
            }
        }
    }

    fn ejected(&self) -> usize {
        self.peers.iter().filter(|peer| peer.ejected_until().is_some()).count()
    }

    fn peer(&mut self, address: SocketAddr) -> Option<&mut Peer> {
        self.peers.iter_mut().find(|peer| peer.address == address)
    }
}

impl Peer {
    const fn ejected_until(&self) -> Option<Instant> {
        match self.state {
            State::Ejected { until } => Some(until),
            State::Admitted | State::Trial { .. } => None,
        }
    }

    fn readmit(&mut self, at: Instant) {
        self.readmitted = Some(at);
        self.state = State::Trial { next: at };
    }
}

/// The addresses with the families by turns, beginning with that of the first (RFC 8305 section 4), and each family
/// from its `turn`th on. Each address once.
fn interleave(addresses: &[SocketAddr], turn: usize) -> Vec<SocketAddr> {
    let mut families: [Vec<SocketAddr>; 2] = Default::default();
    let leads = addresses.first().is_some_and(SocketAddr::is_ipv6);
    for address in addresses {
        let family = &mut families[usize::from(address.is_ipv6() != leads)];
        if !family.contains(address) {
            family.push(*address);
        }
    }
    for family in families.iter_mut().filter(|family| !family.is_empty()) {
        let skipped = turn % family.len();
        family.rotate_left(skipped);
    }
    let [first, second] = families;
    let longer = first.len().max(second.len());
    (0..longer).flat_map(|n| [first.get(n), second.get(n)]).flatten().copied().collect()
}

#[cfg(test)]
mod tests;
