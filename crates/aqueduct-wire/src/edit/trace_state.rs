//! A trace state as the list of members that it is.

use core::fmt;
use core::ops::Range;

/// Most members of a trace state.
const MEMBERS: usize = 32;

/// A trace state while it is changed: the list of members `key=value` of the header `tracestate` (W3C Trace Context,
/// section 3.3), as it stands in `Span.trace_state`.
///
/// A member that is set stands first, as the specification asks of whoever changes one; the others keep their
/// order. A list that is written anew has at most 32 members, of which the last ones go, and no spaces around
/// them. What is no member, because others wrote it, stays where it is.
///
/// # Examples
///
/// OpenTelemetry's own member holds a list: a sampler sets its threshold `th` and leaves the rest.
///
/// ```
/// use aqueduct_wire::edit::TraceState;
///
/// let mut state = TraceState::new("rojo=00f067aa0ba902b7, ot=rv:6e6d1a75832a2f;th:8");
/// let others = state.get("ot").into_iter().flat_map(|value| value.split(';')).filter(|field| !field.starts_with("th:"));
/// let value = others.chain(["th:c"]).collect::<Vec<_>>().join(";");
/// state.set("ot", &value)?;
/// assert_eq!(state.to_string(), "ot=rv:6e6d1a75832a2f;th:c,rojo=00f067aa0ba902b7");
///
/// assert!(state.remove("rojo") && !state.remove("congo"));
/// assert_eq!(state.to_string(), "ot=rv:6e6d1a75832a2f;th:c");
/// # Ok::<(), aqueduct_wire::edit::InvalidMember>(())
/// ```
#[doc(alias = "tracestate")]
pub struct TraceState<'a> {
    /// As it was.
    header: &'a str,
    cleared: bool,
    /// Keys that were set or removed, each once, the latest one last.
    changed: Vec<Changed>,
    /// What the places in `changed` are in.
    text: String,
}

struct Changed {
    key: Range<usize>,
    /// `None` if it was removed.
    value: Option<Range<usize>>,
}

/// Why a member cannot be put into a trace state (W3C Trace Context, sections 3.3.1.3.1 and 3.3.1.3.2).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidMember {
    /// A key (of level 1, which readers of level 2 take as well) has a lower-case letter and then at most 255 lower-case letters, digits, `_`, `-`, `*` or `/`. Or it is that
    /// of a tenant: at most 241 of these, the first one a letter or a digit, an `@`, and at most 14, the first one a letter.
    Key,
    /// A value has 1 to 256 printable ASCII characters, neither `,` nor `=`, and the last one is no space.
    Value,
}

impl fmt::Display for InvalidMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            InvalidMember::Key => "invalid key of a tracestate member",
            InvalidMember::Value => "invalid value of a tracestate member",
        })
    }
}

impl core::error::Error for InvalidMember {}

