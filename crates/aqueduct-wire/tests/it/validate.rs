//! The validator and the counter against prost, and against bytes that no encoder writes.

use crate::generate::Generator;
use crate::oracle::Request;
use aqueduct_wire::{InvalidKind, Limits, Signal, Summary, scan, validate};
use proptest::prelude::*;

/// As many cases as `PROPTEST_CASES` says, 256 by default; nothing is written to disk.
fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

fn signals() -> impl Strategy<Value = Signal> {
    prop::sample::select(&Signal::ALL[..])
}

/// Changes bytes the way broken peers and attackers do.
fn mutate(bytes: &mut Vec<u8>, generator: &mut Generator) {
    for _ in 0..=generator.below(3) {
        let len = bytes.len() as u64;
        let at = generator.below(len + 1) as usize;
        match generator.below(7) {
            0 => bytes.truncate(at),
            1 if at < bytes.len() => bytes[at] ^= 1 << generator.below(8),
            2 if at < bytes.len() => bytes[at] = generator.next() as u8,
            3 => bytes.insert(at, generator.next() as u8),
            4 if at < bytes.len() => drop(bytes.remove(at)),
            5 => {
                let end = at + generator.below(len - at as u64 + 1) as usize;
                let piece = bytes[at..end.min(at + 64)].to_vec();
                let to = generator.below(len + 1) as usize;
                bytes.splice(to..to, piece);
            }
            6 if at + 1 < bytes.len() => bytes.swap(at, at + 1),
            _ => {}
        }
    }
}

/// Ours against the oracle's: nothing that prost refuses passes, and what we refuse beyond it is one of the
/// documented rules.
fn compare(signal: Signal, bytes: &[u8]) -> Result<(), TestCaseError> {
    let ours = validate(signal, bytes, &Limits::DEFAULT);
    let theirs = Request::decode(signal, bytes);
    match (&ours, &theirs) {
        (Ok(summary), Ok(request)) => {
            prop_assert_eq!(*summary, request.summary());
            prop_assert_eq!(scan(signal, bytes), Ok(*summary));
            prop_assert!(request.ids_are_good());
        }
        (Err(_), Err(_)) => {}
        (Ok(_), Err(error)) => prop_assert!(false, "prost refuses what we accept: {error}"),
        (Err(error), Ok(_)) => {
            let stricter =
                [InvalidKind::IdLength, InvalidKind::MissingId, InvalidKind::Items, InvalidKind::Depth];
            prop_assert!(stricter.contains(&error.kind()), "{error}");
        }
    }
    if let Err(error) = ours {
        prop_assert!(error.offset() <= bytes.len());
    }
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    /// Every field of the protocol, as prost writes it, is accepted and counted.
    #[test]
    fn generated_requests_are_valid(signal in signals(), seed: u64) {
        let request = Request::generate(signal, seed);
        let bytes = request.encode();
        prop_assert_eq!(validate(signal, &bytes, &Limits::DEFAULT), Ok(request.summary()));
        prop_assert_eq!(scan(signal, &bytes), Ok(request.summary()));
    }

    /// Broken requests get the verdict that prost gives, or a documented stricter one.
    #[test]
    fn mutated_requests_get_the_verdict_of_prost(signal in signals(), seed: u64) {
        let valid = Request::generate(signal, seed).encode();
        let mut generator = Generator(seed);
        for _ in 0..20 {
            let mut bytes = valid.clone();
            mutate(&mut bytes, &mut generator);
            compare(signal, &bytes)?;
        }
    }

    /// Bytes that never were a request, with the keys of the outer levels so that the walk gets somewhere.
    #[test]
    fn garbage_gets_the_verdict_of_prost(signal in signals(), bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        compare(signal, &bytes)?;
        let mut nested = bytes;
        for key in [0x12, 0x12, 0x0a] {
            let mut outer = vec![key, nested.len() as u8];
            outer.extend_from_slice(&nested);
            nested = outer;
            compare(signal, &nested)?;
        }
    }

    /// The idea that everything rests on: the concatenation of two requests is their merge.
    #[test]
    fn concatenation_is_the_merge(signal in signals(), one: u64, two: u64) {
        let (one, two) = (Request::generate(signal, one), Request::generate(signal, two));
        let bytes = [one.encode(), two.encode()].concat();
        let (a, b) = (one.summary(), two.summary());
        let sum = Summary { records: a.records + b.records, items: a.items + b.items };
        prop_assert_eq!(validate(signal, &bytes, &Limits::DEFAULT), Ok(sum));
        let merged = match (one, two) {
            (Request::Traces(mut one), Request::Traces(two)) => {
                one.resource_spans.extend(two.resource_spans);
                Request::Traces(one)
            }
            (Request::Metrics(mut one), Request::Metrics(two)) => {
                one.resource_metrics.extend(two.resource_metrics);
                Request::Metrics(one)
            }
            (Request::Logs(mut one), Request::Logs(two)) => {
                one.resource_logs.extend(two.resource_logs);
                Request::Logs(one)
            }
            other => panic!("two signals: {other:?}"),
        };
        prop_assert_eq!(Request::decode(signal, &bytes).unwrap(), merged);
    }
}

