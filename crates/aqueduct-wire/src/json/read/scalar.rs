//! Values that are no messages and no lists.

use super::{Value, unexpected_text};
use crate::base64;
use crate::cursor::LEN;
use crate::schema::Kind;
use core::fmt;
use serde::de::{self, MapAccess, Unexpected, Visitor};
use std::borrow::Cow;

/// A string field, which is what most values are.
pub(super) struct Text<'o, const ELEMENT: bool>(pub(super) Value<'o, ELEMENT>);

impl<const ELEMENT: bool> Visitor<'_> for Text<'_, ELEMENT> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.0.null()
    }

    #[inline]
    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        self.0.out.bytes(self.0.field, text.as_bytes());
        Ok(())
    }
}

/// Any other field: numbers, ids and bytes.
pub(super) struct Scalar<'o, const ELEMENT: bool>(pub(super) Value<'o, ELEMENT>);

impl<const ELEMENT: bool> Scalar<'_, ELEMENT> {
    fn key(&mut self) {
        let wire = self.0.field.kind.wire();
        // Numbers in a list are packed.
        if !ELEMENT || wire == LEN {
            self.0.out.key(self.0.field, wire);
        }
    }

    fn invalid_type<E: de::Error>(&self, found: Unexpected<'_>) -> E {
        E::invalid_type(found, self)
    }

    /// A whole number that fits the field.
    fn integer<E: de::Error>(mut self, number: i128) -> Result<(), E> {
        let kind = self.0.field.kind;
        let (low, high): (i128, i128) = match kind {
            Kind::Enum | Kind::Int32 | Kind::Sint32 => (i32::MIN.into(), i32::MAX.into()),
            Kind::Int64 | Kind::Sfixed64 => (i64::MIN.into(), i64::MAX.into()),
            Kind::Uint32 | Kind::Fixed32 => (0, u32::MAX.into()),
            _ => (0, u64::MAX.into()),
        };
        if number < low || number > high {
            return Err(E::custom(format_args!("number {number} out of range")));
        }
        self.key();
        let bits = number as u64;
        match kind {
            Kind::Fixed32 => self.0.out.extend(&(number as u32).to_le_bytes()),
            Kind::Fixed64 | Kind::Sfixed64 => self.0.out.extend(&bits.to_le_bytes()),
            Kind::Sint32 => {
                let number = number as i32;
                self.0.out.varint(u64::from((number << 1 ^ number >> 31).cast_unsigned()));
            }
            _ => self.0.out.varint(bits),
        }
        Ok(())
    }

    fn double(mut self, number: f64) {
        self.key();
        self.0.out.extend(&number.to_le_bytes());
    }

    fn id<E: de::Error>(self, text: &str, len: usize, or_none: bool) -> Result<(), E> {
        if text.len() != 2 * len && !(or_none && text.is_empty()) {
            return Err(E::custom(format_args!(
                "id of {} characters, expected {} hexadecimal digits",
                text.len(),
                2 * len
            )));
        }
        let mut id = [0; 16];
        let mut wrong = 0;
        for (byte, [high, low]) in id.iter_mut().zip(text.as_bytes().as_chunks().0) {
            let (high, low) = (DIGITS[usize::from(*high)], DIGITS[usize::from(*low)]);
            *byte = high << 4 | low;
            wrong |= high | low;
        }
        if wrong > 15 {
            return Err(E::custom("id with characters that are no hexadecimal digits"));
        }
        self.0.out.bytes(self.0.field, &id[..text.len() / 2]);
        Ok(())
    }
}

