//! The command line of `aqueduct sink`.

use super::SinkError;
use super::faults::FailWith;
use crate::argument;
use std::time::Duration;

/// What the times of faults are counted from.
///
/// Complete: there is no third moment that both a user and a test know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum FaultClock {
    /// The first request.
    #[default]
    FirstRequest,
    /// The moment the sink listens.
    Start,
}

/// Options of `aqueduct sink`: where to listen and how to fail.
///
/// [`Default`] is what the command line defaults to.
#[derive(Clone, Debug, clap::Args)]
#[non_exhaustive]
pub struct SinkArgs {
    /// Address for OTLP/gRPC; port 0 takes a free one, which is printed
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4317")]
    pub listen: String,

    /// Address for OTLP/HTTP [default: none]
    #[arg(long, value_name = "ADDR")]
    pub listen_http: Option<String>,

    /// Share of requests that fail
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = argument::share)]
    pub fail_share: f64,

    /// How they fail: a gRPC code (UNAVAILABLE, 14), an HTTP status (503), or reset (no answer at all)
    #[arg(long, value_name = "CODE", default_value = "UNAVAILABLE")]
    pub fail_code: FailWith,

    /// When failing begins [default: at once]
    #[arg(long, value_name = "DURATION", value_parser = argument::duration)]
    pub fail_at: Option<Duration>,

    /// How long failing lasts [default: for good]
    #[arg(long, value_name = "DURATION", value_parser = argument::duration)]
    pub fail_for: Option<Duration>,

    /// Delay to ask for in failures: RetryInfo or Retry-After
    #[arg(long, value_name = "DURATION", value_parser = argument::duration)]
    pub retry_after: Option<Duration>,

    /// Keep the items of requests that fail or hang, as a server does whose answer gets lost: the sender's retry is a duplicate
    #[arg(long)]
    pub store_then_fail: bool,

    /// How long every answer takes
    #[arg(long, value_name = "DURATION", value_parser = argument::duration)]
    pub delay: Option<Duration>,

    /// Never answer
    #[arg(long)]
    pub hang: bool,

    /// When hanging begins; implies --hang
    #[arg(long, value_name = "DURATION", value_parser = argument::duration)]
    pub hang_at: Option<Duration>,

    /// How long new requests hang; those that hung stay without an answer; implies --hang
    #[arg(long, value_name = "DURATION", value_parser = argument::duration)]
    pub hang_for: Option<Duration>,

    /// When to close the listeners and reset every connection
    #[arg(long, value_name = "DURATION", value_parser = argument::duration)]
    pub down_at: Option<Duration>,

    /// How long to stay down before listening again [default: for good]
    #[arg(long, value_name = "DURATION", value_parser = argument::duration)]
    pub down_for: Option<Duration>,

    /// What the times above are counted from
    #[arg(long, value_enum, default_value_t)]
    pub faults_from: FaultClock,

    /// Seed of the choice of requests that fail
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// End after this time [default: until stopped]
    #[arg(long, value_name = "SECONDS", value_parser = argument::positive)]
    pub seconds: Option<f64>,

    /// Take commands from standard input: a line `report` prints {"progress": ...}, its end ends the sink
    #[arg(long)]
    pub stdin: bool,

    /// Print {"listening": ...} as the first line of standard output and the result as the last, each one JSON object
    #[arg(long)]
    pub json: bool,

    /// No live line on standard error
    #[arg(long)]
    pub quiet: bool,
}

impl Default for SinkArgs {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:4317".to_owned(),
            listen_http: None,
            fail_share: 0.0,
            fail_code: FailWith::default(),
            fail_at: None,
            fail_for: None,
            retry_after: None,
            store_then_fail: false,
            delay: None,
            hang: false,
            hang_at: None,
            hang_for: None,
            down_at: None,
            down_for: None,
            faults_from: FaultClock::default(),
            seed: 1,
            seconds: None,
            stdin: false,
            json: false,
            quiet: false,
        }
    }
}

impl SinkArgs {
    /// Checks what the parser of single options cannot.
    pub(crate) fn check(&self) -> Result<(), SinkError> {
        if self.down_for.is_some() && self.down_at.is_none() {
            return Err(SinkError::Setting("--down-for needs --down-at"));
        }
        if self.fail_share == 0.0 && (self.fail_at.is_some() || self.fail_for.is_some()) {
            return Err(SinkError::Setting("--fail-at and --fail-for need --fail-share"));
        }
        Ok(())
    }
}
