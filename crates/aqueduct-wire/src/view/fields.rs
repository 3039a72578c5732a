//! Field by field through a message.

use super::body::{Body, Later};
use super::text::text;
use crate::cursor::{Cursor, FIXED32, FIXED64, LEN, MESSAGE_DEPTH, VARINT};

/// The fields of a message in the order in which they stand there. Groups, which OTLP has none of, are left
/// out. Ends early at what is no protobuf.
#[derive(Copy, Clone)]
pub(super) struct Fields<'a> {
    cursor: Cursor<'a>,
    later: Later<'a>,
}

/// A field of a message.
#[derive(Copy, Clone)]
pub(super) struct Field<'a> {
    pub(super) number: u32,
    pub(super) data: Data<'a>,
}

/// What a field holds, by its wire type.
#[derive(Copy, Clone)]
pub(super) enum Data<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

impl<'a> Fields<'a> {
    #[inline(always)]
    pub(super) fn new(body: Body<'a>) -> Fields<'a> {
        let (first, later) = body.start();
        Fields { cursor: Cursor::new(first), later }
    }

    /// The content of the message in field `number`, whose pieces are all in what is still to be read.
    pub(super) fn body_from(&self, number: u32) -> Body<'a> {
        let Fields { mut cursor, mut later } = *self;
        if cursor.is_empty() {
            cursor = Cursor::new(later.next().unwrap_or_default());
        }
        Body::of_pieces(cursor.rest, later, number)
    }

    #[inline(always)]
    fn read(&mut self) -> Option<Option<Field<'a>>> {
        let (number, wire) = self.cursor.key().ok()?;
        let data = match wire {
            LEN => Data::Bytes(self.cursor.bytes().ok()?),
            VARINT => Data::Varint(self.cursor.varint().ok()?),
            FIXED64 => Data::Fixed64(u64::from_le_bytes(*self.cursor.take(8).ok()?.first_chunk()?)),
            FIXED32 => Data::Fixed32(u32::from_le_bytes(*self.cursor.take(4).ok()?.first_chunk()?)),
            _ => {
                self.cursor.skip(number, wire, MESSAGE_DEPTH).ok()?;
                return Some(None);
            }
        };
        Some(Some(Field { number, data }))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    #[inline(always)]
    fn next(&mut self) -> Option<Field<'a>> {
        loop {
            if self.cursor.is_empty() {
                if self.later.is_none() {
                    return None;
                }
                self.cursor = Cursor::new(self.later.next()?);
                continue;
            }
            match self.read() {
                Some(None) => {}
                Some(field) => return field,
                None => {
                    (self.cursor, self.later) = (Cursor::new(&[]), Later::default());
                    return None;
                }
            }
        }
    }
}

impl<'a> Field<'a> {
    #[inline(always)]
    pub(super) fn bytes(self) -> Option<&'a [u8]> {
        match self.data {
            Data::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// A type of field that is no message: the last one counts, and it has a default.
pub(super) trait Scalar<'a>: Default {
    /// `None` if the wire type is not one of this type.
    fn read(field: Field<'a>) -> Option<Self>;
}

impl<'a> Scalar<'a> for &'a [u8] {
    #[inline(always)]
    fn read(field: Field<'a>) -> Option<&'a [u8]> {
        field.bytes()
    }
}

impl<'a> Scalar<'a> for &'a str {
    #[inline(always)]
    fn read(field: Field<'a>) -> Option<&'a str> {
        field.bytes().map(text)
    }
}

/// `uint64` and `fixed64`.
impl Scalar<'_> for u64 {
    #[inline(always)]
    fn read(field: Field<'_>) -> Option<u64> {
        match field.data {
            Data::Varint(number) | Data::Fixed64(number) => Some(number),
            _ => None,
        }
    }
}

/// `uint32` and `fixed32`. Of a longer varint the low bits count, in all of protobuf.
impl Scalar<'_> for u32 {
    #[inline(always)]
    fn read(field: Field<'_>) -> Option<u32> {
        match field.data {
            Data::Varint(number) => Some(number as u32),
            Data::Fixed32(number) => Some(number),
            _ => None,
        }
    }
}

/// `int32`.
impl Scalar<'_> for i32 {
    #[inline(always)]
    fn read(field: Field<'_>) -> Option<i32> {
        u32::read(field).map(u32::cast_signed)
    }
}

impl Scalar<'_> for bool {
    #[inline(always)]
    fn read(field: Field<'_>) -> Option<bool> {
        u64::read(field).map(|number| number != 0)
    }
}

impl Scalar<'_> for f64 {
    #[inline(always)]
    fn read(field: Field<'_>) -> Option<f64> {
        match field.data {
            Data::Fixed64(bits) => Some(f64::from_bits(bits)),
            _ => None,
        }
    }
}

/// An `optional` field.
impl<'a, T: Scalar<'a>> Scalar<'a> for Option<T> {
    #[inline(always)]
    fn read(field: Field<'a>) -> Option<Option<T>> {
        T::read(field).map(Some)
    }
}

/// What a varint that was read as `int32` means as `sint32`, whose sign is in the lowest bit.
pub(super) fn zigzag(number: i32) -> i32 {
    let number = number.cast_unsigned();
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}
