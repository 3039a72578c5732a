//! A profile in pprof's format, `profile.proto` of <https://github.com/google/pprof>, uncompressed.
//!
//! A location and its function have the same number, as samples know functions rather than addresses.

use std::collections::HashMap;
use std::time::SystemTime;

use super::stacks::Stacks;

/// Numbers of fields.
mod field {
    pub(super) mod profile {
        pub(in super::super) const SAMPLE_TYPE: u32 = 1;
        pub(in super::super) const SAMPLE: u32 = 2;
        pub(in super::super) const LOCATION: u32 = 4;
        pub(in super::super) const FUNCTION: u32 = 5;
        pub(in super::super) const STRING_TABLE: u32 = 6;
        pub(in super::super) const TIME_NANOS: u32 = 9;
        pub(in super::super) const DURATION_NANOS: u32 = 10;
        pub(in super::super) const PERIOD_TYPE: u32 = 11;
        pub(in super::super) const PERIOD: u32 = 12;
    }
    pub(super) mod value_type {
        pub(in super::super) const TYPE: u32 = 1;
        pub(in super::super) const UNIT: u32 = 2;
    }
    pub(super) mod sample {
        pub(in super::super) const LOCATION_ID: u32 = 1;
        pub(in super::super) const VALUE: u32 = 2;
        pub(in super::super) const LABEL: u32 = 3;
    }
    pub(super) mod label {
        pub(in super::super) const KEY: u32 = 1;
        pub(in super::super) const STR: u32 = 2;
    }
    pub(super) mod location {
        pub(in super::super) const ID: u32 = 1;
        pub(in super::super) const LINE: u32 = 4;
    }
    pub(super) mod line {
        pub(in super::super) const FUNCTION_ID: u32 = 1;
    }
    pub(super) mod function {
        pub(in super::super) const ID: u32 = 1;
        pub(in super::super) const NAME: u32 = 2;
        pub(in super::super) const SYSTEM_NAME: u32 = 3;
    }
}

const VARINT: u32 = 0;
const BYTES: u32 = 2;
const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// The bytes of the profile.
pub(super) fn encode(stacks: &Stacks) -> Vec<u8> {
    use field::{function, line, location, profile, sample};
    let mut strings = Strings::default();
    let mut out = Message::default();
    let period = NANOS_PER_SECOND / u64::from(stacks.hz.max(1));
    let samples = strings.value_type("samples", "count");
    let cpu = strings.value_type("cpu", "nanoseconds");
    out.message(profile::SAMPLE_TYPE, &samples);
    out.message(profile::SAMPLE_TYPE, &cpu);
    for seen in stacks.samples() {
        let mut message = Message::default();
        // The function that ran comes first.
        let locations = seen.frames.iter().rev().map(|place| id(*place));
        message.packed(sample::LOCATION_ID, locations);
        message.packed(sample::VALUE, [seen.count, seen.count.saturating_mul(period)].into_iter());
        let mut label = Message::default();
        label.number(field::label::KEY, strings.place("thread"));
        label.number(field::label::STR, strings.place(&seen.thread));
        message.message(sample::LABEL, &label);
        out.message(profile::SAMPLE, &message);
    }
    for (place, name) in stacks.functions().iter().enumerate() {
        let mut at = Message::default();
        at.number(line::FUNCTION_ID, id(place));
        let mut message = Message::default();
        message.number(location::ID, id(place));
        message.message(location::LINE, &at);
        out.message(profile::LOCATION, &message);
        let mut message = Message::default();
        message.number(function::ID, id(place));
        message.number(function::NAME, strings.place(name));
        message.number(function::SYSTEM_NAME, strings.place(name));
        out.message(profile::FUNCTION, &message);
    }
    let since_epoch = stacks.started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    out.number(profile::TIME_NANOS, u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX));
    out.number(profile::DURATION_NANOS, u64::try_from(stacks.took.as_nanos()).unwrap_or(u64::MAX));
    out.message(profile::PERIOD_TYPE, &cpu);
    out.number(profile::PERIOD, period);
    strings.texts.iter().for_each(|text| out.bytes(profile::STRING_TABLE, text.as_bytes()));
    out.0
}