/// Wraps `inner` as field `number` (below 16).
fn wrap(number: u8, inner: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut len = inner.len();
    while len >= 0x80 {
        bytes.push(len as u8 | 0x80);
        len >>= 7;
    }
    bytes.push(len as u8);
    bytes.extend_from_slice(inner);
    bytes
}

fn in_span(fields: &[u8]) -> Vec<u8> {
    let mut span = vec![0x0a, 16];
    span.extend_from_slice(&[7; 16]);
    span.extend_from_slice(&[0x12, 8, 7, 7, 7, 7, 7, 7, 7, 7]);
    span.extend_from_slice(fields);
    wrap(1, &wrap(2, &wrap(2, &span)))
}

fn verdict(bytes: &[u8]) -> Result<u64, InvalidKind> {
    compare(Signal::Traces, bytes).expect("the verdict of prost");
    validate(Signal::Traces, bytes, &Limits::DEFAULT)
        .map(|summary| summary.items)
        .map_err(|error| error.kind())
}

/// Each way of being wrong has its kind, its place and its path.
#[test]
fn errors_say_what_and_where() {
    let error = |fields: &[u8]| {
        let bytes = in_span(fields);
        validate(Signal::Traces, &bytes, &Limits::DEFAULT).unwrap_err().to_string()
    };
    let at = "resource_spans.scope_spans.spans";
    assert_eq!(error(&[0x2a, 2, 0xc3, 0x28]), format!("invalid UTF-8 at byte 36 in {at}.name"));
    assert_eq!(
        error(&[0x22, 3, 1, 2, 3]),
        format!("wrong length of an id at byte 36 in {at}.parent_span_id")
    );
    assert_eq!(error(&[0x0a, 0]), format!("wrong length of an id at byte 36 in {at}.trace_id"));
    assert_eq!(error(&[0x28, 1]), format!("wrong wire type at byte 34 in {at}.name"));
    assert_eq!(
        error(&[0x2a, 5, b'a']),
        format!("length beyond the end of its message at byte 35 in {at}.name")
    );
    assert_eq!(error(&[0x39, 1, 2]), format!("truncated value at byte 35 in {at}.start_time_unix_nano"));
    assert_eq!(error(&[0x30, 0x80]), format!("truncated value at byte 35 in {at}.kind"));
    assert_eq!(error(&[0x07]), format!("invalid field key at byte 34 in {at}"));
    assert_eq!(error(&[0xa3, 6, 0x9c, 6]), format!("unbalanced group at byte 36 in {at}.100"));
    let attribute = wrap(9, &[wrap(1, b"k"), wrap(2, &wrap(1, &[0xff]))].concat());
    assert_eq!(error(&attribute), format!("invalid UTF-8 at byte 43 in {at}.attributes.value.string_value"));
    let no_ids = wrap(1, &wrap(2, &wrap(2, &[0x2a, 1, b'n'])));
    let missing = validate(Signal::Traces, &no_ids, &Limits::DEFAULT).unwrap_err();
    assert_eq!(missing.to_string(), format!("missing trace id or span id at byte 6 in {at}"));
    assert_eq!((missing.kind(), missing.offset(), missing.path()), (InvalidKind::MissingId, 6, at));
}

