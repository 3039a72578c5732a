//! Requests as no encoder writes them and every decoder must read them, and a reader that takes requests
//! apart to the byte.

use crate::generate::Generator;
use crate::operations::{config, request, signals};
use crate::oracle::Request;
use aqueduct_wire::Signal;
use proptest::prelude::*;

const LEN: u8 = 2;

/// A field: number, wire type, all of its bytes, and its content if it has a length.
pub(crate) type RawField<'a> = (u32, u8, &'a [u8], &'a [u8]);

fn varint(bytes: &[u8], at: &mut usize) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = bytes[*at];
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            return value;
        }
    }
}

fn skip(bytes: &[u8], at: &mut usize, wire: u8) {
    match wire {
        0 => drop(varint(bytes, at)),
        1 => *at += 8,
        2 => {
            let len = varint(bytes, at) as usize;
            *at += len;
        }
        3 => loop {
            let wire = varint(bytes, at) as u8 & 7;
            if wire == 4 {
                break;
            }
            skip(bytes, at, wire);
        },
        _ => *at += 4,
    }
}

/// The fields of a valid message.
pub(crate) fn fields(body: &[u8]) -> Vec<RawField<'_>> {
    let (mut at, mut fields) = (0, Vec::new());
    while at < body.len() {
        let start = at;
        let key = varint(body, &mut at);
        let (number, wire) = ((key >> 3) as u32, key as u8 & 7);
        let mut content = at;
        if wire == LEN {
            varint(body, &mut content);
        }
        skip(body, &mut at, wire);
        let content = if wire == LEN { &body[content..at] } else { &[] };
        fields.push((number, wire, &body[start..at], content));
    }
    fields
}

/// Request, record, scope, and for metrics metric and data.
fn levels(signal: Signal) -> usize {
    if signal == Signal::Metrics { 5 } else { 3 }
}

/// Whether a field of a message on this level is on the way to the items.
fn holds(level: usize, number: u32) -> bool {
    match level {
        0 | 4 => number == 1,
        1 | 2 => number == 2,
        _ => [5, 7, 9, 10, 11].contains(&number),
    }
}

/// An item with the headers of all messages around it, from the request down, each as the fields that are not
/// on the way to items.
pub(crate) type Flat = (Vec<Vec<u8>>, Vec<u8>);

/// All items of a request in order, to the byte.
pub(crate) fn flat(signal: Signal, request: &[u8]) -> Vec<Flat> {
    let mut items = Vec::new();
    flatten(signal, 0, &mut Vec::new(), request, &mut items);
    items
}

fn flatten(signal: Signal, level: usize, around: &mut Vec<Vec<u8>>, body: &[u8], items: &mut Vec<Flat>) {
    let all = fields(body);
    let header = |fields: &[RawField<'_>], level| -> Vec<u8> {
        fields.iter().filter(|field| !holds(level, field.0)).flat_map(|field| field.2.to_vec()).collect()
    };
    around.push(header(&all, level));
    let mut held: Vec<_> =
        all.iter().filter(|field| holds(level, field.0)).map(|field| (field.0, field.3)).collect();
    if level == 3 {
        // What counts of a metric's data: the fields of the last kind that no other kind follows. They are
        // one message.
        let kind = held.last().map(|&(kind, _)| kind);
        let from = held.iter().rposition(|&(number, _)| Some(number) != kind).map_or(0, |at| at + 1);
        let data: Vec<u8> = held[from..].iter().flat_map(|&(_, body)| body.to_vec()).collect();
        flatten(signal, 4, around, &data, items);
        // The kind belongs to what is around a point.
        if let Some(kind) = kind {
            items.iter_mut().filter(|item| item.0.len() == 5).for_each(|item| item.0.push(vec![kind as u8]));
        }
        held.clear();
    }
    for (_, body) in held {
        if level + 1 == levels(signal) {
            items.push((around.clone(), body.to_vec()));
        } else {
            flatten(signal, level + 1, around, body, items);
        }
    }
    around.pop();
}

/// A varint, now and then in more bytes than it needs.
fn put(out: &mut Vec<u8>, mut value: u64, generator: &mut Generator) {
    let padding = if generator.below(8) == 0 && value < 1 << 32 { 1 + generator.below(2) } else { 0 };
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    if padding == 0 {
        out.push(value as u8);
    } else {
        out.push(value as u8 | 0x80);
        out.extend((1..padding).map(|_| 0x80));
        out.push(0);
    }
}

