//! Reads typed values out of the tree.
//!
//! A [`Section`] is a mapping whose keys are known; opening it reports every key that is not. Its readers return the
//! value, or the default after reporting what is wrong, so that one pass finds every error of a file.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::errors::{Finding, Findings};
use super::position::{Position, Setting};
use super::resolve::join;
use super::yaml::{Entry, Node, Value};
use super::{duration, size};

/// The keys of a section.
#[derive(Debug)]
pub(crate) struct Keys {
    /// Keys that are honoured.
    pub(crate) supported: &'static [&'static str],
    /// Keys that the collector has and this gateway does not, with what to do instead.
    pub(crate) refused: &'static [(&'static str, &'static str)],
}

/// A mapping with known keys.
#[derive(Debug)]
pub(crate) struct Section<'a> {
    pub(crate) findings: &'a Findings,
    pub(crate) path: String,
    /// Where errors about the whole section point: its key.
    pub(crate) at: Position,
    entries: &'a [Entry],
    keys: &'static Keys,
    /// The node is no mapping, which was reported: missing keys are no news then.
    broken: bool,
}

/// The value of one key.
#[derive(Debug, Clone)]
pub(crate) struct Field<'a> {
    pub(crate) findings: &'a Findings,
    pub(crate) path: String,
    pub(crate) key_at: Position,
    pub(crate) node: &'a Node,
}

impl<'a> Section<'a> {
    /// Opens the section in `field`; nothing (`batch:`) is the empty section.
    pub(crate) fn open(field: &Field<'a>, keys: &'static Keys) -> Self {
        let (entries, broken) = match field.entries() {
            Some(entries) => (entries, false),
            None => (&[][..], true),
        };
        let section = Self {
            findings: field.findings,
            path: field.path.clone(),
            at: field.key_at,
            entries,
            keys,
            broken,
        };
        for entry in entries.iter().filter(|entry| !keys.supported.contains(&entry.key.as_str())) {
            section.unknown(entry);
        }
        section
    }

    fn unknown(&self, entry: &Entry) {
        let path = join(&self.path, &entry.key);
        let keys = self.keys;
        if let Some((_, instead)) = keys.refused.iter().find(|(name, _)| *name == entry.key) {
            let finding = Finding::new(entry.at, path, "this key of the collector is not supported");
            self.findings.error(finding.with_help(*instead));
            return;
        }
        let mut finding = Finding::new(entry.at, path, "unknown key");
        if self.findings.is_full() {
            return self.findings.error(finding);
        }
        if let Some(near) = nearest(&entry.key, keys.supported.iter().copied()) {
            finding = finding.with_help(format!("did you mean `{near}`?"));
        }
        self.findings.error(finding.with_help(format!("supported here: {}", sorted(keys.supported))));
    }

