//! Legal oddities: the same message in another encoding, such as no encoder writes but every decoder must read.

use crate::generate::Generator;

/// What a field is, as far as it may be written differently. Fields that are not listed are singular and no messages.
#[derive(Copy, Clone)]
pub(super) enum Is {
    /// A message that may come in pieces.
    One(Of),
    /// A message in a list.
    Many(Of),
    /// Strings in a list.
    Strings,
    /// A list of numbers of 8 bytes.
    Fixed,
    /// A list of varints.
    Varints,
    /// An alternative of a `oneof`.
    Either,
    /// The same, a message.
    EitherMessage(Of),
}

pub(super) type Of = &'static [(u64, Is)];

use Is::{Either, EitherMessage, Fixed, Many, One, Strings, Varints};

static ANY: [(u64, Is); 7] = [
    (1, Either),
    (2, Either),
    (3, Either),
    (4, Either),
    (5, EitherMessage(&ARRAY)),
    (6, EitherMessage(&LIST)),
    (7, Either),
];
static ARRAY: [(u64, Is); 1] = [(1, Many(&ANY))];
static LIST: [(u64, Is); 1] = [(1, Many(&PAIR))];
static PAIR: [(u64, Is); 1] = [(2, One(&ANY))];
const RESOURCE: Of = &[(1, Many(&PAIR)), (3, Many(&[(3, Strings), (4, Strings)]))];
const SCOPE: Of = &[(3, Many(&PAIR))];

const EVENT: Of = &[(3, Many(&PAIR))];
const LINK: Of = &[(4, Many(&PAIR))];
const SPAN: Of = &[(9, Many(&PAIR)), (11, Many(EVENT)), (13, Many(LINK)), (15, One(&[]))];
pub(super) const TRACES: Of =
    &[(1, Many(&[(1, One(RESOURCE)), (2, Many(&[(1, One(SCOPE)), (2, Many(SPAN))]))]))];

const LOG: Of = &[(5, One(&ANY)), (6, Many(&PAIR))];
pub(super) const LOGS: Of =
    &[(1, Many(&[(1, One(RESOURCE)), (2, Many(&[(1, One(SCOPE)), (2, Many(LOG))]))]))];

const EXEMPLAR: Of = &[(3, Either), (6, Either), (7, Many(&PAIR))];
const NUMBER: Of = &[(4, Either), (5, Many(EXEMPLAR)), (6, Either), (7, Many(&PAIR))];
const HISTOGRAM: Of = &[(6, Fixed), (7, Fixed), (8, Many(EXEMPLAR)), (9, Many(&PAIR))];
const BUCKETS: Of = &[(2, Varints)];
const EXPONENTIAL: Of = &[(1, Many(&PAIR)), (8, One(BUCKETS)), (9, One(BUCKETS)), (11, Many(EXEMPLAR))];
const SUMMARY: Of = &[(6, Many(&[])), (7, Many(&PAIR))];
const METRIC: Of = &[
    (5, EitherMessage(&[(1, Many(NUMBER))])),
    (7, EitherMessage(&[(1, Many(NUMBER))])),
    (9, EitherMessage(&[(1, Many(HISTOGRAM))])),
    (10, EitherMessage(&[(1, Many(EXPONENTIAL))])),
    (11, EitherMessage(&[(1, Many(SUMMARY))])),
    (12, Many(&PAIR)),
];
pub(super) const METRICS: Of =
    &[(1, Many(&[(1, One(RESOURCE)), (2, Many(&[(1, One(SCOPE)), (2, Many(METRIC))]))]))];

/// A field: its number, its wire type, and what follows the key (of the wire type 2, without the length).
#[derive(Clone)]
struct Field {
    number: u64,
    wire: u64,
    content: Vec<u8>,
}