impl<'a> TraceState<'a> {
    /// The list in this header. Nothing is checked: what has no `=` is no member and is never found; what is before the first `=` of others is
    /// their key, what is behind it their value, whatever characters they have.
    #[must_use]
    pub fn new(header: &'a str) -> TraceState<'a> {
        TraceState { header, cleared: false, changed: Vec::new(), text: String::new() }
    }

    /// The same as a new one, in the same memory.
    pub(super) fn reset(&mut self, header: &'a str) {
        self.header = header;
        self.cleared = false;
        self.changed.clear();
        self.text.clear();
    }

    /// The value of the member with this key: of several, of the first one.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        match self.changed.iter().find(|changed| self.text[changed.key.clone()] == *key) {
            Some(changed) => changed.value.clone().map(|value| &self.text[value]),
            None => self.before().find_map(|member| value_of(member, key)),
        }
    }

    /// Gives the member with this key the value, and puts it first; of several with the key it becomes the
    /// only one. A member that has the value already stays where it is.
    ///
    /// # Errors
    ///
    /// If the key or the value is not as the specification wants it. Nothing is changed then.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), InvalidMember> {
        check(key, value)?;
        let alone =
            self.changes(key) || self.before().filter(|member| key_of(member) == Some(key)).count() == 1;
        if !alone || self.get(key) != Some(value) {
            self.put(key, Some(value));
        }
        Ok(())
    }

    /// Removes every member with this key. False if there was none.
    pub fn remove(&mut self, key: &str) -> bool {
        let was_there = self.get(key).is_some();
        let before = self.before().any(|member| key_of(member) == Some(key));
        if before {
            self.put(key, None);
        } else {
            self.changed.retain(|changed| self.text[changed.key.clone()] != *key);
        }
        was_there
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        self.cleared = true;
        self.changed.clear();
    }

    /// What is left of the header apart from the changes.
    fn before(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        members(if self.cleared { "" } else { self.header })
    }

    /// Whether there is a change of this key.
    fn changes(&self, key: &str) -> bool {
        self.changed.iter().any(|changed| self.text[changed.key.clone()] == *key)
    }

    fn put(&mut self, key: &str, value: Option<&str>) {
        self.changed.retain(|changed| self.text[changed.key.clone()] != *key);
        if self.changed.is_empty() {
            self.text.clear();
        }
        let mut append = |text: &str| {
            let start = self.text.len();
            self.text.push_str(text);
            start..self.text.len()
        };
        let changed = Changed { key: append(key), value: value.map(append) };
        self.changed.push(changed);
    }

    /// The members that were set, the latest one first, and then the others; each in parts.
    fn list(&self) -> impl Iterator<Item = [&str; 3]> {
        let set = self.changed.iter().rev().filter_map(|changed| {
            let value = changed.value.clone()?;
            Some([&self.text[changed.key.clone()], "=", &self.text[value]])
        });
        let others = self.before().filter(|member| !key_of(member).is_some_and(|key| self.changes(key)));
        set.chain(others.map(|member| [member, "", ""]))
    }

    fn append_to(&self, out: &mut String) {
        for member in self.list().take(MEMBERS) {
            if !out.is_empty() {
                out.push(',');
            }
            member.into_iter().for_each(|part| out.push_str(part));
        }
    }

    /// Whether the list has other members than it had; if so, what it is now is in `out`.
    pub(super) fn changed(&self, out: &mut String) -> bool {
        out.clear();
        if self.is_as_before() {
            return false;
        }
        self.append_to(out);
        true
    }

    /// Whether all changes together come to nothing, of a list however long.
    fn is_as_before(&self) -> bool {
        if !self.cleared && self.changed.is_empty() {
            return true;
        }
        let mut before = members(self.header);
        let is_next = |[key, equals, value]: [&str; 3]| {
            let next = before.next();
            next.and_then(|next| next.strip_prefix(key)?.strip_prefix(equals)?.strip_prefix(value))
                == Some("")
        };
        self.list().all(is_next) && before.next().is_none()
    }
}

/// The list, as it stands in a header; after changes that come to nothing, as it was.
impl fmt::Display for TraceState<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_as_before() {
            return f.write_str(self.header);
        }
        let mut list = String::new();
        self.append_to(&mut list);
        f.write_str(&list)
    }
}

/// Without the members, which are the data of others.
impl fmt::Debug for TraceState<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TraceState")
            .field("len", &self.header.len())
            .field("changes", &self.changed.len())
            .finish_non_exhaustive()
    }
}

fn members(header: &str) -> impl Iterator<Item = &str> {
    header.split(',').map(|member| member.trim_matches([' ', '\t'])).filter(|member| !member.is_empty())
}

/// What is before the first `=`; what has none is no member.
fn key_of(member: &str) -> Option<&str> {
    member.split_once('=').map(|(key, _)| key)
}

fn value_of<'a>(member: &'a str, key: &str) -> Option<&'a str> {
    member.split_once('=').filter(|(found, _)| *found == key).map(|(_, value)| value)
}

/// Whether these make a member.
pub(super) fn check(key: &str, value: &str) -> Result<(), InvalidMember> {
    if !is_key(key.as_bytes()) {
        return Err(InvalidMember::Key);
    }
    let printable = value.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b',' && byte != b'=');
    if value.is_empty() || value.len() > 256 || !printable || value.ends_with(' ') {
        return Err(InvalidMember::Value);
    }
    Ok(())
}

fn is_key(key: &[u8]) -> bool {
    let good = |key: &[u8]| {
        key.iter().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-' | b'*' | b'/')
        })
    };
    let begins = |key: &[u8]| key.first().is_some_and(u8::is_ascii_lowercase);
    match key.iter().position(|byte| *byte == b'@') {
        None => begins(key) && key.len() <= 256 && good(key),
        Some(at) => {
            let (tenant, system) = (&key[..at], &key[at + 1..]);
            let tenant_begins = begins(tenant) || tenant.first().is_some_and(u8::is_ascii_digit);
            tenant_begins
                && tenant.len() <= 241
                && good(tenant)
                && begins(system)
                && system.len() <= 14
                && good(system)
        }
    }
}
