//! What several threads write into, and any thread may have sealed: nobody waits for a lock.
//!
//! A slot has a content and a lock. Whoever gets the lock is *inside*; the lock is only ever tried. A thread that wants to write and finds somebody inside
//! goes elsewhere. A thread that wants the content sealed *asks* first and tries then: if it gets in it answers itself; if not, whoever is inside does
//! so on the way out, because everybody looks for asks after having released the lock.
//!
//! That no ask stays unanswered rests on the asks' place in memory, `asked`, which both sides change with one instruction each (a
//! read-modify-write, release and acquire). Say A asks and then fails to get in because B is inside, and B releases and then looks. Of A's asking and B's looking one
//! comes first. If it is A's, B sees the ask. If it is B's, then its release of the lock happened before A tried, so that A would have got in, or found
//! somebody else inside, for whom the same is true.
//!
//! An ask is taken under the lock, and counted in `answers` before the lock is released: who sees the count has what was inside when it asked sealed.

use std::sync::PoisonError;
use std::time::Instant;

use crate::sync::{AtomicU8, Condvar, Mutex, MutexGuard, Ordering, lock, try_lock};

/// What is asked of whoever is inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    /// To seal the content.
    Seal,
    /// To seal it and let nobody in any more.
    Close,
}

const SEAL: u8 = 1;
const CLOSE: u8 = 2;

impl Ask {
    const fn bits(self) -> u8 {
        match self {
            Ask::Seal => SEAL,
            Ask::Close => SEAL | CLOSE,
        }
    }
}

/// Why a thread was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shut {
    /// Somebody is inside.
    Busy,
    /// For good.
    Closed,
}

/// A content that is written into by whoever gets in, and sealed when somebody asks.
#[derive(Debug)]
pub(crate) struct Slot<C> {
    inside: Mutex<Inside<C>>,
    /// What was asked and not yet answered: [`SEAL`] and [`CLOSE`]. Set by who asks, cleared under the lock by who answers.
    asked: AtomicU8,
    /// How often asks were answered. Locked for a moment only, also by those inside.
    answers: Mutex<u64>,
    answered: Condvar,
}

#[derive(Debug)]
struct Inside<C> {
    content: C,
    closed: bool,
}

impl<C> Slot<C> {
    pub(crate) fn new(content: C) -> Slot<C> {
        Slot {
            inside: Mutex::new(Inside { content, closed: false }),
            asked: AtomicU8::new(0),
            answers: Mutex::new(0),
            answered: Condvar::new(),
        }
    }

    /// Works on the content, and does then what was asked meanwhile. `work` must not panic: what it leaves is taken as whole.
    ///
    /// It may enter other slots, or this one, which it finds busy.
    pub(crate) fn enter<R>(&self, seal: impl Fn(&mut C), work: impl FnOnce(&mut C) -> R) -> Result<R, Shut> {
        let mut inside = try_lock(&self.inside).ok_or(Shut::Busy)?;
        let done = if inside.closed { Err(Shut::Closed) } else { Ok(work(&mut inside.content)) };
        drop(inside);
        self.settle(&seal);
        done
    }

    /// Has the content sealed, now or by whoever is inside. Whether it is done.
    pub(crate) fn ask(&self, ask: Ask, seal: impl Fn(&mut C)) -> bool {
        self.asked.fetch_or(ask.bits(), Ordering::AcqRel);
        let Some(inside) = try_lock(&self.inside) else { return false };
        self.answer(inside, &seal);
        self.settle(&seal);
        true
    }

    /// As [`Slot::ask`], and waits until it is done; `false` when the deadline came first. It will be done all the same.
    pub(crate) fn ask_and_wait(&self, ask: Ask, seal: impl Fn(&mut C), until: Instant) -> bool {
        let before = *lock(&self.answers);
        if self.ask(ask, seal) {
            return true;
        }
        let mut answers = lock(&self.answers);
        while *answers == before {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            answers = self.answered.wait_timeout(answers, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// To be called after the lock was released.
    fn settle(&self, seal: &impl Fn(&mut C)) {
        // Not a load: it must not be ordered before the release of the lock.
        while self.asked.compare_exchange(0, 0, Ordering::AcqRel, Ordering::Acquire).is_err() {
            let Some(inside) = try_lock(&self.inside) else { return };
            self.answer(inside, seal);
        }
    }

    /// Does what was asked, if nobody else has in the meantime.
    fn answer(&self, mut inside: MutexGuard<'_, Inside<C>>, seal: &impl Fn(&mut C)) {
        let asked = self.asked.swap(0, Ordering::AcqRel);
        if asked == 0 {
            return;
        }
        inside.closed |= asked & CLOSE != 0;
        seal(&mut inside.content);
        *lock(&self.answers) += 1;
        drop(inside);
        self.answered.notify_all();
    }
}