/// The same message, in an encoding that `random` makes up.
pub(super) fn re_encode(message: &[u8], of: Of, random: &mut Generator) -> Vec<u8> {
    let mut lanes: Vec<(u64, Vec<Field>)> = Vec::new();
    for field in fields(message) {
        let is = of.iter().find(|(number, _)| *number == field.number).map(|(_, is)| *is);
        // Alternatives keep their order among each other.
        let lane = if matches!(is, Some(Either | EitherMessage(_))) { 0 } else { field.number };
        let mut odd = oddly(field, is, of, random);
        match lanes.iter_mut().find(|(number, _)| *number == lane) {
            Some((_, fields)) => fields.append(&mut odd),
            None => lanes.push((lane, odd)),
        }
    }
    // Fields of different numbers may come in any order.
    let mut out = Vec::new();
    let mut lanes: Vec<_> = lanes.into_iter().map(|(_, fields)| fields.into_iter().peekable()).collect();
    while !lanes.is_empty() {
        unknown(&mut out, random);
        let lane = random.below(lanes.len() as u64) as usize;
        match lanes[lane].next() {
            Some(field) => write(&mut out, &field, random),
            None => drop(lanes.remove(lane)),
        }
    }
    unknown(&mut out, random);
    out
}

/// The fields that mean the same as `field`.
fn oddly(field: Field, is: Option<Is>, around: Of, random: &mut Generator) -> Vec<Field> {
    let Field { number, wire, content } = field;
    let message = |content| Field { number, wire: 2, content };
    match is {
        // Lists of strings are what they are.
        Some(Strings) => vec![Field { number, wire, content }],
        Some(Many(of)) => vec![message(re_encode(&content, of, random))],
        Some(One(of)) => pieces(&re_encode(&content, of, random), random).into_iter().map(message).collect(),
        Some(EitherMessage(of)) => {
            let mut odd = Vec::new();
            if random.below(3) == 0 {
                // It counts for nothing: another alternative follows.
                odd.push(message(content.clone()));
                let other =
                    around.iter().find(|(other, is)| *other != number && matches!(is, EitherMessage(_)));
                odd.extend(other.map(|(number, _)| Field { number: *number, wire: 2, content: Vec::new() }));
            }
            odd.extend(pieces(&re_encode(&content, of, random), random).into_iter().map(message));
            odd
        }
        Some(Fixed) => {
            let numbers = content.chunks(8).map(<[u8]>::to_vec).collect();
            unpacked(number, 1, numbers, random)
        }
        Some(Varints) => {
            let numbers = content.split_inclusive(|byte| *byte < 0x80).map(<[u8]>::to_vec).collect();
            unpacked(number, 0, numbers, random)
        }
        None | Some(Either) => {
            let field = Field { number, wire, content };
            // An earlier value, which the last one replaces.
            let earlier = (random.below(4) == 0).then(|| {
                let mut earlier = field.clone();
                match wire {
                    0 => earlier.content = vec![random.below(128) as u8],
                    1 | 5 => earlier.content.iter_mut().for_each(|byte| *byte = random.next() as u8),
                    // Text stays text and an id keeps its length.
                    _ => earlier.content.reverse(),
                }
                if wire == 2 && std::str::from_utf8(&field.content).is_ok() {
                    earlier.content = vec![b'x'; field.content.len()];
                }
                earlier
            });
            // Another alternative, which this one replaces.
            let other = around.iter().find(|(_, is)| matches!(is, EitherMessage(_)));
            let other = other.filter(|_| matches!(is, Some(Either)) && random.below(4) == 0);
            let other = other.map(|(number, _)| Field { number: *number, wire: 2, content: Vec::new() });
            earlier.into_iter().chain(other).chain([field]).collect()
        }
    }
}

/// One to three parts of a message, cut between fields.
fn pieces(message: &[u8], random: &mut Generator) -> Vec<Vec<u8>> {
    let fields = raw(message);
    let mut parts = vec![Vec::new()];
    for (_, _, bytes) in fields {
        if parts.len() < 3 && random.below(3) == 0 {
            parts.push(Vec::new());
        }
        parts.last_mut().expect("never empty").extend_from_slice(bytes);
    }
    parts
}