pub(crate) fn message(number: u32, body: &[u8], generator: &mut Generator) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, u64::from(number << 3) | u64::from(LEN), generator);
    put(&mut out, body.len() as u64, generator);
    out.extend_from_slice(body);
    out
}

/// A field that the protocol does not know, of any wire type.
pub(crate) fn unknown(generator: &mut Generator) -> Vec<u8> {
    let number = 50 + generator.below(3) as u32 * 400;
    let mut out = Vec::new();
    let wire = generator.below(5) as u8;
    let wire = if wire == 4 { 5 } else { wire };
    put(&mut out, u64::from(number << 3) | u64::from(wire), generator);
    match wire {
        0 => {
            let value = generator.next();
            put(&mut out, value, generator);
        }
        1 => out.extend_from_slice(&generator.next().to_le_bytes()),
        2 => {
            let len = generator.below(20) as usize;
            put(&mut out, len as u64, generator);
            out.extend((0..len).map(|_| generator.next() as u8));
        }
        3 => {
            // A group with the numbers of known fields in it, which are none of ours.
            out.extend_from_slice(&[0x12, 1, 7, 0x08, 1]);
            put(&mut out, u64::from(number << 3) | 4, generator);
        }
        _ => out.extend_from_slice(&(generator.next() as u32).to_le_bytes()),
    }
    out
}

/// The same request in another encoding, with unknown fields in every message, fields in any order and in
/// several pieces, and values that later ones replace.
pub(crate) fn odd(signal: Signal, request: &[u8], seed: u64) -> Vec<u8> {
    rewrite(signal, 0, request, &mut Generator(seed))
}

fn rewrite(signal: Signal, level: usize, body: &[u8], generator: &mut Generator) -> Vec<u8> {
    let (mut header, mut held) = (Vec::new(), Vec::new());
    for (number, _, whole, content) in fields(body) {
        if level == levels(signal) || !holds(level, number) {
            if level < 3 && number == 1 && generator.below(3) == 0 {
                // A message in two pieces.
                let inner = fields(content);
                let (one, two) = inner.split_at(generator.below(inner.len() as u64 + 1) as usize);
                for piece in [one, two] {
                    let piece: Vec<u8> = piece.iter().flat_map(|field| field.2.to_vec()).collect();
                    header.push(message(1, &piece, generator));
                }
            } else {
                header.push(whole.to_vec());
            }
            continue;
        }
        let inner = rewrite(signal, level + 1, content, generator);
        if level == 3 && generator.below(3) == 0 {
            // Another kind of data, which the one that follows replaces, and which itself replaces one of the
            // kind that counts.
            let other = if number == 7 { 11 } else { 7 };
            if generator.below(2) == 0 {
                held.push(message(number, &[0x0a, 0], generator));
            }
            held.push(message(other, &[0x0a, 0, 0x0a, 0], generator));
        }
        if level == 3 && generator.below(3) == 0 {
            let inner = fields(&inner);
            let (one, two) = inner.split_at(generator.below(inner.len() as u64 + 1) as usize);
            for piece in [one, two] {
                let piece: Vec<u8> = piece.iter().flat_map(|field| field.2.to_vec()).collect();
                held.push(message(number, &piece, generator));
            }
        } else {
            held.push(message(number, &inner, generator));
        }
    }
    for _ in 0..generator.below(3) {
        let at = generator.below(header.len() as u64 + 1) as usize;
        header.insert(at, unknown(generator));
    }
    // Both keep their order, and mix in any way.
    let (mut header, mut held) = (header.into_iter().peekable(), held.into_iter().peekable());
    let mut out = Vec::new();
    while header.peek().is_some() || held.peek().is_some() {
        let next = if generator.below(2) == 0 { header.next() } else { held.next() };
        out.extend(next.unwrap_or_default());
    }
    out
}

proptest! {
    #![proptest_config(config())]

    /// The oddities are legal: prost reads the same request, and the reader finds as many items. The other
    /// tests rest on that.
    #[test]
    fn oddities_mean_the_same(signal in signals(), seed: u64, items in 0..40_usize) {
        let plain = request(signal, seed, items);
        let odd = odd(signal, plain.bytes(), seed);
        prop_assert_eq!(Request::decode(signal, &odd).unwrap(), Request::decode(signal, plain.bytes()).unwrap());
        prop_assert_eq!(flat(signal, &odd).len(), items);
        prop_assert_eq!(flat(signal, plain.bytes()).len(), items);
    }
}