/// Varints of ten bytes and more, in keys, values and lengths.
#[test]
fn long_varints() {
    let max = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    assert_eq!(verdict(&in_span(&[&[0x30][..], &max].concat())), Ok(1));
    let mut over = max;
    over[9] = 0x02;
    assert_eq!(verdict(&in_span(&[&[0x30][..], &over].concat())), Err(InvalidKind::Varint));
    assert_eq!(verdict(&in_span(&[&[0x30][..], &[0x80; 11]].concat())), Err(InvalidKind::Varint));
    // As a length: far beyond what usize arithmetic bears.
    assert_eq!(verdict(&in_span(&[&[0x2a][..], &max].concat())), Err(InvalidKind::Length));
    assert_eq!(verdict(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]), Err(InvalidKind::Length));
    // As a key: 32 bits are the most.
    assert_eq!(verdict(&in_span(&max)), Err(InvalidKind::Key));
    // A known key and a length, written in more bytes than they need.
    assert_eq!(verdict(&in_span(&[0xaa, 0x80, 0x00, 0x81, 0x00, b'n'])), Ok(1));
    assert_eq!(verdict(&in_span(&[0xaa, 0x80, 0x00, 0x81, 0x00, 0xff])), Err(InvalidKind::Utf8));
    let attribute = wrap(9, &[wrap(1, b"k"), wrap(2, &wrap(1, &[0xff]))].concat());
    let overlong = [&[0xca, 0x80, 0x00][..], &attribute[1..]].concat();
    assert_eq!(verdict(&in_span(&overlong)), Err(InvalidKind::Utf8));
    // Field 16 is the only one with a key of two bytes; field 17 does not exist, and is skipped.
    assert_eq!(verdict(&in_span(&[0x85, 0x01, 1, 2, 3, 4])), Ok(1));
    assert_eq!(verdict(&in_span(&[0x80, 0x01, 1])), Err(InvalidKind::WireType));
    assert_eq!(verdict(&in_span(&[0x8a, 0x01, 1, 0xff])), Ok(1));
}

/// Attributes of the usual shape whose text is not ASCII, broken at each place of a run.
#[test]
fn attributes_beyond_ascii() {
    let int = wrap(9, &[wrap(1, b"number"), wrap(2, &[0x18, 0xc8, 0x01])].concat());
    let text = |key: &[u8], value: &[u8]| wrap(9, &[wrap(1, key), wrap(2, &wrap(1, value))].concat());
    let good = text("schlüssel".as_bytes(), "wört".as_bytes());
    let runs = [
        [&good[..], &int, &good].concat(),
        [&int[..], &good, &int].concat(),
        [&good[..], &text(&[b'x'; 200], &[b'y'; 300]), &good].concat(),
    ];
    for run in &runs {
        assert_eq!(verdict(&in_span(run)), Ok(1));
        for bad in [text(b"k", &[0xc3]), text(&[0xc3], b"v"), text(b"k", &[0x80; 140])] {
            assert_eq!(verdict(&in_span(&[&run[..], &bad].concat())), Err(InvalidKind::Utf8));
            assert_eq!(verdict(&in_span(&[&bad[..], run].concat())), Err(InvalidKind::Utf8));
            assert_eq!(verdict(&in_span(&[&run[..], &bad, run].concat())), Err(InvalidKind::Utf8));
        }
    }
    // A key that ends in the middle of a character which the value continues is two broken strings.
    assert_eq!(verdict(&in_span(&text(&[0xc3], &[0xa4]))), Err(InvalidKind::Utf8));
}

