//! What the generated telemetry says: a shop's checkout service, as a user's trace would show it.

use crate::ids::ItemId;
use aqueduct::wire::encode::{
    AttributeSink, DataSink, LogSource, MetricSource, Number, NumberPointSource, PointSource, ResourcePrefix,
    ScopePrefix, SpanSource, StatusRef, ValueRef, ValueSink,
};
use std::cell::Cell;

/// A small generator of numbers, so that items differ the way real ones do and compress like them.
///
/// It is shared by the items, which are asked what they say when they are written.
#[derive(Debug)]
pub(super) struct Variety(Cell<u64>);

impl Variety {
    pub(super) fn new(seed: u64) -> Self {
        Self(Cell::new(seed))
    }

    /// SplitMix64 (Steele, Lea, Flood 2014), reduced to `0..bound`.
    fn below(&self, bound: u64) -> u64 {
        let mut mixed = self.0.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.0.set(mixed);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn pick<'a>(&self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len() as u64) as usize]
    }
}

/// The eight resource attributes that the OpenTelemetry SDKs and the Kubernetes attribute processor set.
pub(super) fn resource(producer: u32) -> ResourcePrefix {
    ResourcePrefix::new(|out| {
        out.push("service.name", ValueRef::Str("checkout"));
        out.push("service.version", ValueRef::Str("2.14.3"));
        out.push("service.instance.id", ValueRef::Str(&format!("checkout-{producer:08x}")));
        out.push("deployment.environment.name", ValueRef::Str("production"));
        out.push("telemetry.sdk.language", ValueRef::Str("rust"));
        out.push("telemetry.sdk.version", ValueRef::Str("0.33.1"));
        out.push("k8s.pod.name", ValueRef::Str("checkout-deployment-7c9f8d6b5-x2x9q"));
        out.push("process.pid", ValueRef::Int(4242));
    })
}

/// The instrumentation library.
pub(super) fn scope() -> ScopePrefix {
    ScopePrefix::new("com.example.shop.checkout.http", "1.8.0")
}

/// `count` attributes of mixed kinds: the first ten are those of an HTTP server span, further ones the application's own.
fn attributes(out: &mut AttributeSink<'_>, count: usize, variety: &Variety) {
    for index in 0..count {
        match index {
            0 => out.push("http.request.method", ValueRef::Str(variety.pick(&["GET", "POST", "PUT"]))),
            1 => {
                let status = [200, 201, 204, 404][variety.below(4) as usize];
                out.push("http.response.status_code", ValueRef::Int(status));
            }
            2 => {
                let path = format!("/api/v1/customers/orders/{:06}/items", variety.below(1_000_000));
                out.push("url.path", ValueRef::Str(&path));
            }
            3 => {
                let address = format!("10.24.{}.{}", variety.below(4), variety.below(250));
                out.push("server.address", ValueRef::Str(&address));
            }
            4 => out.push("server.port", ValueRef::Int(8080)),
            5 => out.push("db.query.summary", ValueRef::Str("SELECT orders JOIN order_items")),
            6 => out.push("app.cache.hit", ValueRef::Bool(variety.below(2) == 1)),
            7 => out.push("app.cart.total", ValueRef::Double(variety.below(100_000) as f64 / 100.0)),
            8 => {
                let customer = format!("customer-{:07}", variety.below(10_000_000));
                out.push("enduser.pseudo.id", ValueRef::Str(&customer));
            }
            9 => out.push("messaging.retry.count", ValueRef::Int(variety.below(3) as i64)),
            _ => {
                let key = format!("app.attribute.{index:03}");
                match index % 4 {
                    0 => {
                        let value = format!("value-{:08x}", variety.below(1 << 32));
                        out.push(&key, ValueRef::Str(&value));
                    }
                    1 => out.push(&key, ValueRef::Int(variety.below(1 << 40) as i64)),
                    2 => out.push(&key, ValueRef::Bool(variety.below(2) == 1)),
                    _ => out.push(&key, ValueRef::Double(variety.below(1 << 30) as f64 / 1024.0)),
                }
            }
        }
    }
}

