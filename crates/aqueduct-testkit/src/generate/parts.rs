//! What the three signals share.

use super::Generator;
use crate::random::Random;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList, any_value::Value,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

/// How deep values nest. The limit of receivers is far above.
const DEPTH: u32 = 3;

impl Random {
    pub(super) fn any(&mut self, depth: u32) -> AnyValue {
        let kinds = if depth == 0 { 6 } else { 8 };
        let value = match self.below(kinds) {
            0 => Value::StringValue(self.text()),
            1 => Value::BoolValue(self.one_in(2)),
            2 => Value::IntValue(self.next() as i64),
            3 => Value::DoubleValue(self.double()),
            4 => {
                let len = self.below(40) as usize;
                Value::BytesValue(self.bytes(len))
            }
            // A value without a kind is valid: it says "empty".
            5 => return AnyValue { value: None },
            6 => Value::ArrayValue(ArrayValue { values: self.some(0, 3, |random| random.any(depth - 1)) }),
            _ => {
                Value::KvlistValue(KeyValueList { values: self.some(0, 3, |random| random.pair(depth - 1)) })
            }
        };
        AnyValue { value: Some(value) }
    }

    fn pair(&mut self, depth: u32) -> KeyValue {
        KeyValue { key: self.text(), value: Some(self.any(depth)), ..KeyValue::default() }
    }

    pub(super) fn attributes(&mut self) -> Vec<KeyValue> {
        self.some(0, 6, |random| random.pair(DEPTH))
    }

    /// Zero three times out of four, as in life.
    pub(super) fn dropped(&mut self) -> u32 {
        if self.one_in(4) { self.below(1 << 20) as u32 } else { 0 }
    }

    /// A time of day in 2024 or, now and then, none.
    pub(super) fn time(&mut self) -> u64 {
        if self.one_in(16) { 0 } else { 1_704_067_200_000_000_000 + self.below(31_536_000_000_000_000) }
    }

    /// An identifier that is not all zeros.
    pub(super) fn id(&mut self, len: usize) -> Vec<u8> {
        let mut id = self.bytes(len);
        id[0] |= 1;
        id
    }

    /// An identifier or none.
    pub(super) fn maybe_id(&mut self, len: usize) -> Vec<u8> {
        if self.one_in(3) { Vec::new() } else { self.id(len) }
    }

    pub(super) fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.one_in(4) { None } else { Some(make(self)) }
    }
}

impl Generator {
    pub(super) fn resource(&mut self) -> Option<Resource> {
        self.random.maybe(|random| Resource {
            attributes: random.attributes(),
            dropped_attributes_count: random.dropped(),
            entity_refs: random.some(0, 2, |random| EntityRef {
                schema_url: random.text(),
                r#type: random.text(),
                id_keys: random.some(0, 2, Random::text),
                description_keys: random.some(0, 2, Random::text),
            }),
        })
    }

    pub(super) fn scope(&mut self) -> Option<InstrumentationScope> {
        self.random.maybe(|random| InstrumentationScope {
            name: random.text(),
            version: random.text(),
            attributes: random.attributes(),
            dropped_attributes_count: random.dropped(),
        })
    }

    /// An eight-byte identifier that no other item has.
    pub(super) fn unique_id(&mut self) -> Vec<u8> {
        self.number().to_be_bytes().to_vec()
    }
}