/// Numbers in lists, packed and not, and both in one message.
#[test]
fn packed_and_unpacked() {
    let point = |fields: &[u8]| {
        let metric = wrap(9, &wrap(1, fields));
        let bytes = wrap(1, &wrap(2, &wrap(2, &metric)));
        compare(Signal::Metrics, &bytes).unwrap();
        validate(Signal::Metrics, &bytes, &Limits::DEFAULT)
            .map(|summary| summary.items)
            .map_err(|error| error.kind())
    };
    let unpacked = [0x31, 1, 0, 0, 0, 0, 0, 0, 0];
    let packed = [0x32, 16, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(point(&[&unpacked[..], &packed, &unpacked].concat()), Ok(1));
    assert_eq!(point(&[0x32, 3, 1, 0, 0]), Err(InvalidKind::Truncated));
    assert_eq!(point(&[0x30, 1]), Err(InvalidKind::WireType));
    let buckets = |fields: &[u8]| {
        let bytes = wrap(1, &wrap(2, &wrap(2, &wrap(10, &wrap(1, &wrap(8, fields))))));
        compare(Signal::Metrics, &bytes).unwrap();
        validate(Signal::Metrics, &bytes, &Limits::DEFAULT).is_ok()
    };
    assert!(buckets(&[0x12, 3, 1, 0x80, 1]) && buckets(&[0x10, 5]));
    assert!(!buckets(&[0x12, 3, 1, 1, 0x80]));
}

/// Alternatives of a metric: the last one counts, as prost has it; equal ones add up.
#[test]
fn replaced_data_is_not_counted() {
    let points = |kinds: &[u8]| {
        let metric: Vec<u8> =
            kinds.iter().flat_map(|&kind| wrap(kind, &[wrap(1, &[]), wrap(1, &[])].concat())).collect();
        let bytes = wrap(1, &wrap(2, &wrap(2, &metric)));
        compare(Signal::Metrics, &bytes).unwrap();
        scan(Signal::Metrics, &bytes).unwrap().items
    };
    assert_eq!(points(&[5]), 2);
    assert_eq!(points(&[5, 5]), 4);
    assert_eq!(points(&[5, 7]), 2);
    assert_eq!(points(&[5, 7, 5]), 2);
    assert_eq!(points(&[11, 9, 10]), 2);
}

/// Groups are obsolete, but an unknown field may be one.
#[test]
fn groups_are_skipped() {
    assert_eq!(verdict(&in_span(&[0xa3, 6, 0x08, 1, 0x12, 1, 0xff, 0xa4, 6])), Ok(1));
    assert_eq!(verdict(&in_span(&[0xa3, 6, 0xab, 6, 0xac, 6, 0xa4, 6])), Ok(1));
    assert_eq!(verdict(&in_span(&[0xa3, 6, 0xab, 6, 0xa4, 6, 0xac, 6])), Err(InvalidKind::Group));
    assert_eq!(verdict(&in_span(&[0xa3, 6])), Err(InvalidKind::Truncated));
    assert_eq!(verdict(&in_span(&[0xa4, 6])), Err(InvalidKind::Group));
    // A known field as a group.
    assert_eq!(verdict(&in_span(&[0x2b, 0x2c])), Err(InvalidKind::WireType));
}

/// Runs with a stack that would not bear recursion in the depth of the input.
fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new()
        .stack_size(128 * 1024)
        .spawn(work)
        .expect("a thread")
        .join()
        .expect("no panic");
}

/// Arrays, lists and groups, nested up to a million times: refused without being followed, and up to the
/// documented bound exactly as prost does.
#[test]
fn nesting_is_bounded() {
    on_a_small_stack(|| {
        for depth in (1..=70).chain([100, 1_000, 100_000]) {
            let mut array = wrap(1, b"x");
            let mut list = wrap(1, b"x");
            if depth <= 1_000 {
                for _ in 1..depth {
                    array = wrap(5, &wrap(1, &array));
                    list = wrap(6, &wrap(1, &wrap(2, &list)));
                }
            } else {
                // Lengths that are too long do: only the way down matters.
                array = [0x2a, 0x7f, 0x0a, 0x7f].repeat(depth);
                list = [0x32, 0x7f, 0x0a, 0x7f, 0x12, 0x7f].repeat(depth);
            }
            for (value, levels) in [(array, 2), (list, 3)] {
                let bytes = in_span(&wrap(9, &wrap(2, &value)));
                let ours = validate(Signal::Traces, &bytes, &Limits::DEFAULT)
                    .map(drop)
                    .map_err(|error| error.kind());
                // Record, scope, span, attribute and value are 5 of 100 levels.
                let fits = depth <= 64 && 5 + (depth - 1) * levels <= 100;
                assert_eq!(ours.is_ok(), fits, "{depth} {levels} {ours:?}");
                let lower = Limits::DEFAULT.with_max_depth(8);
                assert_eq!(validate(Signal::Traces, &bytes, &lower).is_ok(), depth <= 8);
            }
        }
        for depth in (1..=110).chain([1_000, 1_000_000]) {
            let bytes = in_span(&[[0xa3, 6].repeat(depth), [0xa4, 6].repeat(depth)].concat());
            let ours = validate(Signal::Traces, &bytes, &Limits::DEFAULT);
            // Inside of three messages, a group needs one level and so does every group in it.
            assert_eq!(ours.is_ok(), depth <= 97, "{depth}");
        }
    });
}

