//! Futures of one connection that are not ready yet.
//!
//! The set polls only those that were woken: each has a waker of its own that notes its place in a list and wakes
//! the connection. Places and their wakers are reused, so a set that has reached its size allocates no more.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

#[derive(Debug)]
pub(crate) struct Tasks<F> {
    places: Vec<Place<F>>,
    /// Indices into `places` that hold nothing.
    free: Vec<usize>,
    woken: Arc<Mutex<Woken>>,
    /// Taken from `woken`, being worked off.
    turn: Vec<usize>,
}

#[derive(Debug)]
struct Place<F> {
    future: Option<F>,
    waker: Waker,
}

#[derive(Debug, Default)]
struct Woken {
    places: Vec<usize>,
    /// Of the connection's task, since it last found nothing to do.
    task: Option<Waker>,
}

struct PlaceWaker {
    place: usize,
    woken: Arc<Mutex<Woken>>,
}

impl Wake for PlaceWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let task = {
            let mut woken = lock(&self.woken);
            woken.places.push(self.place);
            woken.task.take()
        };
        // Outside of the lock, which the task takes first of all.
        if let Some(task) = task {
            task.wake();
        }
    }
}

/// Nothing panics while holding it, so poisoning has no meaning.
fn lock(woken: &Mutex<Woken>) -> MutexGuard<'_, Woken> {
    woken.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<F: Future + Unpin> Tasks<F> {
    pub(crate) fn new() -> Tasks<F> {
        Tasks { places: Vec::new(), free: Vec::new(), woken: Arc::default(), turn: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a future. It is polled first by the next [`Tasks::poll_next`].
    pub(crate) fn push(&mut self, future: F) {
        let place = self.free.pop().unwrap_or_else(|| {
            let place = self.places.len();
            let waker = Waker::from(Arc::new(PlaceWaker { place, woken: self.woken.clone() }));
            self.places.push(Place { future: None, waker });
            place
        });
        self.places[place].future = Some(future);
        self.turn.push(place);
    }

    /// The next result. `Pending`, with the task registered, when no woken future is ready.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<F::Output> {
        if self.is_empty() {
            return Poll::Pending;
        }
        loop {
            while let Some(index) = self.turn.pop() {
                let place = &mut self.places[index];
                // A late or a second wake-up finds the place empty, or with another future that does not mind.
                let Some(future) = &mut place.future else { continue };
                if let Poll::Ready(output) = Pin::new(future).poll(&mut Context::from_waker(&place.waker)) {
                    place.future = None;
                    self.free.push(index);
                    return Poll::Ready(output);
                }
            }
            let mut woken = lock(&self.woken);
            if woken.places.is_empty() {
                if !woken.task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
                    woken.task = Some(cx.waker().clone());
                }
                return Poll::Pending;
            }
            std::mem::swap(&mut woken.places, &mut self.turn);
        }
    }

    /// Drops futures that are not wanted any more.
    pub(crate) fn retain(&mut self, mut wanted: impl FnMut(&mut F) -> bool) {
        for (index, place) in self.places.iter_mut().enumerate() {
            if place.future.as_mut().is_some_and(|future| !wanted(future)) {
                place.future = None;
                self.free.push(index);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use tokio::sync::oneshot;

    async fn next<F: Future + Unpin>(tasks: &mut Tasks<F>) -> F::Output {
        poll_fn(|cx| tasks.poll_next(cx)).await
    }

    /// Guards that each future is found when it is woken, in whatever order, and that places are reused.
    #[tokio::test]
    async fn results_come_as_they_are_ready() {
        let mut tasks = Tasks::new();
        for round in 0..3 {
            let senders: Vec<_> = (0..10)
                .map(|_| {
                    let (sender, receiver) = oneshot::channel();
                    tasks.push(receiver);
                    sender
                })
                .collect();
            assert_eq!(tasks.len(), 10);
            for (n, sender) in senders.into_iter().enumerate().rev() {
                sender.send(n + round).expect("the receiver is in the set");
                assert_eq!(next(&mut tasks).await, Ok(n + round));
            }
            assert!(tasks.is_empty());
            assert_eq!(tasks.places.len(), 10, "places are reused");
        }
    }

    /// Guards the wake-up of a task that sleeps, from another thread.
    #[tokio::test]
    async fn the_task_is_woken() {
        let mut tasks = Tasks::new();
        let (sender, receiver) = oneshot::channel();
        tasks.push(receiver);
        let task = tokio::spawn(async move { next(&mut tasks).await });
        tokio::task::yield_now().await;
        std::thread::spawn(move || sender.send(7)).join().expect("joins").expect("sends");
        assert_eq!(task.await.expect("no panic"), Ok(7));
    }

    /// Guards that only woken futures are polled: with hundreds waiting, polling all of them for each would be quadratic.
    #[tokio::test]
    async fn sleeping_futures_are_left_alone() {
        use std::sync::atomic::{AtomicU32, Ordering};
        static POLLS: AtomicU32 = AtomicU32::new(0);
        let mut tasks = Tasks::new();
        let mut senders = Vec::new();
        for _ in 0..100 {
            let (sender, mut receiver) = oneshot::channel::<()>();
            senders.push(sender);
            tasks.push(Box::pin(poll_fn(move |cx| {
                POLLS.fetch_add(1, Ordering::Relaxed);
                Pin::new(&mut receiver).poll(cx)
            })));
        }
        for sender in senders {
            let pending = poll_fn(|cx| Poll::Ready(tasks.poll_next(cx).is_pending())).await;
            assert!(pending);
            sender.send(()).expect("waits");
            next(&mut tasks).await.expect("sent");
        }
        assert_eq!(POLLS.load(Ordering::Relaxed), 200, "each once when pushed and once when woken");
    }

    /// Guards that what is dropped is gone, and that its late wake-up does no harm.
    #[tokio::test]
    async fn unwanted_futures_can_be_dropped() {
        let mut tasks = Tasks::new();
        let (kept, receiver) = oneshot::channel();
        tasks.push(receiver);
        let (dropped, receiver) = oneshot::channel::<u8>();
        tasks.push(receiver);
        assert!(poll_fn(|cx| Poll::Ready(tasks.poll_next(cx).is_pending())).await);
        let mut first = true;
        tasks.retain(|_| std::mem::take(&mut first));
        assert_eq!(tasks.len(), 1);
        assert!(dropped.send(1).is_err());
        kept.send(2).expect("waits");
        assert_eq!(next(&mut tasks).await, Ok(2));
        assert!(tasks.is_empty());
    }
}
