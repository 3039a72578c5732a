//! The spans that applications end, in traces of eight.

use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aqueduct_wire::encode::{AttributeSink, ChunkBuilder, ResourcePrefix, ScopePrefix, SpanSource, ValueRef};
use aqueduct_wire::{Chunk, Signal};
use opentelemetry::KeyValue;

use super::ids::{Random, span_id};
use super::job::Content;

/// What every span is called.
pub(super) const NAME: &str = "GET /api/v1/customers/orders/{id}";
/// Spans of a trace, the first of which is the parent of the others.
const TRACE: u64 = 8;
/// The keys under which random values stand.
const KEYS: [&str; 4] = ["session.id", "request.id", "order.token", "user.hash"];
/// Who calls.
const AGENTS: [&str; 3] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "okhttp/5.3.0 shop-android/12.4 (Pixel 9; Android 16; build 4711)",
    "Go-http-client/2.0 (checkout-worker; linux/amd64; go1.25.3)",
];
const HEX: &[u8; 16] = b"0123456789abcdef";

/// The span that ends now; made anew for each by [`Sample::turn`], in the same memory.
#[derive(Debug)]
pub(super) struct Sample {
    content: Content,
    random: Random,
    producer: u16,
    sequence: u64,
    trace_id: [u8; 16],
    start: u64,
    end: u64,
    /// Of plain and wide spans.
    path: String,
    /// Of wide spans.
    user: String,
    client: String,
    /// Random ones, one after the other.
    values: Vec<u8>,
    /// The same as digits.
    digits: String,
}

impl Sample {
    pub(super) fn new(content: Content, producer: u16, seed: u64) -> Sample {
        Sample {
            content,
            random: Random::new(seed ^ u64::from(producer) << 32),
            producer,
            sequence: 0,
            trace_id: [0; 16],
            start: 0,
            end: 0,
            path: String::new(),
            user: String::new(),
            client: String::new(),
            values: Vec::new(),
            digits: String::new(),
        }
    }

    /// Makes it the span of this number.
    pub(super) fn turn(&mut self, sequence: u64) {
        self.sequence = sequence;
        if sequence.is_multiple_of(TRACE) {
            let (high, low) = (u128::from(self.random.draw()), u128::from(self.random.draw()));
            self.trace_id = (high << 64 | low).to_be_bytes();
        }
        // A clock before 1970 is no reason not to measure.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.end = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        self.start = self.end - (50_000 + self.random.draw() % 5_000_000);
        match self.content {
            Content::Plain => put(&mut self.path, format_args!("{}", Path(sequence))),
            Content::Wide => {
                let [a, b, c, d, ..] = self.random.draw().to_le_bytes();
                put(&mut self.path, format_args!("{}", Path(sequence)));
                put(&mut self.user, format_args!("user-{:06}", self.random.draw() % 1_000_000));
                put(&mut self.client, format_args!("{a}.{b}.{c}.{d}"));
            }
            Content::Raw(len) => self.draw(len),
            Content::Hex(len) => {
                self.draw(len / 2);
                self.digits.clear();
                let digit = |nibble: u8| char::from(HEX[usize::from(nibble & 15)]);
                self.digits.extend(self.values.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]));
            }
        }
    }

    /// Whether it is the first of its trace.
    pub(super) fn is_first(&self) -> bool {
        self.sequence.is_multiple_of(TRACE)
    }

    pub(super) fn start_time(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_nanos(self.start)
    }

    /// Its attributes as the SDK has them. `None` if it has no such values.
    pub(super) fn key_values(&self) -> Option<Vec<KeyValue>> {
        match self.content {
            Content::Plain => Some(vec![
                KeyValue::new("http.request.method", "GET"),
                KeyValue::new("http.route", "/api/v1/customers/orders/{id}"),
                KeyValue::new("url.path", self.path.clone()),
                KeyValue::new("http.response.status_code", 200),
            ]),
            Content::Hex(len) => {
                let keys = KEYS.into_iter().enumerate();
                Some(
                    keys.map(|(place, key)| KeyValue::new(key, self.digits(place, len).to_owned())).collect(),
                )
            }
            Content::Wide | Content::Raw(_) => None,
        }
    }

    /// The value of a key's place, of so many digits.
    fn digits(&self, place: usize, len: usize) -> &str {
        let len = len / 2 * 2;
        self.digits.get(place * len..(place + 1) * len).unwrap_or_default()
    }

    fn draw(&mut self, len: usize) {
        self.values.clear();
        while self.values.len() < len * KEYS.len() {
            self.values.extend(self.random.draw().to_le_bytes());
        }
        self.values.truncate(len * KEYS.len());
    }
}

/// Says it anew in the same memory.
fn put(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.clear();
    // Writing to a string cannot fail.
    let _ = text.write_fmt(what);
}

/// The text of 38 bytes that a plain span has.
struct Path(u64);

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "/api/v1/customers/orders/{:013}", self.0)
    }
}

impl SpanSource for Sample {
    fn trace_id(&self) -> [u8; 16] {
        self.trace_id
    }

    fn span_id(&self) -> [u8; 8] {
        span_id(self.producer, self.sequence)
    }

    fn parent_span_id(&self) -> Option<[u8; 8]> {
        let place = self.sequence % TRACE;
        (place > 0).then(|| span_id(self.producer, self.sequence - place))
    }

    fn name(&self) -> &str {
        NAME
    }

    fn kind(&self) -> i32 {
        2
    }

    fn start_time_unix_nano(&self) -> u64 {
        self.start
    }

    fn end_time_unix_nano(&self) -> u64 {
        self.end
    }

