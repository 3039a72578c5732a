//! The header `tracestate`, to the letter.

use opentelemetry::trace::TraceState;

/// Members of a list, at most; those without content do not count.
const MOST: usize = 32;
/// Characters of a key, and of a value, at most.
const LONGEST: usize = 256;

/// Reads the headers of a carrier, which are one list. One that does not follow the grammar is none: it must not be passed on, and the rest of the context stays.
///
/// The SDK's type reads less than the grammar has (keys with an at sign far from their end, or with several), and more (values of any characters). What it does
/// not hold is left out, and the other members stay.
pub(super) fn read<'a>(headers: impl IntoIterator<Item = &'a str>) -> TraceState {
    let Some(members) = members(headers) else { return TraceState::NONE };
    TraceState::from_key_value(members.iter().copied()).unwrap_or_else(|_| {
        let held = members.iter().copied().filter(|member| TraceState::from_key_value([*member]).is_ok());
        TraceState::from_key_value(held).unwrap_or_default()
    })
}

fn members<'a>(headers: impl IntoIterator<Item = &'a str>) -> Option<Vec<(&'a str, &'a str)>> {
    let (mut members, mut count) = (Vec::<(&str, &str)>::new(), 0);
    for member in headers.into_iter().flat_map(|header| header.split(',')) {
        let member = member.trim_matches([' ', '\t']);
        if member.is_empty() {
            continue;
        }
        count += 1;
        let (key, value) = member.split_once('=')?;
        if count > MOST || !is_key(key) || !is_value(value) {
            return None;
        }
        // Who adds to a list does so in front: of several members with one key the first is the latest.
        if members.iter().all(|(known, _)| *known != key) {
            members.push((key, value));
        }
    }
    Some(members)
}

fn is_key(key: &str) -> bool {
    let first = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let further = |byte: u8| first(byte) || matches!(byte, b'_' | b'-' | b'*' | b'/' | b'@');
    key.len() <= LONGEST && key.bytes().next().is_some_and(first) && key.bytes().all(further)
}

/// What it ends with is no space, as spaces at the ends of members do not belong to them.
fn is_value(value: &str) -> bool {
    let printable = |byte: u8| matches!(byte, b' '..=b'~') && byte != b',' && byte != b'=';
    (1..=LONGEST).contains(&value.len()) && value.bytes().all(printable)
}