    /// The value of `key`, if the file sets it.
    pub(crate) fn field(&self, key: &str) -> Option<Field<'a>> {
        debug_assert!(self.keys.supported.contains(&key), "{key} is not declared in {}", self.path);
        self.entries.iter().find(|entry| entry.key == key).map(|entry| Field {
            findings: self.findings,
            path: join(&self.path, key),
            key_at: entry.at,
            node: &entry.node,
        })
    }

    /// As [`Section::field`]; a missing key is an error that says what it is for.
    pub(crate) fn required(&self, key: &str, meaning: &str) -> Option<Field<'a>> {
        let field = self.field(key);
        if field.is_none() && !self.broken {
            let path = self.path.clone();
            self.findings.error(Finding::new(
                self.at,
                path,
                format!("the key `{key}` is missing: {meaning}"),
            ));
        }
        field
    }

    pub(crate) fn duration(&self, key: &str, default: Duration, range: RangeInclusive<Duration>) -> Duration {
        self.field(key).and_then(|field| field.duration(range)).unwrap_or(default)
    }

    pub(crate) fn integer(&self, key: &str, default: u64, range: RangeInclusive<u64>) -> u64 {
        self.field(key).and_then(|field| field.integer(range)).unwrap_or(default)
    }

    pub(crate) fn size(&self, key: &str, default: u64, range: RangeInclusive<u64>) -> u64 {
        self.field(key).and_then(|field| field.size(range)).unwrap_or(default)
    }

    pub(crate) fn flag(&self, key: &str, default: bool) -> bool {
        self.field(key).and_then(|field| field.flag()).unwrap_or(default)
    }

    /// The one of `choices` that the file names.
    pub(crate) fn choice<T: Copy>(&self, key: &str, default: T, choices: &[(&'static str, T)]) -> T {
        self.field(key).and_then(|field| field.choice(choices)).unwrap_or(default)
    }

    /// A key of the collector that is accepted only with the value that says what this gateway does anyway.
    pub(crate) fn only(&self, key: &str, value: &str, why: &str) {
        let Some(field) = self.field(key) else { return };
        match field.scalar() {
            Some(text) if text == value => {}
            Some(_) => {
                let message = format!("found {}, only `{value}` is supported", field.node.describe());
                field.fail(Finding::new(field.node.at, field.path.clone(), message).with_help(why));
            }
            None => {}
        }
    }

    /// Where `key` is set, for messages of later stages.
    pub(crate) fn setting(&self, key: &str) -> Setting {
        let position = self.entries.iter().find(|entry| entry.key == key).map(|entry| entry.node.at);
        Setting { path: join(&self.path, key), position }
    }
}

impl<'a> Field<'a> {
    /// An error at the value.
    pub(crate) fn wrong(&self, expected: &str) -> Finding {
        let found = self.node.describe();
        Finding::new(self.node.at, self.path.clone(), format!("found {found}, expected {expected}"))
    }

    pub(crate) fn fail(&self, finding: Finding) {
        if !matches!(self.node.value, Value::Broken) {
            self.findings.error(finding);
        }
    }

    /// The entries of a mapping; nothing is empty, and anything else is reported.
    pub(crate) fn entries(&self) -> Option<&'a [Entry]> {
        match &self.node.value {
            Value::Map(entries) => Some(entries),
            _ if self.node.is_null() => Some(&[]),
            _ => {
                self.fail(self.wrong("a mapping (`key: value` lines, indented)"));
                None
            }
        }
    }

    /// Whether it is a mapping without entries, or nothing. Reports nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.node.is_null() || matches!(&self.node.value, Value::Map(entries) if entries.is_empty())
    }

    /// The members of a mapping with free keys, none if it is no mapping. Reports nothing: see [`Field::entries`].
    pub(crate) fn members(&self) -> impl Iterator<Item = (&'a str, Field<'a>)> {
        let (path, findings) = (self.path.clone(), self.findings);
        let entries = match &self.node.value {
            Value::Map(entries) => entries.as_slice(),
            _ => &[],
        };
        entries.iter().map(move |entry| {
            let path = join(&path, &entry.key);
            (entry.key.as_str(), Field { findings, path, key_at: entry.at, node: &entry.node })
        })
    }

    /// The items of a list; a single value is not taken for a list of one.
    pub(crate) fn items(&self, of: &str) -> Option<Vec<Field<'a>>> {
        match &self.node.value {
            Value::List(items) => Some(
                items
                    .iter()
                    .enumerate()
                    .map(|(index, node)| Field {
                        findings: self.findings,
                        path: format!("{}[{index}]", self.path),
                        key_at: node.at,
                        node,
                    })
                    .collect(),
            ),
            _ => {
                self.fail(self.wrong(&format!("a list of {of}, such as [a, b]")));
                None
            }
        }
    }

    /// The text of a scalar that is not null, whatever type it looks like.
    fn scalar(&self) -> Option<&'a str> {
        match &self.node.value {
            Value::Scalar(scalar) if !scalar.is_null() => Some(&scalar.text),
            _ => {
                self.fail(self.wrong("a value"));
                None
            }
        }
    }

    /// Text, as written: `8080`, `true` and `1e3` are what they look like.
    pub(crate) fn text(&self, expected: &str) -> Option<&'a str> {
        match &self.node.value {
            Value::Scalar(scalar) if !scalar.is_null() => Some(&scalar.text),
            _ => {
                self.fail(self.wrong(expected));
                None
            }
        }
    }

    /// `""`.
    pub(crate) fn is_empty_text(&self) -> bool {
        matches!(&self.node.value, Value::Scalar(scalar) if !scalar.plain && scalar.text.is_empty())
    }

    /// An unquoted scalar's text, for numbers and booleans.
    fn plain(&self, expected: &str) -> Option<&'a str> {
        match &self.node.value {
            Value::Scalar(scalar) if scalar.plain && !scalar.is_null() => Some(&scalar.text),
            Value::Scalar(scalar) if !scalar.plain => {
                self.fail(self.wrong(expected).with_help("the quotes make it text: remove them"));
                None
            }
            _ => {
                self.fail(self.wrong(expected));
                None
            }
        }
    }

    pub(crate) fn flag(&self) -> Option<bool> {
        match self.plain("true or false")? {
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            _ => {
                self.fail(self.wrong("true or false"));
                None
            }
        }
    }

    pub(crate) fn integer(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let expected = match range.end() {
            &u64::MAX => format!("a whole number of at least {}", range.start()),
            end => format!("a whole number from {} to {end}", range.start()),
        };
        let text = self.plain(&expected)?;
        match text.parse::<u64>().ok().filter(|n| !text.starts_with('+') && range.contains(n)) {
            Some(number) => Some(number),
            None => {
                self.fail(self.wrong(&expected));
                None
            }
        }
    }

    pub(crate) fn number(&self, range: RangeInclusive<f64>) -> Option<f64> {
        let expected = format!("a number from {} to {}", range.start(), range.end());
        match self.plain(&expected)?.parse::<f64>().ok().filter(|n| range.contains(n)) {
            Some(number) => Some(number),
            None => {
                self.fail(self.wrong(&expected));
                None
            }
        }
    }

    pub(crate) fn duration(&self, range: RangeInclusive<Duration>) -> Option<Duration> {
        let value = match duration::parse(self.text(duration::EXPECTED)?) {
            Ok(value) => value,
            Err(why) => {
                self.fail(self.wrong(duration::EXPECTED).with_help(why));
                return None;
            }
        };
        if range.contains(&value) {
            return Some(value);
        }
        let (from, to) = (duration::format(*range.start()), duration::format(*range.end()));
        self.fail(self.wrong(&format!("a duration from {from} to {to}")));
        None
    }

    pub(crate) fn sized(&self, range: RangeInclusive<u64>) -> Option<size::Size> {
        let value = match size::parse(self.text(size::EXPECTED)?) {
            Ok(value) => value,
            Err(why) => {
                self.fail(self.wrong(size::EXPECTED).with_help(why));
                return None;
            }
        };
        if range.contains(&value.bytes) {
            return Some(value);
        }
        let (from, to) = (size::format(*range.start()), size::format(*range.end()));
        self.fail(self.wrong(&format!("a size from {from} to {to}")));
        None
    }

    pub(crate) fn size(&self, range: RangeInclusive<u64>) -> Option<u64> {
        self.sized(range).map(|size| size.bytes)
    }

    pub(crate) fn choice<T: Copy>(&self, choices: &[(&'static str, T)]) -> Option<T> {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let expected = format!("one of {}", names.join(", "));
        let text = self.text(&expected)?;
        if let Some((_, value)) = choices.iter().find(|(name, _)| *name == text) {
            return Some(*value);
        }
        let mut finding = self.wrong(&expected);
        if let Some(near) = nearest(text, names.into_iter()) {
            finding = finding.with_help(format!("did you mean `{near}`?"));
        }
        self.fail(finding);
        None
    }
}

/// Candidates looked at and names listed: a file that defines more components than this has no need of a tutor.
const NEAREST_OF: usize = 200;
const LISTED: usize = 30;

/// The candidate that `text` most likely means: at most a third of its letters differ, or case and separators only.
pub(crate) fn nearest<'c>(text: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    // Longer than any candidate by far, and the distance is quadratic.
    if text.len() > 64 {
        return None;
    }
    let fold = |text: &str| text.to_ascii_lowercase().replace(['-', ' '], "_");
    let folded = fold(text);
    candidates
        .take(NEAREST_OF)
        .map(|candidate| (strsim::damerau_levenshtein(&folded, &fold(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len().max(text.len()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The names in alphabetical order, for "supported here".
pub(crate) fn sorted(names: &[&str]) -> String {
    let mut names = names.to_vec();
    names.sort_unstable();
    match names.get(..LISTED) {
        Some(first) if names.len() > LISTED => {
            format!("{} and {} more", first.join(", "), names.len() - LISTED)
        }
        _ => names.join(", "),
    }
}
