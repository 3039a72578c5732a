//! Editing trace states, against prost and a list.

use crate::generate::Generator;
use crate::odd::{flat, odd};
use crate::odd_items::{message_of, odd_items, unknown_fields};
use crate::operations::{config, mutants, request, signals};
use crate::oracle::Request;
use aqueduct_testkit::CountingAllocator;
use aqueduct_wire::edit::{InvalidMember, TraceState, TraceStateEdit};
use aqueduct_wire::{Chunk, Limits, Signal};
use proptest::prelude::*;

/// What to do, with which of a few keys, and with which value.
type Change = (u8, usize, usize);

const KEYS: [&str; 5] = ["ot", "rojo", "k3", "1a@sys", "never"];
const VALUES: [&str; 4] = ["th:8;rv:abcdef01234567", "1", " x y", "00f067aa0ba902b7"];

fn changes() -> impl Strategy<Value = Vec<Change>> {
    prop::collection::vec((0..9_u8, 0..KEYS.len(), 0..VALUES.len()), 0..6)
}

/// A header as the specification allows it, and as it does not.
fn header(generator: &mut Generator) -> String {
    let members = match generator.below(8) {
        0 => 0,
        1 => 30 + generator.below(10),
        _ => generator.below(5),
    };
    let member = |n: u64, generator: &mut Generator| match generator.below(10) {
        0 => String::new(),
        1 => ["no member", KEYS[generator.below(4) as usize]][generator.below(2) as usize].to_owned(),
        2 => "a=b=c".to_owned(),
        3 => "Größe=1".to_owned(),
        4..7 => format!("k{n}={}", VALUES[generator.below(4) as usize].trim()),
        _ => format!("{}={}", KEYS[generator.below(4) as usize], VALUES[generator.below(4) as usize]),
    };
    let separator = [",", ", ", " ,\t"][generator.below(3) as usize];
    (0..members).map(|n| member(n, generator)).collect::<Vec<_>>().join(separator)
}

fn members(header: &str) -> Vec<String> {
    let members = header.split(',').map(|member| member.trim_matches([' ', '\t']).to_owned());
    members.filter(|member| !member.is_empty()).collect()
}

/// What becomes of a header, by way of a list of its members.
fn expect(header: &str, changes: &[Change]) -> String {
    let before = members(header);
    let mut list = before.clone();
    for &(action, key, value) in changes {
        let key = KEYS[key];
        let is = |member: &String| member.split_once('=').map(|(key, _)| key) == Some(key);
        let there: Vec<_> = list.iter().filter(|member| is(member)).cloned().collect();
        let member = format!("{key}={}", VALUES[value]);
        let is_member = there.first().is_some_and(|member| member.contains('='));
        match action {
            0..3 if !is_member => {}
            0..6 if there == [member.clone()] => {}
            0..6 => {
                list.retain(|member| !is(member));
                list.insert(0, member);
            }
            6 | 7 => list.retain(|member| !is(member)),
            _ => list.clear(),
        }
    }
    if list == before {
        return header.to_owned();
    }
    list.truncate(32);
    list.join(",")
}

fn edit(changes: &[Change]) -> TraceStateEdit {
    changes.iter().fold(TraceStateEdit::new(), |edit, &(action, key, value)| match action {
        0..3 => edit.with_update(KEYS[key], VALUES[value]).expect("a member"),
        3..6 => edit.with_upsert(KEYS[key], VALUES[value]).expect("a member"),
        6 | 7 => edit.with_delete(KEYS[key]),
        _ => edit.with_clear(),
    })
}

fn valid(request: Vec<u8>) -> Chunk {
    Chunk::validate(Signal::Traces, request.into(), &Limits::DEFAULT).expect("a valid request")
}

/// A request with trace states of all sorts, as prost encodes it, with oddities around items, and in them.
fn requests(seed: u64, items: usize) -> [Chunk; 3] {
    let mut generator = Generator(seed);
    let plain = request(Signal::Traces, seed, items);
    let mut plain = Request::decode(Signal::Traces, plain.bytes()).expect("a valid request");
    plain.trace_states(|_, state| *state = header(&mut generator));
    let plain = valid(plain.encode());
    let around = valid(odd(Signal::Traces, plain.bytes(), seed));
    let inside = valid(odd_items(Signal::Traces, around.bytes(), seed));
    [plain, around, inside]
}

