//! `aqueduct-opentelemetry`: what telemetry costs an application that has the SDK in front, with our processors behind it and with the SDK's.

mod begin;
mod delivery;
mod processors;
mod values;

use crate::Failure;
use crate::harness::{Declared, Effort, Run, Suite};
use crate::process::Profile;
use crate::sdk::Theatre;

const SPANS: &str = "BatchSpanProcessor";
const RECORDS: &str = "BatchLogProcessor";
const OTLP: &str = "opentelemetry-otlp 0.33";
const SDK: &str = "opentelemetry_sdk 0.33";

/// Processors, delivery, and what a span meets before it ends.
pub(super) const SUITE: Suite = Suite {
    name: "opentelemetry",
    about: "Both sides have the SDK's tracer and logger in front, which make every item; `no processor` is what that takes alone. A span is a root of four attributes: two constants, \
            an owned text of 38 bytes, an integer; a log record has the same and a body. Each measurement is a process of its own with the system's allocator. \
            `process CPU` and `bursts`: 1,000 items on each thread, then a flush, so that no queue overflows, into an exporter that counts and drops. The CPU is that of the whole \
            process, flushes included; the application thread's time is that of making the items, by the clock on the wall, without the flush. `contention`: 150,000 spans on each \
            thread at once, and both sides have room for all of them. A run in which one item is not exported fails. \
            `gRPC`: one thread ends spans and a sink in another process counts them; both sides have their defaults, and the CPU is that of the application until its shutdown has ended. \
            At 200,000 a second spans come by the clock, every millisecond. `flat out` is a thread that does nothing else: ours waits for room, the SDK's drops what finds none; the rate is what \
            the sink has, by the time until the shutdown has ended. Sink, application and the processor's thread share two cores. \
            All else are calls of a few nanoseconds in one process with mimalloc. The limiter's peer is a `HashSet` of the values behind a mutex, which limits nothing; `local tail` decides \
            traces of ten spans, of which it keeps one in a hundred, and its figure has the making of the `SpanData` in it, which the peer makes and drops.",
    rows: &[
        Declared::lower("spans, no processor: process CPU", "CPU ns/span"),
        Declared::lower("spans: process CPU", "CPU ns/span").against(SPANS).bar("ratio<=0.6"),
        Declared::lower("spans, bursts on 1 thread: application thread", "ns/span")
            .against(SPANS)
            .bar("ratio<=1"),
        Declared::lower("spans, no processor, bursts on 2 threads: application thread", "ns/span"),
        Declared::lower("spans, bursts on 2 threads: application thread", "ns/span")
            .against(SPANS)
            .bar("ratio<=1"),
        Declared::lower("spans, contention of 2 threads: application thread", "ns/span")
            .against(SPANS)
            .bar("ratio<=0.8"),
        Declared::lower("spans, contention of 2 threads: process CPU", "CPU ns/span").against(SPANS),
        Declared::lower("logs, no processor: process CPU", "CPU ns/record"),
        Declared::lower("logs: process CPU", "CPU ns/record").against(RECORDS).bar("ratio<=0.5"),
        Declared::lower("logs, bursts on 1 thread: application thread", "ns/record").against(RECORDS),
        Declared::lower("200,000 spans/s, no processor: CPU", "CPU-s/million spans"),
        Declared::lower("gRPC, 200,000 spans/s: CPU", "CPU-s/million spans").against(OTLP).bar("ratio<=0.35"),
        Declared::lower("gRPC, 200,000 spans/s: spans lost", "%").against(OTLP),
        Declared::lower("gRPC, 200,000 spans/s: peak RSS", "MiB").against(OTLP).bar("ours<=16"),
        Declared::higher("gRPC, flat out: spans received", "spans/s").against(OTLP).bar("ratio>=4"),
        Declared::lower("gRPC, flat out: spans lost", "%").against(OTLP).bar("ours<=0"),
        Declared::lower("gRPC, flat out: peak RSS", "MiB").against(OTLP),
        Declared::lower("begin: ids of a root", "ns").against(SDK),
        Declared::lower("begin: parent-based ratio of 0.1, root", "ns").against(SDK),
        Declared::lower("begin: rate sampler, root", "ns"),
        Declared::lower("begin: extract", "ns").against(SDK),
        Declared::lower("begin: inject", "ns").against(SDK),
        Declared::lower("values: limiter, admitted", "ns").against("HashSet behind a mutex"),
        Declared::lower("values: limiter, overflows", "ns").against("HashSet behind a mutex"),
        Declared::lower("values: attribute pool, hit", "ns").against("String::clone"),
        Declared::lower("values: span factory, 8 shared texts", "ns").against("clones of the attributes"),
        Declared::lower("local tail, 1 % kept", "ns/span").against("made and dropped"),
    ],
    measure,
};

fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    let tiny = run.effort() == Effort::Tiny;
    if ["spans", "logs", "200,000", "gRPC"].iter().any(|group| run.wants_group(group)) {
        let theatre = Theatre::prepare(if tiny { Profile::Dev } else { Profile::Release })?;
        processors::measure(run, &theatre)?;
        delivery::measure(run, &theatre)?;
    }
    begin::measure(run)?;
    values::measure(run)
}
