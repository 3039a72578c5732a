//! `aqueduct-sampling`: what a decision costs, and whether shares and rates are what was asked for.

mod decisions;
pub mod operations;
mod rates;
mod tail;

use aqueduct_sampling::{ItemFacts, Kind, Parent, TraceFacts};

use crate::Failure;
use crate::harness::{Declared, Run, Suite};

const SDK: &str = "opentelemetry_sdk's TraceIdRatioBased";
const SCAN: &str = "a Vec of substrings";
const FORMAT: &str = "split, filter, format!";

/// Decisions, trace states, loads that step.
pub(super) const SUITE: Suite = Suite {
    name: "sampling",
    about: "A head decision is `Composite` over `ProbabilitySampler` at a share of 0.1, on roots with random ids and each result made opaque to the compiler; \
            the peer decides the same share with the SDK's sampler on the same ids. `behind dyn` is the same through a trait object. Rules are ten globs of which the \
            last one applies; the peer looks for ten substrings, as one would write it in place. `th` is written into a text that has room. The rate \
            sampler's rows are a simulation with the time by hand: traces arrive evenly, ten times as many from one moment on, then a tenth again; \
            with traces of 100 spans these take a second. The error is that of the probability for what is offered, after 5 s; the swing is the largest \
            deviation, the steady error the mean one, of the 20 s from then on. \
            The tail sampler's traces have 20 spans, a thousand are open at a time, one in a hundred has an error; a span is a reference-counted buffer that counts \
            as 400 bytes, and its figure has everything in it: making it, offering it, its share of the decision, dropping it. The peer is what one would write in \
            place, a `HashMap` from trace id to a vector and a queue of roots; it has no bounds, no time-out and no memory of what it decided. `ten policies` has \
            one of most kinds, with two attributes to look up; under pressure there is room for a quarter of what is open; a late span's trace is in the decision cache.",
    rows: &[
        Declared::lower("head decision", "ns").against(SDK).bar("ratio<=0.25"),
        Declared::lower("head decision, absolutely", "ns").bar("ours<=2"),
        Declared::lower("head decision, behind dyn", "ns").against(SDK),
        Declared::lower("TraceIdRatio, bit for bit as the SDK", "ns").against(SDK).bar("ratio<=0.25"),
        Declared::lower("child by its parent's th", "ns"),
        Declared::lower("rule sampler, the last of 10 rules", "ns").against(SCAN),
        Declared::lower("rate sampler: root", "ns"),
        Declared::lower("rate sampler: root, floors for operations", "ns"),
        Declared::lower("rate sampler: root, on two threads", "ns"),
        Declared::lower("rate sampler: tick", "ns"),
        Declared::lower("th: into an empty value", "ns").bar("ours<=60"),
        Declared::lower("th: into rv and another field", "ns").against(FORMAT).bar("ours<=60"),
        Declared::lower("downstream: span with th and rv", "ns"),
        Declared::lower("share of 1e6 ids, worst of 0.5, 0.1, 0.01, 1e-4", "sigma").bar("ours<=3"),
        Declared::lower("rate, 10x steps: error after 5 s", "%").bar("ours<=10"),
        Declared::lower("rate, 10x steps: steady error", "%").bar("ours<=2"),
        Declared::lower("rate, 10x steps: swing", "%").bar("ours<=5"),
        Declared::lower("rate, 10x steps, 100 spans a trace: error after 5 s", "%").bar("ours<=10"),
        Declared::lower("rate, 10x steps, 100 spans a trace: steady error", "%").bar("ours<=2"),
        Declared::lower("rate, 10x steps, 100 spans a trace: swing", "%").bar("ours<=5"),
        Declared::lower("tail: errors kept", "ns/span").against(tail::PEER).bar("ours<=1000"),
        Declared::lower("tail: ten policies", "ns/span").bar("ours<=1000"),
        Declared::lower("tail: under pressure", "ns/span").bar("ours<=1000"),
        Declared::lower("tail: late spans", "ns/span").bar("ours<=1000"),
        Declared::lower("tail: traces of one span", "ns/span").bar("ours<=1000"),
    ],
    measure,
};

fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    decisions::measure(run)?;
    rates::measure(run)?;
    tail::measure(run)
}

/// A span that is about to begin.
#[derive(Clone, Copy, Debug)]
struct Span<'a> {
    id: [u8; 16],
    name: &'a str,
    ot: &'a str,
    parent: Option<Parent>,
}

impl Span<'_> {
    const fn root(id: [u8; 16]) -> Self {
        Span { id, name: "GET /users", ot: "", parent: None }
    }
}

impl ItemFacts for Span<'_> {
    fn trace_id(&self) -> [u8; 16] {
        self.id
    }

    fn ot(&self) -> &str {
        self.ot
    }

    fn name(&self) -> &str {
        self.name
    }

    fn kind(&self) -> Kind {
        Kind::Server
    }
}

impl TraceFacts for Span<'_> {
    fn parent(&self) -> Option<Parent> {
        self.parent
    }
}
