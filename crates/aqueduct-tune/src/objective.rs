//! What good means, as one number, and what is plainly bad.

use std::fmt;
use std::time::Duration;

use crate::Snapshot;
use crate::snapshot::sane;

/// What good means.
///
/// The score goes from 0 to 100. It is the share of the wanted items that was delivered, lessened by factors for loss, latency, CPU time and bytes sent. Each of the last three is
/// `1 / (1 + weight * figure / reference)`: half of the reference is always better than all of it, and nothing has a cliff.
/// All figures are shares, or are divided by the items delivered, so that twice the load alone changes the score little.
///
/// ```
/// use std::time::Duration;
/// use aqueduct_tune::{Objective, Snapshot};
///
/// let mut snapshot = Snapshot::default();
/// snapshot.window = Duration::from_secs(1);
/// (snapshot.offered_items, snapshot.delivered_items) = (10_000, 500);
/// let objective = Objective::default();
/// assert!((objective.score(&snapshot) - 5.0).abs() < 1e-9);
/// let verdict = objective.verdicts(&snapshot).next().expect("500 a second are few");
/// assert_eq!(verdict.to_string(), "LowThroughput: 500 items/s delivered of 10000 offered, below 1000");
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Objective {
    /// Items a second below which the throughput is low, if more than these are offered. Default 1,000.
    pub throughput_floor: f64,
    /// The 99th percentile of the requests' duration above which latency is high, and the reference of the score. Default 100 ms.
    pub latency_target: Duration,
    /// The share of successful requests below which it is low. Default 0.95.
    pub success_floor: f64,
    /// How much an item counts that was lost, beside not being delivered. Default 1.
    pub loss_weight: f64,
    /// How much latency counts. Default 0.25: at the target a fifth is lost.
    pub latency_weight: f64,
    /// How much CPU time counts. Default 0.15.
    pub cpu_weight: f64,
    /// The reference of CPU time for each item. Default 5 us.
    pub cpu_reference: Duration,
    /// How much bytes sent count. Default 0.05.
    pub network_weight: f64,
    /// The reference of bytes sent for each item. Default 256.
    pub network_reference: f64,
}

impl Default for Objective {
    fn default() -> Self {
        Self {
            throughput_floor: 1_000.0,
            latency_target: Duration::from_millis(100),
            success_floor: 0.95,
            loss_weight: 1.0,
            latency_weight: 0.25,
            cpu_weight: 0.15,
            cpu_reference: Duration::from_micros(5),
            network_weight: 0.05,
            network_reference: 256.0,
        }
    }
}

impl Objective {
    /// How good a window was, from 0 to 100. A window in which nothing was wanted scores 100 less the price of its latency.
    #[must_use]
    pub fn score(&self, snapshot: &Snapshot) -> f64 {
        let wanted = snapshot.wanted_items() as f64;
        let share = |items: u64| if wanted > 0.0 { (items as f64 / wanted).min(1.0) } else { 0.0 };
        let goodput = if wanted > 0.0 { share(snapshot.delivered_items) } else { 1.0 };
        let loss = (1.0 - share(snapshot.lost_items())).powf(sane(self.loss_weight));
        let latency = snapshot.latency_p99().map_or(0.0, |latency| latency.as_secs_f64());
        let cpu = snapshot.cpu_ns_per_item().unwrap_or(0.0);
        let sent = match snapshot.delivered_items {
            0 => 0.0,
            items => snapshot.bytes_sent as f64 / items as f64,
        };
        let score = 100.0
            * goodput
            * loss
            * price(latency, self.latency_target.as_secs_f64(), self.latency_weight)
            * price(cpu, self.cpu_reference.as_nanos() as f64, self.cpu_weight)
            * price(sent, self.network_reference, self.network_weight);
        sane(score).min(100.0)
    }

    /// What is plainly bad about a window.
    pub fn verdicts(&self, snapshot: &Snapshot) -> impl Iterator<Item = Verdict> + use<> {
        let (offered, delivered) = (snapshot.wanted_rate(), snapshot.delivered_rate());
        let floor = self.throughput_floor;
        let low = delivered < floor && offered > floor;
        let throughput = low.then_some(Verdict::LowThroughput { delivered, offered, floor });
        let target = self.latency_target;
        let slow = snapshot.export_p99.filter(|p99| *p99 > target);
        let latency = slow.map(|p99| Verdict::HighLatency { p99, target });
        let floor = self.success_floor;
        let success = snapshot.success_rate().filter(|rate| *rate < floor);
        let success = success.map(|rate| Verdict::LowSuccessRate { rate, floor });
        [throughput, latency, success].into_iter().flatten()
    }
}

/// 1 for nothing, less for more, never 0.
fn price(figure: f64, reference: f64, weight: f64) -> f64 {
    if reference > 0.0 && reference.is_finite() {
        1.0 / (1.0 + sane(weight) * sane(figure) / reference).min(f64::MAX)
    } else {
        1.0
    }
}

/// Something that is plainly bad.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
#[doc(alias = "LowThroughput")]
#[doc(alias = "HighLatency")]
#[doc(alias = "LowSuccessRate")]
pub enum Verdict {
    /// Few items are delivered although more are offered.
    LowThroughput {
        /// Items a second that were delivered.
        delivered: f64,
        /// Items a second that were offered.
        offered: f64,
        /// Items a second that are few.
        floor: f64,
    },
    /// Requests take long.
    HighLatency {
        /// The 99th percentile.
        p99: Duration,
        /// What it should not exceed.
        target: Duration,
    },
    /// Many requests fail.
    LowSuccessRate {
        /// The share that succeeded.
        rate: f64,
        /// What it should be at least.
        floor: f64,
    },
}

impl Verdict {
    /// The verdict's name.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Verdict::LowThroughput { .. } => "LowThroughput",
            Verdict::HighLatency { .. } => "HighLatency",
            Verdict::LowSuccessRate { .. } => "LowSuccessRate",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.as_str())?;
        match self {
            Verdict::LowThroughput { delivered, offered, floor } => {
                write!(f, "{delivered:.0} items/s delivered of {offered:.0} offered, below {floor:.0}")
            }
            Verdict::HighLatency { p99, target } => write!(f, "P99 {p99:.1?}, above {target:?}"),
            Verdict::LowSuccessRate { rate, floor } => {
                write!(f, "{:.1} % of requests succeed, below {:.0} %", rate * 100.0, floor * 100.0)
            }
        }
    }
}
