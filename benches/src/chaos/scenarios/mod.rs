//! What is broken, and what must hold nevertheless.

mod crash;
mod destination;
mod lanes;
mod overload;
mod poison;
mod soak;
mod start;
mod stop;

use std::time::{Duration, Instant};

use super::{Arena, Row};
use crate::Failure;

/// How long a gateway may take, after load and fault have ended, to send what it holds.
const DRAIN: Duration = Duration::from_secs(30);
/// Within this time of a destination's return something must reach it: the longest pause between two attempts (5 s), and half a second for the
/// attempt and for whoever looks. What was waiting then leaves as fast as the destination takes it.
const NOTICE: Duration = Duration::from_millis(5_500);

/// A scenario.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// How it is called.
    pub name: &'static str,
    /// What happens and what must hold, in a line.
    pub about: &'static str,
    /// When it runs.
    pub when: When,
    run: fn(&Arena, &mut Row) -> Result<(), Failure>,
}

/// When a scenario runs.
///
/// Complete: there are these two commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Always.
    Always,
    /// Only with `--soak`.
    Soak,
}

impl Scenario {
    /// Runs it. A process that does not do what it should is a failed row, not the end of the run.
    #[must_use]
    pub fn run(&self, arena: &Arena) -> Row {
        let start = Instant::now();
        let mut row = Row { name: self.name.to_owned(), ..Row::default() };
        if let Err(failure) = (self.run)(arena, &mut row) {
            row.expect(false, failure);
        }
        row.judged(start.elapsed())
    }
}

/// All scenarios, in their order.
pub const ALL: &[Scenario] = &[
    Scenario {
        name: "sink-down",
        about: "the destination is gone: connections reset, new ones refused",
        when: When::Always,
        run: destination::down,
    },
    Scenario {
        name: "unavailable",
        about: "a fifth of the exports is answered with UNAVAILABLE",
        when: When::Always,
        run: destination::unavailable,
    },
    Scenario {
        name: "retry-info",
        about: "a fifth is answered with RESOURCE_EXHAUSTED and RetryInfo of 200 ms, which means later and not never",
        when: When::Always,
        run: destination::retry_info,
    },
    Scenario {
        name: "hang",
        about: "the destination accepts exports and does not answer them",
        when: When::Always,
        run: destination::hang,
    },
    Scenario {
        name: "answer-swallowed",
        about: "a fifth of the exports is stored and its answer lost: duplicates are counted, nothing is lost",
        when: When::Always,
        run: destination::answer_swallowed,
    },
    Scenario {
        name: "sigterm-under-load",
        about: "SIGTERM while requests come in: all that was acknowledged is delivered before the deadline",
        when: When::Always,
        run: stop::under_load,
    },
    Scenario {
        name: "sigterm-sink-down",
        about: "SIGTERM while the destination is gone: ends at the deadline and says what was not delivered",
        when: When::Always,
        run: stop::sink_down,
    },
    Scenario {
        name: "sigterm-twice",
        about: "a second SIGTERM ends at once",
        when: When::Always,
        run: stop::twice,
    },
    Scenario {
        name: "kill-exported",
        about: "kill -9 with `acknowledge: exported`, and a restart: nothing that was acknowledged is lost",
        when: When::Always,
        run: crash::exported,
    },
    Scenario {
        name: "kill-enqueued",
        about: "kill -9 with the default `enqueued`, and a restart: what was in memory is lost, and no more",
        when: When::Always,
        run: crash::enqueued,
    },
    Scenario {
        name: "two-exporters",
        about: "one of two destinations hangs: the other gets everything, their ledgers are separate",
        when: When::Always,
        run: lanes::one_hangs,
    },
    Scenario {
        name: "http-503",
        about: "HTTP in and out; a fifth of the exports is answered with 503 and Retry-After",
        when: When::Always,
        run: destination::http_503,
    },
    Scenario {
        name: "poison",
        about: "one invalid request among a thousand gets its 400 or INVALID_ARGUMENT, no other item is harmed",
        when: When::Always,
        run: poison::one_in_a_thousand,
    },
    Scenario {
        name: "overload",
        about: "a stalled destination and all the load there is: memory bounded, alive, honest refusals, recovery",
        when: When::Always,
        run: overload::stalled,
    },
    Scenario {
        name: "unreachable-at-start",
        about: "the destination is not there at the start: not fatal, visible in /readyz, one line in the log",
        when: When::Always,
        run: start::unreachable,
    },
    Scenario {
        name: "port-in-use",
        about: "a port in use: the message names port and setting",
        when: When::Always,
        run: start::port_in_use,
    },
    Scenario {
        name: "bad-config",
        about: "a configuration with an unknown key: exit code 2 and one message with its place",
        when: When::Always,
        run: start::bad_config,
    },
    Scenario {
        name: "soak",
        about: "minutes at 80 % of the maximum: memory flat, descriptors and threads constant",
        when: When::Soak,
        run: soak::steady,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards `--only`: a name that is used twice could not be asked for.
    #[test]
    fn names_are_distinct() {
        let names: std::collections::BTreeSet<_> = ALL.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), ALL.len());
    }

    /// Guards that a process that misbehaves fails its row with the reason.
    #[test]
    fn an_error_is_a_failed_row() {
        let scenario = Scenario { run: |_, _| Err("did not start".into()), ..ALL[0] };
        let arena = Arena { aqueduct: "/nowhere".into(), rate: 1.0, quick: true };
        let row = scenario.run(&arena);
        assert!(!row.passed);
        assert_eq!(row.failures, ["did not start"]);
    }
}