/// A time of 19 digits for when an item began: every use of it is patched before sending.
pub(super) const BEGUN: u64 = 1_700_000_000_000_000_000;
/// Another one, for when it ended or was observed, so that the two can be told apart in the encoded item.
pub(super) const ENDED: u64 = 1_700_000_001_000_000_000;

/// A span or a log record.
#[derive(Debug)]
pub(super) struct Item<'a> {
    pub(super) id: ItemId,
    /// How many attributes it has.
    pub(super) attributes: usize,
    pub(super) variety: &'a Variety,
}

impl SpanSource for Item<'_> {
    fn trace_id(&self) -> [u8; 16] {
        self.id.to_trace_id()
    }

    fn span_id(&self) -> [u8; 8] {
        self.id.span_id()
    }

    fn name(&self) -> &str {
        let names = ["GET /api/v1/orders/{id}/items", "POST /api/v1/orders", "SELECT orders", "charge card"];
        self.variety.pick(&names)
    }

    fn kind(&self) -> i32 {
        2 // SPAN_KIND_SERVER
    }

    fn start_time_unix_nano(&self) -> u64 {
        BEGUN
    }

    fn end_time_unix_nano(&self) -> u64 {
        ENDED
    }

    fn attributes(&self, out: &mut AttributeSink<'_>) {
        attributes(out, self.attributes, self.variety);
    }

    fn status(&self) -> Option<StatusRef<'_>> {
        Some(StatusRef { code: 1, message: "" }) // STATUS_CODE_OK
    }

    fn flags(&self) -> u32 {
        0x0000_0101 // sampled, parent is known to be local
    }
}

impl LogSource for Item<'_> {
    fn time_unix_nano(&self) -> u64 {
        BEGUN
    }

    fn observed_time_unix_nano(&self) -> u64 {
        ENDED
    }

    fn severity_number(&self) -> i32 {
        9 // SEVERITY_NUMBER_INFO
    }

    fn severity_text(&self) -> &str {
        "INFO"
    }

    /// A line of the usual length.
    fn body(&self, out: ValueSink<'_>) {
        let line = format!(
            "order {:06} priced in {} ms, {} lines, charged to card ending {:04}",
            self.variety.below(1_000_000),
            self.variety.below(900),
            self.variety.below(12),
            self.variety.below(10_000)
        );
        out.put(ValueRef::Str(&line));
    }

    fn attributes(&self, out: &mut AttributeSink<'_>) {
        attributes(out, self.attributes, self.variety);
    }

    fn flags(&self) -> u32 {
        1
    }

    fn trace_id(&self) -> Option<[u8; 16]> {
        Some(self.id.to_trace_id())
    }

    fn span_id(&self) -> Option<[u8; 8]> {
        Some(self.id.span_id())
    }
}

/// A counter with some of its series.
#[derive(Debug)]
pub(super) struct Counter<'a> {
    pub(super) name: &'a str,
    /// The identity of the first point; the others follow it.
    pub(super) first: ItemId,
    pub(super) points: u64,
    /// How many attributes each point has.
    pub(super) attributes: usize,
    pub(super) variety: &'a Variety,
}

impl MetricSource for Counter<'_> {
    fn name(&self) -> &str {
        self.name
    }

    fn description(&self) -> &str {
        "Orders priced, by outcome"
    }

    fn unit(&self) -> &str {
        "{order}"
    }

    fn data(&self, out: DataSink<'_>) {
        // AGGREGATION_TEMPORALITY_CUMULATIVE
        out.sum(2, true, |points| {
            for sequence in self.first.sequence..self.first.sequence + self.points {
                let (begun, value) = ItemId { sequence, ..self.first }.to_point();
                points.push(&Point { begun, value, counter: self });
            }
        });
    }
}

/// A point of a counter.
struct Point<'a> {
    begun: u64,
    value: i64,
    counter: &'a Counter<'a>,
}

impl PointSource for Point<'_> {
    fn start_time_unix_nano(&self) -> u64 {
        self.begun
    }

    fn time_unix_nano(&self) -> u64 {
        BEGUN
    }

    fn attributes(&self, out: &mut AttributeSink<'_>) {
        attributes(out, self.counter.attributes, self.counter.variety);
    }
}

impl NumberPointSource for Point<'_> {
    fn value(&self) -> Option<Number> {
        Some(Number::Int(self.value))
    }
}
