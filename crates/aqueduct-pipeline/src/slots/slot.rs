//! What several threads write into, and any thread may have sealed: nobody waits for a lock.
//!
//! A slot has a content, which one thread at a time is *inside* of. A thread that wants to write and finds somebody inside
//! goes elsewhere. A thread that wants the content sealed *asks*: if nobody is inside it goes in and answers itself; if somebody is, they do
//! so on the way out. That no ask stays unanswered is what a [`SignalCell`] promises: asks are its signals.
//!
//! An ask is counted in `answers` by who answers it, while inside: who sees the count has what was inside when it asked sealed.

use std::sync::PoisonError;
use std::time::Instant;

use aqueduct_lockfree::SignalCell;

use crate::sync::{Condvar, Mutex, lock};

/// What is asked of whoever is inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    /// To seal the content.
    Seal,
    /// To seal it and let nobody in any more.
    Close,
}

const SEAL: u16 = 1;
const CLOSE: u16 = 2;

impl Ask {
    const fn bits(self) -> u16 {
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
    inside: SignalCell<Inside<C>>,
    /// Locked for a moment only, also by those inside.
    answers: Mutex<Answers>,
    answered: Condvar,
}

#[derive(Debug)]
struct Inside<C> {
    content: C,
    closed: bool,
}

/// What was answered.
#[derive(Debug, Default)]
struct Answers {
    /// How often.
    count: u64,
    /// Whether the slot was closed.
    closed: bool,
    /// So many wait for one.
    waiting: usize,
}

impl<C> Slot<C> {
    pub(crate) fn new(content: C) -> Slot<C> {
        Slot {
            inside: SignalCell::new(Inside { content, closed: false }),
            answers: Mutex::new(Answers::default()),
            answered: Condvar::new(),
        }
    }

    /// Works on the content, and does then what was asked meanwhile. `work` must not panic: what it leaves is taken as whole.
    ///
    /// It may enter other slots, or this one, which it finds busy.
    #[inline]
    pub(crate) fn enter<R>(&self, seal: impl Fn(&mut C), work: impl FnOnce(&mut C) -> R) -> Result<R, Shut> {
        let enter = |inside: &mut Inside<C>| {
            if inside.closed { Err(Shut::Closed) } else { Ok(work(&mut inside.content)) }
        };
        let (done, asked) = self.inside.try_with(enter).ok_or(Shut::Busy)?;
        if asked != 0 {
            self.answer(&seal);
        }
        done
    }

    /// Has the content sealed, now or by whoever is inside. Whether it is done.
    pub(crate) fn ask(&self, ask: Ask, seal: impl Fn(&mut C)) -> bool {
        !self.inside.signal(ask.bits()) && self.answer(&seal)
    }

    /// As [`Slot::ask`], and waits until it is done; `false` when the deadline came first. It will be done all the same.
    pub(crate) fn ask_and_wait(&self, ask: Ask, seal: impl Fn(&mut C), until: Instant) -> bool {
        let before = lock(&self.answers).count;
        if self.ask(ask, seal) {
            return true;
        }
        let mut answers = lock(&self.answers);
        // An answer to somebody else, given since, has sealed what was inside. It has not closed anything.
        while answers.count == before || (ask == Ask::Close && !answers.closed) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            answers.waiting += 1;
            answers = self.answered.wait_timeout(answers, left).unwrap_or_else(PoisonError::into_inner).0;
            answers.waiting -= 1;
        }
        true
    }

    /// Does what was asked, unless somebody is inside, who will. Whether what was asked before the call is done.
    #[cold]
    fn answer(&self, seal: &impl Fn(&mut C)) -> bool {
        let mut done = false;
        // Again if somebody has asked meanwhile, who found this thread inside.
        while let Some(((), asked)) =
            self.inside.try_answer(|inside, asked| self.do_asked(inside, asked, seal))
        {
            done = true;
            if asked == 0 {
                break;
            }
        }
        done
    }

    fn do_asked(&self, inside: &mut Inside<C>, asked: u16, seal: &impl Fn(&mut C)) {
        // Somebody else may have come first.
        if asked == 0 {
            return;
        }
        inside.closed |= asked & CLOSE != 0;
        seal(&mut inside.content);
        let mut answers = lock(&self.answers);
        answers.count += 1;
        answers.closed = inside.closed;
        if answers.waiting > 0 {
            self.answered.notify_all();
        }
    }
}
