//! Requests whose items are encoded as no encoder does it and every decoder must read it.

use crate::generate::Generator;
use crate::odd::{RawField, fields, message, unknown};
use crate::operations::{config, request, signals};
use crate::oracle::Request;
use aqueduct_wire::{Limits, Signal, validate};
use proptest::prelude::*;

/// A message, by the messages in it.
struct Shape {
    of: Of,
    inner: &'static [(u32, &'static Shape)],
}

#[derive(PartialEq)]
enum Of {
    Plain,
    KeyValue,
    /// Field 3 is a string.
    Traced,
}

const fn plain(inner: &'static [(u32, &'static Shape)]) -> Shape {
    Shape { of: Of::Plain, inner }
}

static KEY_VALUE: Shape = Shape { of: Of::KeyValue, inner: &[] };
static RESOURCE: Shape = plain(&[(1, &KEY_VALUE)]);
static SCOPE: Shape = plain(&[(3, &KEY_VALUE)]);
static LINK: Shape = Shape { of: Of::Traced, inner: &[(4, &KEY_VALUE)] };
static SPAN: Shape = Shape { of: Of::Traced, inner: &[(9, &KEY_VALUE), (11, &SCOPE), (13, &LINK)] };
static LOG_RECORD: Shape = plain(&[(6, &KEY_VALUE)]);
static EXEMPLAR: Shape = plain(&[(7, &KEY_VALUE)]);
static NUMBER: Shape = plain(&[(7, &KEY_VALUE), (5, &EXEMPLAR)]);
static HISTOGRAM: Shape = plain(&[(9, &KEY_VALUE), (8, &EXEMPLAR)]);
static EXPONENTIAL: Shape = plain(&[(1, &KEY_VALUE), (11, &EXEMPLAR)]);
static SUMMARY: Shape = plain(&[(7, &KEY_VALUE)]);
static METRIC: Shape = plain(&[
    (5, &plain(&[(1, &NUMBER)])),
    (7, &plain(&[(1, &NUMBER)])),
    (9, &plain(&[(1, &HISTOGRAM)])),
    (10, &plain(&[(1, &EXPONENTIAL)])),
    (11, &plain(&[(1, &SUMMARY)])),
]);
static TRACES: Shape = plain(&[(1, &plain(&[(1, &RESOURCE), (2, &plain(&[(1, &SCOPE), (2, &SPAN)]))]))]);
static LOGS: Shape = plain(&[(1, &plain(&[(1, &RESOURCE), (2, &plain(&[(1, &SCOPE), (2, &LOG_RECORD)]))]))]);
static METRICS: Shape = plain(&[(1, &plain(&[(1, &RESOURCE), (2, &plain(&[(1, &SCOPE), (2, &METRIC)]))]))]);

fn shape(signal: Signal) -> &'static Shape {
    match signal {
        Signal::Metrics => &METRICS,
        Signal::Logs => &LOGS,
        _ => &TRACES,
    }
}

impl Shape {
    fn inner(&self, number: u32) -> Option<&'static Shape> {
        self.inner.iter().find(|(known, _)| *known == number).map(|(_, shape)| *shape)
    }
}

/// The same request with unknown fields in every message, fields in another order, trace states that others replace, and
/// keys and values of attributes that others replace.
pub(crate) fn odd_items(signal: Signal, request: &[u8], seed: u64) -> Vec<u8> {
    rewrite(shape(signal), request, &mut Generator(seed))
}

fn rewrite(shape: &Shape, body: &[u8], generator: &mut Generator) -> Vec<u8> {
    let mut out: Vec<(u32, Vec<u8>)> = Vec::new();
    for (number, _, whole, content) in fields(body) {
        let often = generator.below(3) == 0;
        match number {
            1 if shape.of == Of::KeyValue && often => out.push((1, message(1, b"another key", generator))),
            // It only stays replaced if there is a kind to replace it.
            2 if shape.of == Of::KeyValue && often && !content.is_empty() => {
                out.push((2, message(2, &[0x18, 5], generator)));
            }
            3 if shape.of == Of::Traced && often => out.push((3, message(3, b"old=1", generator))),
            _ => {}
        }
        match shape.inner(number) {
            Some(inner) => {
                let content = rewrite(inner, content, generator);
                out.push((number, message(number, &content, generator)));
            }
            None => out.push((number, whole.to_vec())),
        }
    }
    // Neighbours change places, but for those with the same number.
    for _ in 0..2 * out.len() {
        let at = generator.below(out.len() as u64) as usize;
        if at > 0 && out[at].0 != out[at - 1].0 {
            out.swap(at, at - 1);
        }
    }
    for _ in 0..generator.below(3) {
        let at = generator.below(out.len() as u64 + 1) as usize;
        out.insert(at, (0, unknown(generator)));
    }
    out.into_iter().flat_map(|(_, bytes)| bytes).collect()
}

/// A message as a field, encoded in the usual way.
pub(crate) fn message_of(number: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut len = body.len();
    while len >= 0x80 {
        out.push(len as u8 | 0x80);
        len >>= 7;
    }
    out.push(len as u8);
    out.extend_from_slice(body);
    out
}

/// All fields of a request that the protocol does not know, but for those in attributes.
pub(crate) fn unknown_fields(signal: Signal, request: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    collect(shape(signal), request, &mut found);
    found
}

fn collect(shape: &Shape, body: &[u8], found: &mut Vec<Vec<u8>>) {
    for (number, _, whole, content) in fields(body) as Vec<RawField<'_>> {
        match shape.inner(number) {
            Some(inner) if inner.of != Of::KeyValue => collect(inner, content, found),
            None if number >= 50 => found.push(whole.to_vec()),
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(config())]

    /// The oddities are legal: prost reads the same request. The tests of editing rest on that.
    #[test]
    fn odd_items_mean_the_same(signal in signals(), seed: u64, items in 0..20_usize) {
        let plain = request(signal, seed, items);
        let odd = odd_items(signal, plain.bytes(), seed);
        prop_assert_eq!(Request::decode(signal, &odd).unwrap(), Request::decode(signal, plain.bytes()).unwrap());
        prop_assert_eq!(validate(signal, &odd, &Limits::NONE).unwrap().items, items as u64);
    }
}
