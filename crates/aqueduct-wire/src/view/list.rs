//! Lists of numbers, packed or not, or both by turns.

use super::body::Body;
use super::fields::{Data, Fields};
use crate::cursor::Cursor;
use core::fmt;

/// The integers of a list, in order.
#[derive(Clone)]
pub struct Counts<'a> {
    fields: Fields<'a>,
    number: u32,
    form: Form,
    packed: &'a [u8],
}

/// How a number of the list is written.
#[derive(Copy, Clone)]
enum Form {
    Fixed,
    Varint,
}

impl<'a> Counts<'a> {
    pub(super) fn fixed(body: Body<'a>, number: u32) -> Counts<'a> {
        Counts { fields: body.fields(), number, form: Form::Fixed, packed: &[] }
    }

    pub(super) fn varints(body: Body<'a>, number: u32) -> Counts<'a> {
        Counts { fields: body.fields(), number, form: Form::Varint, packed: &[] }
    }

    fn unpack(&mut self) -> Option<u64> {
        match self.form {
            Form::Fixed => {
                let (number, rest) = self.packed.split_first_chunk()?;
                self.packed = rest;
                Some(u64::from_le_bytes(*number))
            }
            Form::Varint => {
                let mut cursor = Cursor::new(self.packed);
                let number = cursor.varint().ok()?;
                self.packed = cursor.rest;
                Some(number)
            }
        }
    }
}

impl Iterator for Counts<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        loop {
            if let Some(number) = self.unpack() {
                return Some(number);
            }
            let field = self.fields.next()?;
            match (field.data, self.form) {
                _ if field.number != self.number => {}
                (Data::Bytes(packed), _) => self.packed = packed,
                (Data::Fixed64(number), Form::Fixed) | (Data::Varint(number), Form::Varint) => {
                    return Some(number);
                }
                _ => {}
            }
        }
    }
}

impl fmt::Debug for Counts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counts").finish_non_exhaustive()
    }
}

/// The floating-point numbers of a list, in order.
#[derive(Clone, Debug)]
pub struct Doubles<'a> {
    bits: Counts<'a>,
}

impl<'a> Doubles<'a> {
    pub(super) fn new(body: Body<'a>, number: u32) -> Doubles<'a> {
        Doubles { bits: Counts::fixed(body, number) }
    }
}

impl Iterator for Doubles<'_> {
    type Item = f64;

    fn next(&mut self) -> Option<f64> {
        self.bits.next().map(f64::from_bits)
    }
}