proptest! {
    #![proptest_config(config())]

    /// The same changes on prost's structs give the same request, and unknown fields survive.
    #[test]
    fn as_in_structs(seed: u64, items in 0..20_usize, changes in changes(), links: bool) {
        let edit = if links { edit(&changes).with_links() } else { edit(&changes) };
        for chunk in requests(seed, items) {
            let mut expected = Request::decode(Signal::Traces, chunk.bytes()).unwrap();
            let before = expected.clone();
            expected.trace_states(|of_link, state| {
                if links || !of_link {
                    *state = expect(state, &changes);
                }
            });
            let edited = edit.apply(&chunk).unwrap();
            let bytes = edited.to_bytes();
            prop_assert_eq!((edited.items(), edited.len()), (chunk.items(), bytes.len()));
            prop_assert_eq!(
                unknown_fields(Signal::Traces, &bytes), unknown_fields(Signal::Traces, chunk.bytes())
            );
            if expected == before {
                prop_assert_eq!(bytes.as_ptr_range(), chunk.bytes().as_ptr_range());
            }
            prop_assert_eq!(Request::decode(Signal::Traces, &bytes).unwrap(), expected);
            let again = valid(bytes.to_vec());
            prop_assert_eq!(again.items(), chunk.items());
            // Spans that do not change keep their bytes.
            for (before, after) in flat(Signal::Traces, chunk.bytes()).iter().zip(flat(Signal::Traces, &bytes)) {
                prop_assert_eq!(&before.0, &after.0);
            }
        }
    }

    /// A function sees each span once, in order, with the trace state after the changes, and its changes count.
    #[test]
    fn a_function_changes_each(seed: u64, items in 0..20_usize, changes in changes()) {
        for chunk in requests(seed, items) {
            let mut expected = Request::decode(Signal::Traces, chunk.bytes()).unwrap();
            let (mut states, mut at) = (Vec::new(), 0);
            expected.trace_states(|of_link, state| {
                if of_link {
                    *state = expect(state, &changes);
                } else {
                    states.push(expect(state, &changes));
                    at += 1;
                    *state = expect(state, &[&changes[..], &[(3, at % 5, at % 4)]].concat());
                }
            });
            let (mut seen, mut at) = (Vec::new(), 0);
            let spans = flat(Signal::Traces, chunk.bytes());
            let edited = edit(&changes).with_links().apply_each(&chunk, |span, state| {
                assert_eq!(span.bytes(), spans[at].1);
                seen.push(state.to_string());
                at += 1;
                state.set(KEYS[at % 5], VALUES[at % 4]).unwrap();
            });
            let edited = edited.unwrap().to_bytes();
            prop_assert_eq!(seen.len(), states.len());
            for (seen, state) in seen.iter().zip(&states) {
                prop_assert_eq!(members(seen), members(state));
            }
            let edited = Request::decode(Signal::Traces, &edited).unwrap();
            prop_assert_eq!(edited, expected);
        }
    }

    /// The other signals have no trace states.
    #[test]
    fn other_signals_are_untouched(signal in signals(), seed: u64, items in 0..20_usize) {
        let chunk = request(signal, seed, items);
        let edited = TraceStateEdit::new().with_upsert("k", "1").unwrap().with_links().apply(&chunk).unwrap();
        let same = edited.to_bytes() == chunk.bytes();
        prop_assert_eq!(same, signal != Signal::Traces || items == 0);
    }

    /// Bytes wrongly given as valid are refused or passed on, and never cause a panic.
    #[test]
    fn broken_bytes_do_no_harm(seed: u64, changes in changes()) {
        let edit = edit(&changes).with_links();
        for chunk in mutants(Signal::Traces, seed) {
            if let Ok(edited) = edit.apply(&chunk) {
                prop_assert_eq!(edited.to_bytes().len(), edited.len());
            }
        }
    }
}

/// The rules of keys and values, at their limits.
#[test]
fn members_are_checked() {
    let set = |key: &str, value: &str| TraceState::new("").set(key, value);
    let (a, b) = ("a".repeat(256), "b".repeat(257));
    for key in ["a", "a1_-*/", "1@a", "a@b-1", &a, &format!("{}@{}", &a[..241], &a[..14])] {
        assert_eq!(set(key, "1"), Ok(()), "{key}");
    }
    let long_tenant = format!("{}@a", &a[..242]);
    let long_system = format!("a@{}", &a[..15]);
    for key in
        ["", "A", "1", "a b", "a=", "a,", "ä", "@a", "a@", "a@1", "a@b@c", &b, &long_tenant, &long_system]
    {
        assert_eq!(set(key, "1"), Err(InvalidMember::Key), "{key}");
    }
    for value in [" 1", "~!", &a] {
        assert_eq!(set("a", value), Ok(()), "{value}");
    }
    for value in ["", "1 ", "a,b", "a=b", "ä", "\t", "\u{7f}", &b] {
        assert_eq!(set("a", value), Err(InvalidMember::Value), "{value}");
    }
    assert_eq!(TraceStateEdit::new().with_update("A", "1").unwrap_err(), InvalidMember::Key);
    assert_eq!(InvalidMember::Value.to_string(), "invalid value of a tracestate member");
}