/// A list of numbers, some of them packed and some by themselves.
fn unpacked(number: u64, wire: u64, numbers: Vec<Vec<u8>>, random: &mut Generator) -> Vec<Field> {
    let mut odd = Vec::new();
    let mut packed = Vec::new();
    for content in numbers {
        match random.below(3) {
            0 => {
                odd.push(Field { number, wire: 2, content: std::mem::take(&mut packed) });
                odd.push(Field { number, wire, content });
            }
            _ => packed.extend(content),
        }
    }
    odd.push(Field { number, wire: 2, content: packed });
    odd
}

/// Now and then, a field that OTLP does not have, or a group.
fn unknown(out: &mut Vec<u8>, random: &mut Generator) {
    let number = 20 + random.below(1_000);
    match random.below(16) {
        0 => write(out, &Field { number, wire: 0, content: vec![0xff, 0x01] }, random),
        1 => write(out, &Field { number, wire: 1, content: vec![0x0a; 8] }, random),
        2 => write(out, &Field { number, wire: 2, content: vec![0xff; 3] }, random),
        3 => write(out, &Field { number, wire: 5, content: vec![0x12; 4] }, random),
        4 => {
            varint(out, number << 3 | 3, 0);
            write(out, &Field { number: 1, wire: 2, content: vec![0xff; 2] }, random);
            varint(out, 2 << 3 | 3, 0);
            varint(out, 2 << 3 | 4, 0);
            varint(out, number << 3 | 4, 0);
        }
        _ => {}
    }
}

fn write(out: &mut Vec<u8>, field: &Field, random: &mut Generator) {
    // Now and then a key or a length has more bytes than it needs.
    let mut long = || if random.below(10) == 0 { 1 + random.below(2) as usize } else { 0 };
    varint(out, field.number << 3 | field.wire, long());
    if field.wire == 2 {
        varint(out, field.content.len() as u64, long());
    }
    out.extend_from_slice(&field.content);
}

fn varint(out: &mut Vec<u8>, mut number: u64, longer: usize) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
    for _ in 0..longer {
        *out.last_mut().expect("just pushed") |= 0x80;
        out.push(0);
    }
}

fn fields(message: &[u8]) -> Vec<Field> {
    let fields = raw(message).into_iter().map(|(key, content, _)| Field {
        number: key >> 3,
        wire: key & 7,
        content: content.to_vec(),
    });
    fields.collect()
}

/// Keys, contents and whole encodings of the fields of a valid message. Groups have no content.
fn raw(message: &[u8]) -> Vec<(u64, &[u8], &[u8])> {
    let mut all = Vec::new();
    let mut rest = message;
    while !rest.is_empty() {
        let start = rest;
        let key = read(&mut rest);
        let before = rest;
        let content = match key & 7 {
            0 => {
                read(&mut rest);
                &before[..before.len() - rest.len()]
            }
            1 => take(&mut rest, 8),
            5 => take(&mut rest, 4),
            2 => {
                let len = read(&mut rest) as usize;
                take(&mut rest, len)
            }
            // The only groups are those that `unknown` writes: two levels.
            _ => {
                let mut open = 1;
                while open > 0 {
                    let key = read(&mut rest);
                    match key & 7 {
                        3 => open += 1,
                        4 => open -= 1,
                        _ => {
                            let len = read(&mut rest) as usize;
                            take(&mut rest, len);
                        }
                    }
                }
                &[]
            }
        };
        all.push((key, content, &start[..start.len() - rest.len()]));
    }
    all
}

fn read(rest: &mut &[u8]) -> u64 {
    let (mut number, mut shift) = (0, 0);
    loop {
        let byte = take(rest, 1)[0];
        number |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            return number;
        }
    }
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (taken, left) = rest.split_at(len);
    *rest = left;
    taken
}
