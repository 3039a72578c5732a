//! Looks at a gateway while it works.

use std::net::SocketAddr;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::books::{Account, accounts};
use super::gateway::Gateway;
use super::wire;
use crate::Failure;
use crate::process::Usage;

/// The admin endpoint has no events: what happens between two looks is not seen.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A look at a gateway. Items of all destinations together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// When.
    pub at: Instant,
    /// Taken in.
    pub accepted: u64,
    /// Gone, whatever became of them.
    pub settled: u64,
    /// There.
    pub held: u64,
    /// Resident bytes.
    pub rss: u64,
    /// Open descriptors.
    pub descriptors: usize,
    /// Threads.
    pub threads: usize,
}

/// Everything that was seen.
#[derive(Clone, Debug, Default)]
pub struct Looks {
    /// In their order.
    pub looks: Vec<Look>,
    /// Looks at which `/livez` or `/statusz` did not answer as they should.
    pub blind: Vec<String>,
}

/// How a gateway came back after a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// From the end of the fault to the first item that left.
    pub first: Duration,
    /// From the end of the fault until as many had left as were there when it ended.
    pub caught_up: Duration,
}

impl Looks {
    /// How the gateway came back after a fault that ended at `returned`; `None` if it did not.
    #[must_use]
    pub fn recovery(&self, returned: Instant) -> Option<Recovery> {
        let before = self.looks.iter().rfind(|look| look.at <= returned)?;
        let mut after = self.looks.iter().filter(|look| look.at > returned);
        let first = after.clone().find(|look| look.settled > before.settled || look.held == 0)?;
        let caught_up = after.find(|look| look.settled >= before.accepted)?;
        Some(Recovery { first: first.at - returned, caught_up: caught_up.at - returned })
    }

    /// The most resident bytes that were seen.
    #[must_use]
    pub fn peak_rss(&self) -> u64 {
        self.looks.iter().map(|look| look.rss).max().unwrap_or(0)
    }
}

/// Looks until it is stopped.
#[derive(Debug)]
pub struct Watch {
    stop: Sender<()>,
    thread: JoinHandle<Looks>,
}

impl Watch {
    /// Begins to look.
    #[must_use]
    pub fn start(gateway: &Gateway) -> Watch {
        let (admin, pid) = (gateway.admin, gateway.id());
        let (stop, stopped) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut looks = Looks::default();
            loop {
                match look(admin, pid) {
                    Ok(look) => looks.looks.push(look),
                    Err(failure) => looks.blind.push(failure.to_string()),
                }
                // The sender's end is the order to stop.
                if !matches!(stopped.recv_timeout(LOOK_EVERY), Err(RecvTimeoutError::Timeout)) {
                    break;
                }
            }
            // The last thing that happened may have happened since; a gateway that was killed has nothing to show.
            looks.looks.extend(look(admin, pid));
            looks
        });
        Watch { stop, thread }
    }

    /// Stops looking.
    ///
    /// # Errors
    /// The looking thread panicked.
    pub fn stop(self) -> Result<Looks, Failure> {
        drop(self.stop);
        self.thread.join().map_err(|_| "the thread that looks at the gateway panicked".into())
    }
}

fn look(admin: SocketAddr, pid: u32) -> Result<Look, Failure> {
    let alive = wire::get(admin, "/livez")?;
    if alive.status != 200 {
        return Err(format!("/livez says {}", alive.status).into());
    }
    let accounts = accounts(&wire::get(admin, "/statusz")?.body)?;
    let at = Instant::now();
    let usage = Usage::of(pid)?;
    let sum = |of: fn(&Account) -> u64| accounts.iter().map(of).sum();
    Ok(Look {
        at,
        accepted: sum(|account| account.accepted),
        settled: sum(Account::settled),
        held: sum(|account| account.held),
        rss: usage.rss,
        descriptors: usage.descriptors,
        threads: usage.threads(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the two moments: the first item that leaves, and the last of those that waited, whatever came in meanwhile.
    #[test]
    fn recovery_counts_from_the_end_of_the_fault() {
        let start = Instant::now();
        let look = |ms: u64, accepted: u64, settled: u64| Look {
            at: start + Duration::from_millis(ms),
            accepted,
            settled,
            held: accepted - settled,
            rss: ms,
            descriptors: 0,
            threads: 0,
        };
        let looks = vec![
            look(0, 50, 10),
            look(90, 100, 10),
            look(150, 110, 10),
            look(200, 120, 60),
            look(250, 130, 100),
        ];
        let mut looks = Looks { looks, blind: Vec::new() };
        let returned = start + Duration::from_millis(100);
        let recovery = looks.recovery(returned).unwrap();
        assert_eq!((recovery.first.as_millis(), recovery.caught_up.as_millis()), (100, 150));
        assert_eq!(looks.peak_rss(), 250);
        looks.looks.pop();
        assert_eq!(looks.recovery(returned), None);
    }
}