/// The 33rd member goes when one is put first, and the last value of a field that is there twice counts.
#[test]
fn named_traps() {
    let full = (0..32).map(|n| format!("k{n}=1")).collect::<Vec<_>>().join(",");
    let mut state = TraceState::new(&full);
    state.set("ot", "th:8").unwrap();
    assert_eq!(state.to_string(), format!("ot=th:8,{}", full.strip_suffix(",k31=1").unwrap()));
    state.set("k5", "2").unwrap();
    assert!(state.to_string().starts_with("k5=2,ot=th:8,k0=1,"));
    assert_eq!(state.to_string().split(',').count(), 32);

    let around = |rest: &[u8]| {
        let span = [&[0x0a, 16][..], &[1; 16], &[0x12, 8], &[2; 8], rest].concat();
        message_of(1, &message_of(2, &message_of(2, &span)))
    };
    let chunk = valid(around(b"\x1a\x03a=1\x2a\x01n\x1a\x03b=2"));
    let edited = TraceStateEdit::new().with_upsert("c", "3").unwrap().apply(&chunk).unwrap();
    assert_eq!(edited.to_bytes(), around(b"\x2a\x01n\x1a\x07c=3,b=2"));
    let edited = TraceStateEdit::new().with_clear().apply(&chunk).unwrap();
    assert_eq!(edited.to_bytes(), around(b"\x2a\x01n"));
}

/// A hostile trace state costs a small multiple of its size: its members are not remembered.
#[test]
fn members_are_not_remembered() {
    for field in [b"\x1a\x00".repeat(1 << 19), message_of(3, &b"a,".repeat(1 << 19))] {
        let span = [&[0x0a, 16][..], &[1; 16], &[0x12, 8], &[2; 8], &field].concat();
        let request = message_of(1, &message_of(2, &message_of(2, &span)));
        let chunk = Chunk::validate(Signal::Traces, request.into(), &Limits::NONE).unwrap();
        let edit = TraceStateEdit::new().with_upsert("ot", "th:8").unwrap().with_links();
        let (edited, made) = CountingAllocator::count(|| edit.apply(&chunk).unwrap());
        assert!(made.bytes < 1 << 20, "{} bytes", made.bytes);
        assert!(edited.len() < 200);
    }
}

/// Neither trace states, which are the data of others, nor configured values are in the debug output.
#[test]
fn debug_output_has_no_values() {
    let edit = TraceStateEdit::new().with_upsert("ot", "th:8").unwrap().with_delete("a").with_links();
    let shown = format!("{edit:?} {:?}", TraceState::new("a=secret"));
    assert!(!shown.contains("th:8") && !shown.contains("secret") && shown.contains("ot"), "{shown}");
}

/// The trap of what looks like a key: without a `=` it is no member, and nobody's to change.
#[test]
fn a_bare_key_is_no_member() {
    let mut state = TraceState::new("foo,bar=1");
    assert!(!state.remove("foo"));
    assert_eq!(state.to_string(), "foo,bar=1");
    state.set("foo", "2").unwrap();
    assert_eq!((state.to_string(), state.get("foo")), ("foo=2,foo,bar=1".to_owned(), Some("2")));
}

/// The trap of a long list: changes that come to nothing do not shorten it.
#[test]
fn a_long_list_is_only_cut_when_it_changes() {
    let long = (0..40).map(|n| format!("k{n}=1")).collect::<Vec<_>>().join(", ");
    let span = prost_span(&long);
    let same = TraceStateEdit::new().with_delete("k0").with_upsert("k0", "1").unwrap();
    assert_eq!(same.apply(&span).unwrap().to_bytes(), span.bytes());
    let mut state = TraceState::new(&long);
    state.set("k0", "2").unwrap();
    assert_eq!(state.to_string().split(',').count(), 32);
    state.set("k0", "1").unwrap();
    assert_eq!(state.to_string(), long, "and are not seen either");
    let other = TraceStateEdit::new().with_delete("k0").apply(&span).unwrap().to_bytes();
    assert!(other.len() < span.len() - 30, "eight members more than one are gone");
}

/// A request of one span with this trace state.
fn prost_span(trace_state: &str) -> Chunk {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
    use prost::Message;
    let span = Span {
        trace_id: vec![1; 16],
        span_id: vec![1; 8],
        trace_state: trace_state.to_owned(),
        ..Span::default()
    };
    let scope = ScopeSpans { spans: vec![span], ..ScopeSpans::default() };
    let record = ResourceSpans { scope_spans: vec![scope], ..ResourceSpans::default() };
    valid(ExportTraceServiceRequest { resource_spans: vec![record] }.encode_to_vec())
}