impl<'de, const ELEMENT: bool> Visitor<'de> for Scalar<'_, ELEMENT> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.0.null()
    }

    fn visit_bool<E: de::Error>(mut self, value: bool) -> Result<(), E> {
        match self.0.field.kind {
            Kind::Bool => {
                self.key();
                self.0.out.push(u8::from(value));
                Ok(())
            }
            _ => Err(self.invalid_type(Unexpected::Bool(value))),
        }
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<(), E> {
        match self.0.field.kind {
            Kind::Double => {
                self.double(number as f64);
                Ok(())
            }
            kind if is_integer(kind) => self.integer(number.into()),
            _ => Err(self.invalid_type(Unexpected::Unsigned(number))),
        }
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<(), E> {
        match self.0.field.kind {
            Kind::Double => {
                self.double(number as f64);
                Ok(())
            }
            kind if is_integer(kind) => self.integer(number.into()),
            _ => Err(self.invalid_type(Unexpected::Signed(number))),
        }
    }

    /// proto3 JSON lets an integer be written with a fraction of zero or an exponent.
    fn visit_f64<E: de::Error>(self, number: f64) -> Result<(), E> {
        match self.0.field.kind {
            Kind::Double => {
                self.double(number);
                Ok(())
            }
            kind if is_integer(kind) => match exact_integer(number) {
                Some(number) => self.integer(number),
                None => Err(self.invalid_type(Unexpected::Float(number))),
            },
            _ => Err(self.invalid_type(Unexpected::Float(number))),
        }
    }

    #[cold]
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let Some(number) = number_text(map)? else {
            return Err(self.invalid_type(Unexpected::Map));
        };
        match (number.parse(), number.parse(), number.parse()) {
            (Ok(number), ..) => self.visit_u64(number),
            (_, Ok(number), _) => self.visit_i64(number),
            (_, _, Ok(number)) => self.visit_f64(number),
            _ => Err(self.invalid_type(Unexpected::Other("number"))),
        }
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        match self.0.field.kind {
            Kind::TraceId => return self.id(text, 16, false),
            Kind::SpanId => return self.id(text, 8, false),
            Kind::TraceIdOrNone => return self.id(text, 16, true),
            Kind::SpanIdOrNone => return self.id(text, 8, true),
            Kind::Bytes => match base64::decode(text.as_bytes()) {
                Some(bytes) => self.0.out.bytes(self.0.field, &bytes),
                None => return Err(unexpected_text(&self)),
            },
            Kind::Double => match (text, text.parse::<f64>()) {
                ("NaN", _) => self.double(f64::NAN),
                ("Infinity", _) => self.double(f64::INFINITY),
                ("-Infinity", _) => self.double(f64::NEG_INFINITY),
                (_, Ok(number)) if number.is_finite() => self.double(number),
                _ => return Err(unexpected_text(&self)),
            },
            // Enumerations are integers only, says OTLP.
            kind if is_integer(kind) && !matches!(kind, Kind::Enum) => match parse_integer(text) {
                Some(number) => return self.integer(number),
                None => return Err(unexpected_text(&self)),
            },
            _ => return Err(unexpected_text(&self)),
        }
        Ok(())
    }
}

/// Value of each hexadecimal digit; 0xff for what is none.
const DIGITS: [u8; 256] = {
    let mut digits = [0xff; 256];
    let mut value = 0;
    while value < 16 {
        let digit = b"0123456789abcdef"[value];
        digits[digit as usize] = value as u8;
        digits[digit.to_ascii_uppercase() as usize] = value as u8;
        value += 1;
    }
    digits
};

/// A number as the text that it is, if this is how `serde_json` hands numbers over when a crate of the same build has switched its feature
/// `arbitrary_precision` on.
pub(in crate::json) fn number_text<'de, A: MapAccess<'de>>(mut map: A) -> Result<Option<String>, A::Error> {
    if map.next_key::<Cow<'_, str>>()?.as_deref() != Some(super::NUMBER) {
        return Ok(None);
    }
    map.next_value().map(Some)
}

/// The integer that a double is, unless digits may have been lost on the way to it.
pub(in crate::json) fn exact_integer(number: f64) -> Option<i128> {
    (number.fract() == 0.0 && number.abs() <= MOST_EXACT).then_some(number as i128)
}

/// 2 to the power of 53.
const MOST_EXACT: f64 = 9_007_199_254_740_992.0;

pub(in crate::json) fn parse_integer(text: &str) -> Option<i128> {
    // What a u64 surely holds; other ways to write an integer are rare.
    if !(1..20).contains(&text.len()) {
        return parse_rare(text);
    }
    let (eights, rest) = text.as_bytes().as_chunks();
    let mut number = 0;
    for digits in eights {
        let Some(value) = eight_digits(*digits) else { return parse_rare(text) };
        number = number * 100_000_000 + value;
    }
    for digit in rest {
        let value = digit.wrapping_sub(b'0');
        if value > 9 {
            return parse_rare(text);
        }
        number = number * 10 + u64::from(value);
    }
    Some(number.into())
}

/// With a sign, more digits, a fraction of zero or an exponent.
#[cold]
fn parse_rare(text: &str) -> Option<i128> {
    text.parse().ok().or_else(|| exact_integer(text.parse().ok()?))
}

/// Eight digits at once: neighbours are joined to numbers of two digits, these to four, and these to eight.
#[inline]
fn eight_digits(digits: [u8; 8]) -> Option<u64> {
    const EACH: u64 = u64::MAX / 255;
    let word = u64::from_le_bytes(digits);
    // A digit is 0x30 to 0x39: its high half is 3, and stays that when 6 is added.
    let halves = (word & (0xf0 * EACH)) | (word.wrapping_add(0x06 * EACH) & (0xf0 * EACH)) >> 4;
    if halves != 0x33 * EACH {
        return None;
    }
    let ones = word & (0x0f * EACH);
    let twos = (ones * 10 + (ones >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (twos * 100 + (twos >> 16)) & 0x0000_ffff_0000_ffff;
    Some((fours * 10_000 + (fours >> 32)) & 0xffff_ffff)
}

fn is_integer(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Enum
            | Kind::Int32
            | Kind::Int64
            | Kind::Uint32
            | Kind::Uint64
            | Kind::Sint32
            | Kind::Fixed32
            | Kind::Fixed64
            | Kind::Sfixed64
    )
}