/// The bound on nesting is that of prost to the level.
#[test]
fn nesting_is_bounded_like_prost() {
    for depth in 40..60 {
        for unknown in [&[][..], &[0x78, 0]] {
            let mut value = [&wrap(1, b"x"), unknown].concat();
            for _ in 1..depth {
                value = wrap(5, &wrap(1, &value));
            }
            let bytes = in_span(&wrap(9, &wrap(2, &value)));
            let ours = validate(Signal::Traces, &bytes, &Limits::DEFAULT).is_ok();
            assert_eq!(ours, Request::decode(Signal::Traces, &bytes).is_ok(), "{depth}");
        }
    }
    for depth in 90..105 {
        let bytes = in_span(&[[0xa3, 6].repeat(depth), [0xa4, 6].repeat(depth)].concat());
        let ours = validate(Signal::Traces, &bytes, &Limits::DEFAULT).is_ok();
        assert_eq!(ours, Request::decode(Signal::Traces, &bytes).is_ok(), "{depth}");
    }
}

/// A request of many tiny items is refused at the limit, not after the fact.
#[test]
fn items_are_limited() {
    let bomb = wrap(1, &wrap(2, &[0x12, 0].repeat(100_000)));
    let limits = Limits::DEFAULT.with_max_items(1_000);
    let error = validate(Signal::Logs, &bomb, &limits).unwrap_err();
    assert_eq!(error.kind(), InvalidKind::Items);
    assert_eq!(error.offset(), 8 + 2 * 1_000 + 2);
    assert_eq!(error.path(), "resource_logs.scope_logs.log_records");
    assert_eq!(validate(Signal::Logs, &bomb, &limits.with_max_items(100_000)).unwrap().items, 100_000);
}

/// An empty request is valid and empty; so are empty envelopes.
#[test]
fn empty_requests() {
    for signal in Signal::ALL {
        assert_eq!(validate(signal, &[], &Limits::DEFAULT), Ok(Summary::default()));
        assert_eq!(scan(signal, &[]), Ok(Summary::default()));
        let envelope = wrap(1, &wrap(2, &[]));
        assert_eq!(validate(signal, &envelope, &Limits::DEFAULT), Ok(Summary { records: 1, items: 0 }));
    }
}

/// The counter looks at the way to the items only, but at that.
#[test]
fn scan_checks_the_structure() {
    assert_eq!(scan(Signal::Traces, &[0x0a, 5]).unwrap_err().kind(), InvalidKind::Length);
    assert_eq!(scan(Signal::Traces, &[0x08, 5]).unwrap_err().kind(), InvalidKind::WireType);
    assert_eq!(scan(Signal::Logs, &wrap(1, &wrap(2, &[0x12, 9]))).unwrap_err().kind(), InvalidKind::Length);
    assert_eq!(scan(Signal::Logs, &wrap(1, &wrap(2, &[0x12, 1, 0xff]))).unwrap().items, 1);
    let error = scan(Signal::Metrics, &wrap(1, &wrap(2, &wrap(2, &[0x28, 0])))).unwrap_err();
    assert_eq!(error.path(), "resource_metrics.scope_metrics.metrics.gauge");
}
