//! A thread of the processor's own.

use std::future::{Future, Ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;
use std::{io, thread};

use super::batch::{Batch, Failed};
use super::driver::{Driver, Timer};
use super::retry::Retry;
use super::shared::Shared;
use super::signal::Signal;

/// Keeps the instant for the thread, which waits no longer than that.
#[derive(Debug, Default)]
struct Alarm {
    at: Option<Instant>,
}

impl Timer for Alarm {
    fn poll_until(&mut self, at: Instant, _context: &mut Context<'_>) -> Poll<()> {
        if at <= Instant::now() {
            return Poll::Ready(());
        }
        self.at = Some(at);
        Poll::Pending
    }
}

/// Starts a thread that drives the processor to its end.
///
/// It is not joined: the end that the driver tells is its last act but for its return, and comes after the handler was let go of.
pub(super) fn start<T, H>(shared: Arc<Shared<T>>, mut handler: H, retry: Retry, name: &str) -> io::Result<()>
where
    T: Send + 'static,
    H: FnMut(Batch<T>) -> Result<(), Failed<T>> + Send + 'static,
{
    let handle = move |batch| std::future::ready(handler(batch));
    let run = move || {
        let mut driver: Driver<T, _, Ready<_>, _> = Driver::new(shared, handle, retry, Alarm::default());
        let signal = Arc::new(Signal::default());
        let waker = Waker::from(Arc::clone(&signal));
        let mut context = Context::from_waker(&waker);
        while Pin::new(&mut driver).poll(&mut context).is_pending() {
            signal.wait(driver.timer().at.take());
        }
    };
    thread::Builder::new().name(name.to_owned()).spawn(run).map(drop)
}
