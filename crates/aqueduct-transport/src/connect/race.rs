//! A race between the addresses of a peer ("happy eyeballs", RFC 8305).

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// How long an address may take before the next one starts beside it (RFC 8305 section 5).
pub(super) const STAGGER: Duration = Duration::from_millis(250);

/// Who has won.
#[derive(Debug)]
pub(super) struct Won<T> {
    pub(super) stream: T,
    /// Those who started earlier and had neither won nor failed.
    pub(super) overtaken: Vec<SocketAddr>,
    /// Those who had failed before.
    pub(super) failed: Vec<Failed>,
}

/// Who has failed, and why.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) address: SocketAddr,
    pub(super) reason: String,
}

struct Attempt<F> {
    address: SocketAddr,
    since: Instant,
    connecting: Pin<Box<F>>,
}

/// Connects to the first of these addresses that answers. Each starts when the one before it has failed, or has not
/// answered for [`STAGGER`]; the others are dropped when one has won.
pub(super) async fn race<T, F>(
    addresses: &[SocketAddr],
    deadline: Instant,
    connect: impl Fn(SocketAddr) -> F,
) -> Result<Won<T>, Vec<Failed>>
where
    F: Future<Output = io::Result<T>>,
{
    let mut next = addresses.iter().copied();
    let mut running: Vec<Attempt<F>> = Vec::new();
    let mut failed = Vec::new();
    let mut stagger = pin!(sleep_until(deadline));
    let mut end = pin!(sleep_until(deadline));
    poll_fn(|cx| {
        loop {
            let failed_before = failed.len();
            if let Some((place, stream)) = poll_all(&mut running, &mut failed, cx) {
                return Poll::Ready(Ok(Won {
                    stream,
                    overtaken: running[..place].iter().map(|attempt| attempt.address).collect(),
                    failed: std::mem::take(&mut failed),
                }));
            }
            let now = Instant::now();
            if end.as_mut().poll(cx).is_ready() {
                failed.extend(running.drain(..).map(|attempt| {
                    let reason = format!("no answer in {:.1?}", now.duration_since(attempt.since));
                    Failed { address: attempt.address, reason }
                }));
                return Poll::Ready(Err(std::mem::take(&mut failed)));
            }
            let due =
                running.is_empty() || failed.len() > failed_before || stagger.as_mut().poll(cx).is_ready();
            match due.then(|| next.next()).flatten() {
                Some(address) => {
                    running.push(Attempt { address, since: now, connecting: Box::pin(connect(address)) });
                    stagger.as_mut().reset(now + STAGGER);
                }
                None if running.is_empty() => return Poll::Ready(Err(std::mem::take(&mut failed))),
                None => return Poll::Pending,
            }
        }
    })
    .await
}

/// The first attempt that has succeeded, by its place. Those that have failed are moved to the others.
fn poll_all<T, F: Future<Output = io::Result<T>>>(
    running: &mut Vec<Attempt<F>>,
    failed: &mut Vec<Failed>,
    cx: &mut Context<'_>,
) -> Option<(usize, T)> {
    let mut place = 0;
    while place < running.len() {
        match running[place].connecting.as_mut().poll(cx) {
            Poll::Ready(Ok(stream)) => return Some((place, stream)),
            Poll::Ready(Err(error)) => {
                let address = running.remove(place).address;
                failed.push(Failed { address, reason: error.to_string() });
            }
            Poll::Pending => place += 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn address(number: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, number], 4317))
    }

    /// Counts the attempts that are alive.
    struct Alive(Arc<AtomicUsize>);

    impl Alive {
        fn new(count: &Arc<AtomicUsize>) -> Self {
            count.fetch_add(1, Ordering::Relaxed);
            Self(count.clone())
        }
    }

    impl Drop for Alive {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// What each address does: answers, or refuses, after so many milliseconds.
    async fn run(script: &[(u64, bool)], limit: u64) -> (Result<(SocketAddr, Vec<SocketAddr>), usize>, u64) {
        let started = Instant::now();
        let alive = Arc::new(AtomicUsize::new(0));
        let addresses: Vec<SocketAddr> = (0..script.len()).map(|n| address(n as u8)).collect();
        let connect = |to: SocketAddr| {
            let place = addresses.iter().position(|address| *address == to).expect("one of them");
            let (after, answers) = script[place];
            let alive = Alive::new(&alive);
            async move {
                let _alive = alive;
                tokio::time::sleep(Duration::from_millis(after)).await;
                if answers { Ok(to) } else { Err(io::Error::other("refused")) }
            }
        };
        let won = race(&addresses, started + Duration::from_millis(limit), connect).await;
        assert_eq!(alive.load(Ordering::Relaxed), 0, "an attempt outlived the race");
        let took = started.elapsed().as_millis() as u64;
        (won.map(|won| (won.stream, won.overtaken)).map_err(|failed| failed.len()), took)
    }

    /// Guards the time that a bad address costs: 250 ms if it swallows packets, none if it refuses.
    #[tokio::test(start_paused = true)]
    async fn a_bad_address_costs_a_quarter_of_a_second() {
        let hole = (1_000_000, true);
        let refuses = (0, false);
        let answers = (10, true);
        assert_eq!(run(&[answers, hole], 5000).await, (Ok((address(0), vec![])), 10));
        assert_eq!(run(&[hole, answers], 5000).await, (Ok((address(1), vec![address(0)])), 260));
        let (won, took) = run(&[hole, hole, answers], 5000).await;
        assert_eq!((won.map(|(address, _)| address), took), (Ok(address(2)), 510));
        assert_eq!(run(&[refuses, refuses, answers], 5000).await.1, 10);
        // A slow one that started first may still win.
        assert_eq!(run(&[(300, true), (200, true)], 5000).await, (Ok((address(0), vec![])), 300));
    }

    /// Guards the end: when all have failed, or the time is up.
    #[tokio::test(start_paused = true)]
    async fn a_race_without_a_winner_ends() {
        assert_eq!(run(&[(5, false), (5, false)], 5000).await.0, Err(2));
        let (lost, took) = run(&[(1_000_000, true), (1_000_000, true)], 400).await;
        assert_eq!((lost, took), (Err(2), 400));
        assert_eq!(run(&[], 5000).await, (Err(0), 0));
    }
}
