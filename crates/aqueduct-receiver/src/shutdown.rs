//! A signal to stop, given once and seen by all.

use tokio::sync::watch;

/// Gives the signal to stop. Dropping it without [`ShutdownTrigger::shut_down`] means that it never comes.
#[derive(Debug)]
pub struct ShutdownTrigger {
    sender: watch::Sender<bool>,
}

/// Sees the signal to stop. Clone it for each that has to see it.
#[doc(alias = "CancellationToken")]
#[derive(Clone, Debug)]
pub struct Shutdown {
    /// `None`: it never comes.
    receiver: Option<watch::Receiver<bool>>,
}

impl ShutdownTrigger {
    /// A trigger, and what it triggers.
    #[must_use]
    pub fn new() -> (ShutdownTrigger, Shutdown) {
        let (sender, receiver) = watch::channel(false);
        (ShutdownTrigger { sender }, Shutdown { receiver: Some(receiver) })
    }

    /// Gives the signal. Again has no effect.
    pub fn shut_down(&self) {
        self.sender.send_replace(true);
    }
}

impl Shutdown {
    /// A signal that never comes.
    #[must_use]
    pub fn never() -> Shutdown {
        Shutdown { receiver: None }
    }

    /// Whether it was given.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.receiver.as_ref().is_some_and(|receiver| *receiver.borrow())
    }

    /// Waits until it is given.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when this future is dropped.
    pub async fn requested(&mut self) {
        if let Some(receiver) = &mut self.receiver
            && receiver.wait_for(|stop| *stop).await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards that a signal given before anybody waits is seen, and by every clone.
    #[tokio::test]
    async fn a_signal_is_seen_by_all_whenever_they_look() {
        let (trigger, mut early) = ShutdownTrigger::new();
        let mut late = early.clone();
        assert!(!early.is_requested());
        let waiting = tokio::spawn(async move { early.requested().await });
        trigger.shut_down();
        trigger.shut_down();
        waiting.await.expect("the waiter ends");
        late.requested().await;
        assert!(late.is_requested());
    }

    /// Guards that a dropped trigger is no shutdown.
    #[tokio::test(start_paused = true)]
    async fn a_dropped_trigger_is_no_signal() {
        let (trigger, mut shutdown) = ShutdownTrigger::new();
        drop(trigger);
        let hour = std::time::Duration::from_secs(3600);
        assert!(tokio::time::timeout(hour, shutdown.requested()).await.is_err());
        assert!(tokio::time::timeout(hour, Shutdown::never().requested()).await.is_err());
    }
}
