//! Whether requests wait for each other at the server, told from their round-trip times.

/// Round-trip times up to this multiple of the calm one are no queue. Where as many wait as are worked on it is 2.
const TOLERANCE: f64 = 1.5;
/// Beyond it, this many standard errors of the round's mean are put down to chance.
const ERRORS: f64 = 3.0;
/// From fewer answers than this the error cannot be told.
const MIN_ANSWERS: f64 = 4.0;
/// A decrease to three quarters shortens a queue by a quarter. A time that remains above this share of what it was did
/// not come from our queue.
const NOT_SHORTER: f64 = 0.9;

/// The round-trip times of a round, in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Times {
    count: f64,
    sum: f64,
    squares: f64,
}

impl Times {
    pub(super) fn add(&mut self, seconds: f64) {
        self.count += 1.0;
        self.sum += seconds;
        self.squares += seconds * seconds;
    }

    fn mean(&self) -> f64 {
        self.sum / self.count
    }

    /// The standard error of the mean, if there are enough answers to tell.
    fn error(&self) -> Option<f64> {
        let spread = (self.squares / self.count - self.mean().powi(2)).max(0.0);
        (self.count >= MIN_ANSWERS).then(|| (spread / (self.count - 1.0)).sqrt())
    }
}

/// What a round's times mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Requests do not wait for each other, as far as can be told.
    Calm,
    /// It looks like a queue; the next round will tell chance from truth.
    Unclear,
    /// There is a queue, and a lower limit may shorten it.
    Queueing,
}

/// The round-trip time without a queue, and what the last rounds made of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Latency {
    calm: Option<f64>,
    suspicion: Suspicion,
}

#[derive(Clone, Copy, Debug, Default)]
enum Suspicion {
    #[default]
    None,
    /// The last round was too long.
    Once,
    /// The limit was lowered because rounds took this long; the next round will show whether that helped.
    Lowered(f64),
}

impl Latency {
    /// Judges a round. A queue is `avoidable` if it can come from the number of our requests and if that can be lowered.
    pub(super) fn judge(&mut self, times: &Times, avoidable: bool) -> Verdict {
        let mean = times.mean();
        let Some(calm) = &mut self.calm else {
            self.calm = Some(mean);
            return Verdict::Calm;
        };
        let suspicion = std::mem::take(&mut self.suspicion);
        let error = times.error().filter(|_| avoidable);
        if error.is_none_or(|error| mean <= *calm * TOLERANCE + error * ERRORS) {
            *calm += gain(*calm, mean, times.error(), avoidable) * (mean - *calm);
            return Verdict::Calm;
        }
        match suspicion {
            Suspicion::None => {
                self.suspicion = Suspicion::Once;
                Verdict::Unclear
            }
            Suspicion::Lowered(before) if mean > before * NOT_SHORTER => {
                // Fewer requests, and each takes as long: the server is slower than it was, or the requests are larger.
                *calm = mean;
                Verdict::Calm
            }
            Suspicion::Once | Suspicion::Lowered(_) => {
                self.suspicion = Suspicion::Lowered(mean);
                Verdict::Queueing
            }
        }
    }
}

/// How far the calm time follows the mean of a round. It falls with shorter rounds, fast if that is no chance. It rises only
/// where no queue of ours can be the cause: if it rose with a queue, the queue would grow with it, without end.
fn gain(calm: f64, mean: f64, error: Option<f64>, avoidable: bool) -> f64 {
    match error {
        _ if mean > calm && avoidable => 0.0,
        _ if mean > calm => 0.1,
        Some(error) if mean + ERRORS * error >= calm => 0.1,
        _ => 0.5,
    }
}
