//! `KeyValue`, and lists of them.

use super::body::Body;
use super::fields::Field;
use super::record::{Element, Repeated, Sealed, scalars};
use super::text::Text;
use super::value::Value;
use crate::cursor::LEN;
use crate::schema::numbers::key_value;
use core::fmt;

/// A list of [`KeyValue`]s: attributes, metadata, or the content of a `KeyValueList`.
#[derive(Copy, Clone, Default)]
pub struct Attributes<'a> {
    body: Body<'a>,
    number: u32,
}

impl<'a> Attributes<'a> {
    #[inline(always)]
    pub(super) fn new(body: Body<'a>, number: u32) -> Attributes<'a> {
        Attributes { body, number }
    }

    /// The attributes, in order.
    #[inline]
    #[must_use]
    pub fn iter(&self) -> Repeated<'a, KeyValue<'a>> {
        Repeated::new(self.body, self.number)
    }

    /// The value of the first attribute with this key. (Keys should be unique, says the protocol; nobody
    /// enforces it.)
    #[must_use]
    pub fn find(&self, key: &str) -> Option<Value<'a>> {
        self.iter().find(|attribute| attribute.key() == key).map(|attribute| attribute.value())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

impl<'a> IntoIterator for Attributes<'a> {
    type Item = KeyValue<'a>;
    type IntoIter = Repeated<'a, KeyValue<'a>>;

    #[inline]
    fn into_iter(self) -> Repeated<'a, KeyValue<'a>> {
        self.iter()
    }
}

/// Without the attributes, which are the data of others.
impl fmt::Debug for Attributes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attributes({})", self.iter().count())
    }
}

/// A key and a value (`common.v1.KeyValue`).
///
/// Taken apart when it is made, since nobody wants neither of the two.
#[doc(alias = "Attribute")]
#[derive(Copy, Clone, Default)]
pub struct KeyValue<'a> {
    bytes: &'a [u8],
    key: &'a [u8],
    /// The content of the value, if it was found on the short way; otherwise the message is walked again.
    value: Option<&'a [u8]>,
}

const KEY: u8 = (key_value::KEY << 3) as u8 | LEN;
const VALUE: u8 = (key_value::VALUE << 3) as u8 | LEN;

impl<'a> KeyValue<'a> {
    /// A view of the content of a `KeyValue`, without key and length of the field that it is in.
    #[inline(always)]
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> KeyValue<'a> {
        match usual(bytes) {
            Some((key, value)) => KeyValue { bytes, key, value: Some(value) },
            None => KeyValue { bytes, key: any_key(bytes), value: None },
        }
    }

    /// The content of the message as it came, unknown fields included. To pass it on, write the key of a
    /// field and the length before it.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The key. Empty in profiles, whose keys stand in a table: [`KeyValue::key_strindex`].
    #[inline]
    #[must_use]
    pub fn key(&self) -> Text<'a> {
        Text::new(self.key)
    }

    /// The value; [`Value::Empty`] if there is none.
    #[inline]
    #[must_use]
    pub fn value(&self) -> Value<'a> {
        match self.value {
            Some(value) => Value::new(value),
            None => self.value_body().map(Value::of_body).unwrap_or_default(),
        }
    }

    /// The content of the value's `AnyValue` as it came, if there is one.
    #[must_use]
    pub fn value_body(&self) -> Option<Body<'a>> {
        self.content().message(key_value::VALUE)
    }

    #[inline(always)]
    fn content(&self) -> Body<'a> {
        Body::from(self.bytes)
    }
}

/// What nearly all attributes are: a key and a value, each once, with lengths of one byte.
#[inline(always)]
fn usual(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let [KEY, len @ ..0x80, ref rest @ ..] = *bytes else { return None };
    let (key, rest) = rest.split_at_checked(usize::from(len))?;
    match *rest {
        [VALUE, len @ ..0x80, ref value @ ..] if value.len() == usize::from(len) => Some((key, value)),
        _ => None,
    }
}

#[cold]
#[inline(never)]
fn any_key(bytes: &[u8]) -> &[u8] {
    let keys = Body::from(bytes).fields().filter(|field| field.number == key_value::KEY);
    keys.filter_map(Field::bytes).last().unwrap_or_default()
}

impl Sealed for KeyValue<'_> {}
impl<'a> Element<'a> for KeyValue<'a> {
    #[inline(always)]
    fn of(content: &'a [u8]) -> KeyValue<'a> {
        KeyValue::new(content)
    }
}

/// Without the content, which is the data of others.
impl fmt::Debug for KeyValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyValue({} bytes)", self.bytes.len())
    }
}

scalars! {
    KeyValue {
        /// The place of the key in the string table of profiles; 0 elsewhere.
        key_strindex: i32 = key_value::KEY_STRINDEX,
    }
}