    fn attributes(&self, out: &mut AttributeSink<'_>) {
        match self.content {
            Content::Plain => {
                out.push("http.request.method", ValueRef::Str("GET"));
                out.push("http.route", ValueRef::Str("/api/v1/customers/orders/{id}"));
                out.push("url.path", ValueRef::Str(&self.path));
                out.push("http.response.status_code", ValueRef::Int(200));
            }
            Content::Wide => {
                out.push("http.request.method", ValueRef::Str("GET"));
                out.push("http.route", ValueRef::Str("/api/v1/customers/orders/{id}"));
                out.push("url.path", ValueRef::Str(&self.path));
                out.push("http.response.status_code", ValueRef::Int(200 + (self.sequence % 5) as i64));
                out.push("server.address", ValueRef::Str("orders.internal.example.com"));
                out.push("server.port", ValueRef::Int(8443));
                out.push("user_agent.original", ValueRef::Str(AGENTS[(self.sequence % 3) as usize]));
                out.push("user.id", ValueRef::Str(&self.user));
                out.push("client.address", ValueRef::Str(&self.client));
                out.push("db.rows", ValueRef::Int((self.start % 1000) as i64));
            }
            Content::Raw(len) => {
                for (key, value) in KEYS.iter().zip(self.values.chunks_exact(len.max(1))) {
                    out.push(key, ValueRef::Bytes(value));
                }
            }
            Content::Hex(len) => {
                for (place, key) in KEYS.iter().enumerate() {
                    out.push(key, ValueRef::Str(self.digits(place, len)));
                }
            }
        }
    }
}

/// What an application says of itself.
pub(super) fn resource() -> ResourcePrefix {
    ResourcePrefix::new(|out| {
        out.push("service.name", ValueRef::Str("checkout"));
        out.push("service.version", ValueRef::Str("1.42.0"));
        out.push("telemetry.sdk.language", ValueRef::Str("rust"));
    })
}

/// Whose spans they are.
pub(super) fn scope() -> ScopePrefix {
    ScopePrefix::new("http-server", "0.3.1")
}

/// So many chunks of at least so many bytes each, encoded beforehand, with spans of producer 1 one after the other.
#[must_use]
pub fn chunks(content: Content, bytes: usize, count: usize, seed: u64) -> Vec<Chunk> {
    let mut builder = ChunkBuilder::new(Signal::Traces, resource()).with_capacity(bytes + 4096);
    let (scope, mut sample, mut sequence) = (scope(), Sample::new(content, 1, seed), 0);
    let chunk = |_| {
        while !builder.is_full(bytes) {
            sample.turn(sequence);
            builder.push_span(&scope, &sample);
            sequence += 1;
        }
        builder.seal()
    };
    (0..count).map(chunk).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::{Uniques, origin};
    use aqueduct_wire::{Limits, validate};

    /// Guards what the rows claim of the spans: valid, told apart by identity, and of the size and randomness in their name.
    #[test]
    fn spans_are_what_their_rows_say() {
        for (content, size, random) in [
            (Content::Plain, 200..260, 0.0),
            (Content::Raw(16), 190..240, 64.0),
            (Content::Hex(24), 220..280, 48.0),
            (Content::Hex(64), 380..440, 128.0),
            (Content::Raw(64), 380..440, 256.0),
            (Content::Wide, 480..520, 0.0),
        ] {
            let [_, chunk] = chunks(content, 300_000, 2, 1).try_into().unwrap();
            let spans = chunk.items();
            assert_eq!(validate(Signal::Traces, chunk.bytes(), &Limits::default()).unwrap().items, spans);
            let each = chunk.len() / spans as usize;
            assert!(size.contains(&each), "{content:?}: {each} bytes a span");
            let packed = zstd::bulk::compress(chunk.bytes(), 1).unwrap().len() as f64 / spans as f64;
            assert!(packed > random + 8.0, "{content:?}: {packed} bytes a span, the id alone has 8");
            let mut uniques = Uniques::default();
            let traces = chunk.traces().unwrap();
            for scope in traces.resource_spans().flat_map(|resource| resource.scope_spans()) {
                for span in scope.spans() {
                    assert!(uniques.note(span.span_id()));
                    assert_eq!(origin(span.span_id().try_into().unwrap()).0, 1);
                    let attributes = if content == Content::Wide { 10 } else { 4 };
                    assert_eq!(span.attributes().iter().count(), attributes);
                }
            }
            assert_eq!(uniques.unique, spans);
        }
    }

    /// Guards the comparison of rows with the SDK and without: the spans of both have the same attributes.
    #[test]
    fn spans_of_the_sdk_are_the_same() {
        for content in [Content::Plain, Content::Hex(24)] {
            let [chunk] = chunks(content, 1, 1, 7).try_into().unwrap();
            let traces = chunk.traces().unwrap();
            let mut scopes = traces.resource_spans().flat_map(|resource| resource.scope_spans());
            let encoded = scopes.next().unwrap().spans().next().unwrap();
            let mut sample = Sample::new(content, 1, 7);
            sample.turn(0);
            let attributes = sample.key_values().unwrap();
            assert_eq!(encoded.attributes().iter().count(), attributes.len());
            for attribute in attributes {
                let value = encoded.attributes().find(attribute.key.as_str()).unwrap();
                let number = value.as_int().map(|number| number.to_string());
                let value = value.as_str().map(str::to_owned).or(number).unwrap();
                assert_eq!(value, attribute.value.as_str(), "{content:?}: {}", attribute.key);
            }
        }
        assert!(Sample::new(Content::Raw(16), 1, 7).key_values().is_none());
    }
}