/// Numbers begin at 1.
fn id(place: usize) -> u64 {
    place as u64 + 1
}

/// The table of strings, whose first is empty.
#[derive(Debug)]
struct Strings {
    texts: Vec<String>,
    places: HashMap<String, u64>,
}

impl Default for Strings {
    fn default() -> Self {
        Self { texts: vec![String::new()], places: HashMap::from([(String::new(), 0)]) }
    }
}

impl Strings {
    fn place(&mut self, text: &str) -> u64 {
        if let Some(place) = self.places.get(text) {
            return *place;
        }
        let place = self.texts.len() as u64;
        self.texts.push(text.to_owned());
        self.places.insert(text.to_owned(), place);
        place
    }

    fn value_type(&mut self, kind: &str, unit: &str) -> Message {
        let mut message = Message::default();
        message.number(field::value_type::TYPE, self.place(kind));
        message.number(field::value_type::UNIT, self.place(unit));
        message
    }
}

/// A protobuf message that is being written.
#[derive(Debug, Default)]
struct Message(Vec<u8>);

impl Message {
    fn number(&mut self, field: u32, value: u64) {
        self.varint(u64::from(field << 3 | VARINT));
        self.varint(value);
    }

    fn bytes(&mut self, field: u32, bytes: &[u8]) {
        self.varint(u64::from(field << 3 | BYTES));
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn message(&mut self, field: u32, message: &Message) {
        self.bytes(field, &message.0);
    }

    fn packed(&mut self, field: u32, values: impl Iterator<Item = u64>) {
        let mut packed = Message::default();
        values.for_each(|value| packed.varint(value));
        self.message(field, &packed);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::super::stacks::{Stacks, example};
    use super::*;
    use std::time::Duration;

    /// Guards every byte against the specification, written out by hand for one sample.
    #[test]
    fn a_small_profile_is_what_the_specification_says() {
        let started = SystemTime::UNIX_EPOCH + Duration::from_nanos(5);
        let mut stacks = Stacks::new(500_000_000, started, Duration::from_nanos(300));
        stacks.add("t".to_owned(), ["a".to_owned(), "b".to_owned()], 3);
        let expected: &[&[u8]] = &[
            // sample_type: samples/count, cpu/nanoseconds
            &[0x0a, 4, 0x08, 1, 0x10, 2],
            &[0x0a, 4, 0x08, 3, 0x10, 4],
            // sample: locations b, a; 3 samples of 2 ns; thread = t
            &[0x12, 14, 0x0a, 2, 2, 1, 0x12, 2, 3, 6, 0x1a, 4, 0x08, 5, 0x10, 6],
            // location and function of a and b
            &[0x22, 6, 0x08, 1, 0x22, 2, 0x08, 1],
            &[0x2a, 6, 0x08, 1, 0x10, 7, 0x18, 7],
            &[0x22, 6, 0x08, 2, 0x22, 2, 0x08, 2],
            &[0x2a, 6, 0x08, 2, 0x10, 8, 0x18, 8],
            // time, duration (two bytes), period_type, period
            &[0x48, 5, 0x50, 0xac, 0x02],
            &[0x5a, 4, 0x08, 3, 0x10, 4, 0x60, 2],
            &[0x32, 0, 0x32, 7],
            b"samples",
            &[0x32, 5],
            b"count",
            &[0x32, 3],
            b"cpu",
            &[0x32, 11],
            b"nanoseconds",
            &[0x32, 6],
            b"thread",
            &[0x32, 1],
            b"t",
            &[0x32, 1],
            b"a",
            &[0x32, 1],
            b"b",
        ];
        assert_eq!(encode(&stacks), expected.concat());
    }

    /// Guards the string table: a name is there once however many stacks it is in.
    #[test]
    fn names_are_written_once() {
        let bytes = encode(&example());
        let places = bytes.windows(8).filter(|window| window == b"inner<T>").count();
        assert_eq!(places, 1);
    }
}
