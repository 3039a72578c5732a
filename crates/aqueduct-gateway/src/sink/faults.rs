//! Which request fails, and how: a decision about the time since the faults' clock began.

use super::SinkArgs;
use aqueduct::receiver::Answer;
use aqueduct::wire::rpc::{Code, Status};
use std::str::FromStr;
use std::time::Duration;

/// How a request fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailWith {
    /// A gRPC status; over HTTP the matching HTTP status.
    Grpc(Code),
    /// An HTTP status.
    Http(u16),
    /// No answer: the stream or connection is reset.
    Reset,
}

impl Default for FailWith {
    fn default() -> Self {
        Self::Grpc(Code::Unavailable)
    }
}

impl FromStr for FailWith {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("reset") {
            return Ok(Self::Reset);
        }
        if let Ok(number) = text.parse::<u16>()
            && (400..600).contains(&number)
        {
            return Ok(Self::Http(number));
        }
        match text.parse::<Code>() {
            Ok(Code::Ok) | Err(_) => {
                Err("expected a gRPC code other than OK, an HTTP status from 400 to 599, or reset".to_owned())
            }
            Ok(code) => Ok(Self::Grpc(code)),
        }
    }
}

impl FailWith {
    fn answer(self, retry_after: Option<Duration>) -> Answer {
        let message = "a failure as ordered".to_owned();
        match self {
            Self::Grpc(code) => {
                let status = Status::new(code, message);
                Answer::Status(match retry_after {
                    Some(delay) => status.with_retry_delay(delay),
                    None => status,
                })
            }
            Self::Http(status) => Answer::Http { status, retry_after, message },
            Self::Reset => Answer::Disconnect,
        }
    }
}

/// A stretch of time in which something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) from: Duration,
    /// `None`: for good.
    pub(crate) to: Option<Duration>,
}

impl Window {
    fn new(at: Option<Duration>, lasting: Option<Duration>) -> Self {
        let from = at.unwrap_or_default();
        Self { from, to: lasting.map(|lasting| from.saturating_add(lasting)) }
    }

    fn contains(&self, elapsed: Duration) -> bool {
        elapsed >= self.from && self.to.is_none_or(|to| elapsed < to)
    }
}

/// What is done with one request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    /// Recorded and acknowledged.
    Take,
    /// Answered with a failure.
    Fail(Answer),
    /// Never answered.
    Hang,
}

/// The schedule of faults.
#[derive(Debug)]
pub(crate) struct Faults {
    share: f64,
    with: FailWith,
    retry_after: Option<Duration>,
    fail: Window,
    hang: Option<Window>,
    down: Option<Window>,
    random: u64,
}

impl Faults {
    pub(crate) fn new(args: &SinkArgs) -> Self {
        let hangs = args.hang || args.hang_at.is_some() || args.hang_for.is_some();
        Self {
            share: args.fail_share,
            with: args.fail_code,
            retry_after: args.retry_after,
            fail: Window::new(args.fail_at, args.fail_for),
            hang: hangs.then(|| Window::new(args.hang_at, args.hang_for)),
            down: args.down_at.map(|at| Window::new(Some(at), args.down_for)),
            random: args.seed,
        }
    }

    /// When the listeners are closed.
    pub(crate) fn down(&self) -> Option<Window> {
        self.down
    }

    /// What to do with a request that arrives `elapsed` after the clock began.
    pub(crate) fn decide(&mut self, elapsed: Duration) -> Verdict {
        if self.hang.is_some_and(|window| window.contains(elapsed)) {
            return Verdict::Hang;
        }
        if self.share > 0.0 && self.fail.contains(elapsed) && self.unit_random() < self.share {
            return Verdict::Fail(self.with.answer(self.retry_after));
        }
        Verdict::Take
    }

    fn unit_random(&mut self) -> f64 {
        // SplitMix64 (Steele, Lea, Flood 2014): any seed is a good one.
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(change: impl FnOnce(&mut SinkArgs)) -> SinkArgs {
        let mut args = SinkArgs::default();
        change(&mut args);
        args
    }

    /// Guards scripts like "20 % UNAVAILABLE from second 2 for 5 s": nothing fails outside the window, the share holds inside, and
    /// the same seed picks the same requests.
    #[test]
    fn a_share_fails_within_the_window() {
        let args = args(|args| {
            args.fail_share = 0.2;
            args.fail_at = Some(Duration::from_secs(2));
            args.fail_for = Some(Duration::from_secs(5));
            args.retry_after = Some(Duration::from_millis(200));
        });
        let failed = |second: f64| {
            let mut faults = Faults::new(&args);
            (0..10_000).filter(|_| faults.decide(Duration::from_secs_f64(second)) != Verdict::Take).count()
        };
        assert_eq!(failed(1.99), 0);
        assert_eq!(failed(7.0), 0);
        assert!((1_900..2_100).contains(&failed(2.0)), "{}", failed(2.0));
        assert_eq!(failed(2.0), failed(2.0));
        let mut faults = Faults::new(&args);
        let verdict = std::iter::repeat_with(|| faults.decide(Duration::from_secs(3)))
            .find(|verdict| *verdict != Verdict::Take)
            .expect("one in five");
        let status = Status::new(Code::Unavailable, "a failure as ordered");
        assert_eq!(
            verdict,
            Verdict::Fail(Answer::Status(status.with_retry_delay(Duration::from_millis(200))))
        );
    }

    /// Guards that hanging ends for new requests, and wins over failing.
    #[test]
    fn hanging_has_a_window() {
        let mut faults = Faults::new(&args(|args| {
            args.hang_at = Some(Duration::from_secs(1));
            args.hang_for = Some(Duration::from_secs(1));
            args.fail_share = 1.0;
            args.fail_code = FailWith::Reset;
        }));
        assert_eq!(faults.decide(Duration::from_millis(999)), Verdict::Fail(Answer::Disconnect));
        assert_eq!(faults.decide(Duration::from_millis(1000)), Verdict::Hang);
        assert_eq!(faults.decide(Duration::from_millis(2000)), Verdict::Fail(Answer::Disconnect));
    }

    /// Guards the forms of `--fail-code`.
    #[test]
    fn codes() {
        assert_eq!("UNAVAILABLE".parse(), Ok(FailWith::Grpc(Code::Unavailable)));
        assert_eq!("8".parse(), Ok(FailWith::Grpc(Code::ResourceExhausted)));
        assert_eq!("503".parse(), Ok(FailWith::Http(503)));
        assert_eq!("reset".parse(), Ok(FailWith::Reset));
        for bad in ["OK", "0", "200", "nonsense", ""] {
            assert!(bad.parse::<FailWith>().is_err(), "{bad}");
        }
    }
}
