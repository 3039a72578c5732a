//! The messages of OTLP as tables: the only place where field numbers stand.
//!
//! Source: opentelemetry-proto 1.10, packages `collector.*.v1`, `trace.v1`, `metrics.v1`, `logs.v1`,
//! `resource.v1` and `common.v1`. The validator, the paths in errors and the JSON door all read these
//! tables.

#[cfg(feature = "json")]
mod camel;
mod levels;
mod messages;
pub(crate) mod tags;

pub(crate) use levels::{
    DESCRIBED_BY, ITEMS, Level, POINTS, RECORDS, RESOURCE_ATTRIBUTES, SCOPE_ATTRIBUTES, SCOPES, ids, is_data,
    item_attributes, message_key,
};
pub(crate) use messages::{KEY_VALUE, numbers, request};

#[cfg(feature = "json")]
pub(crate) use camel::{CamelCase, Words};

use crate::cursor::{FIXED32, FIXED64, LEN, VARINT};

/// A message type.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) fields: &'static [Field],
    pub(crate) role: Role,
    /// What to do with a field, by the first byte of its key. The largest field number is 16, whose key has
    /// two bytes: the first of them is 128 plus the key's low seven bits and the second is 1, which makes
    /// the first one equal to the key modulo 256.
    pub(crate) table: [Op; 256],
    /// The message type of a field, by number.
    pub(crate) children: [Option<&'static Message>; 17],
}

/// What a message type is for the validator, besides its fields.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Nothing special.
    Plain,
    /// One of the request's records.
    Record,
    /// One of a record's scopes.
    Scope,
    /// An item whose fields need no more than their own checks.
    Item,
    /// An item that must have both ids.
    Span,
    /// Its message fields are alternatives: only the last one counts.
    Metric,
    /// A level of value nesting.
    AnyValue,
}

/// A field of a message.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) number: u8,
    /// As in the `.proto` file.
    pub(crate) name: &'static str,
    /// As in JSON.
    #[cfg(feature = "json")]
    pub(crate) camel_case: CamelCase,
    pub(crate) kind: Kind,
    pub(crate) form: Form,
}

/// How often a field may occur.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// The last value counts; messages are merged.
    One,
    /// One of a `oneof`: it replaces its alternatives.
    Either,
    /// Every value counts. Lists of numbers may be packed or not.
    List,
}

/// The type of a field.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Kind {
    String,
    Bytes,
    /// 16 bytes.
    TraceId,
    /// 8 bytes.
    SpanId,
    /// Empty or 16 bytes.
    TraceIdOrNone,
    /// Empty or 8 bytes.
    SpanIdOrNone,
    Bool,
    Enum,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Fixed32,
    Fixed64,
    Sfixed64,
    Double,
    Message(&'static Message),
}

/// What the validator does with a field that has the right wire type.
#[repr(u8)]
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// Unknown, of another wire type, or with a key that is not written in the shortest way.
    Other,
    Varint,
    Fixed32,
    Fixed64,
    String,
    Bytes,
    TraceId,
    SpanId,
    TraceIdOrNone,
    SpanIdOrNone,
    PackedVarint,
    PackedFixed64,
    Message,
    /// A message of type `KeyValue` in a list.
    Attribute,
}

impl Kind {
    pub(crate) const fn wire(&self) -> u8 {
        match self {
            Kind::Bool
            | Kind::Enum
            | Kind::Int32
            | Kind::Int64
            | Kind::Uint32
            | Kind::Uint64
            | Kind::Sint32 => VARINT,
            Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => FIXED64,
            Kind::Fixed32 => FIXED32,
            _ => LEN,
        }
    }

    const fn op(&self) -> Op {
        match self {
            Kind::String => Op::String,
            Kind::Bytes => Op::Bytes,
            Kind::TraceId => Op::TraceId,
            Kind::SpanId => Op::SpanId,
            Kind::TraceIdOrNone => Op::TraceIdOrNone,
            Kind::SpanIdOrNone => Op::SpanIdOrNone,
            Kind::Message(_) => Op::Message,
            number => match number.wire() {
                VARINT => Op::Varint,
                FIXED64 => Op::Fixed64,
                _ => Op::Fixed32,
            },
        }
    }
}

impl Field {
    const fn new(number: u8, name: &'static str, kind: Kind, form: Form) -> Field {
        Field {
            number,
            name,
            #[cfg(feature = "json")]
            camel_case: CamelCase::new(name),
            kind,
            form,
        }
    }
}

impl Message {
    pub(crate) const fn new(role: Role, fields: &'static [Field]) -> Message {
        let mut table = [Op::Other; 256];
        let mut children = [None; 17];
        let mut at = 0;
        while at < fields.len() {
            let field = &fields[at];
            assert!(at == 0 || fields[at - 1].number < field.number, "fields are sorted by number");
            let key = (field.number << 3) as usize;
            table[key | field.kind.wire() as usize] = field.kind.op();
            if let Kind::Message(child) = field.kind {
                children[field.number as usize] = Some(child);
            }
            let list = matches!(field.form, Form::List);
            // Lists of numbers are accepted in both forms, whichever the protocol prefers.
            if list && field.kind.wire() == VARINT {
                table[key | LEN as usize] = Op::PackedVarint;
            } else if list && field.kind.wire() == FIXED64 {
                table[key | LEN as usize] = Op::PackedFixed64;
            }
            at += 1;
        }
        Message { fields, role, table, children }
    }

    /// Marks the lists of `KeyValue` among the fields.
    pub(crate) const fn with_attributes(mut self, number: u8) -> Message {
        self.table[(number << 3 | LEN) as usize] = Op::Attribute;
        self
    }

    /// Whether a field is a list of `KeyValue`s.
    pub(crate) fn holds_attributes(&self, number: u32) -> bool {
        number < 16 && self.table[(number as u8 as usize) << 3 | LEN as usize] == Op::Attribute
    }

    pub(crate) fn field(&self, number: u32) -> Option<&'static Field> {
        self.fields.iter().find(|field| u32::from(field.number) == number)
    }
}
