//! Waiting without being woken.

#[cfg(not(crossbeam_loom))]
pub(super) use real::Wait;

#[cfg(crossbeam_loom)]
pub(super) use model::Wait;

#[cfg(not(crossbeam_loom))]
mod real {
    use crossbeam_utils::Backoff;

    /// Ever longer pauses.
    #[derive(Debug)]
    pub(crate) struct Wait(Backoff);

    impl Wait {
        #[inline]
        pub(crate) fn new() -> Wait {
            Wait(Backoff::new())
        }

        /// After losing a race: others made progress.
        #[inline]
        pub(crate) fn after_loss(&mut self) {
            self.0.spin();
        }

        /// For another thread to do its part: gives the core away if that takes long.
        #[inline]
        pub(crate) fn for_another(&mut self) {
            self.0.snooze();
        }
    }
}

#[cfg(crossbeam_loom)]
mod model {
    /// The model lets another thread run.
    #[derive(Debug)]
    pub(crate) struct Wait(());

    impl Wait {
        pub(crate) fn new() -> Wait {
            Wait(())
        }

        pub(crate) fn after_loss(&mut self) {
            loom::thread::yield_now();
        }

        pub(crate) fn for_another(&mut self) {
            loom::thread::yield_now();
        }
    }
}
