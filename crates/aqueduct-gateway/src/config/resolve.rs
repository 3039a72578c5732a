//! The walk between parsing and reading: expands variables, applies merge keys, reports duplicate keys.
//!
//! It is recursive; the parser bounded the depth.

use std::collections::{HashMap, HashSet};

use super::env::{self, Lookup};
use super::errors::{Finding, Findings};
use super::position::Position;
use super::yaml::{Entry, Node, Scalar, Value, shorten};

/// Resolves `node`, which stands at the key path `path`.
pub(crate) fn resolve(node: &mut Node, path: &str, lookup: Lookup<'_>, findings: &Findings) {
    match &mut node.value {
        Value::Broken => {}
        Value::Scalar(scalar) => {
            if !expand(scalar, node.at, path, lookup, findings) {
                node.value = Value::Broken;
            }
        }
        Value::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                resolve(item, &format!("{path}[{index}]"), lookup, findings);
            }
        }
        Value::Map(entries) => {
            drop_duplicates(entries, path, findings);
            for entry in entries.iter_mut() {
                // What a merge key brings in is resolved as if it stood here.
                let path = if entry.merge { path.to_owned() } else { join(path, &entry.key) };
                resolve(&mut entry.node, &path, lookup, findings);
            }
            merge(entries, path, findings);
        }
    }
}

/// `a.b`; the root has no name. Keys of the file are shortened, as they may be anything.
pub(crate) fn join(path: &str, key: &str) -> String {
    let key = shorten(key);
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

fn expand(scalar: &mut Scalar, at: Position, path: &str, lookup: Lookup<'_>, findings: &Findings) -> bool {
    if !scalar.text.contains('$') {
        return true;
    }
    match env::expand(&scalar.text, lookup) {
        Ok(expanded) => {
            let before = std::mem::replace(&mut scalar.text, expanded.text);
            if expanded.used {
                scalar.source = Some(before);
            }
            scalar.plain |= expanded.whole;
            true
        }
        Err(references) => {
            for reference in references {
                findings.error(Finding::new(at, path, reference.message).with_help(reference.help));
            }
            false
        }
    }
}

/// Keeps the first of equal keys and reports the others.
fn drop_duplicates(entries: &mut Vec<Entry>, path: &str, findings: &Findings) {
    let mut seen = HashMap::with_capacity(entries.len());
    entries.retain(|entry| match seen.get(&entry.key) {
        None => {
            seen.insert(entry.key.clone(), entry.at);
            true
        }
        Some(first) => {
            let first: &Position = first;
            findings.error(
                Finding::new(entry.at, join(path, &entry.key), "this key is already set in this mapping")
                    .with_help(format!(
                        "the first one is at line {}, column {}; keep one of them",
                        first.line, first.column
                    )),
            );
            false
        }
    });
}

/// Applies `<<`: what the mapping sets itself wins, then the merged mappings in their order.
fn merge(entries: &mut Vec<Entry>, path: &str, findings: &Findings) {
    // At most one is left: duplicates were dropped.
    let Some(index) = entries.iter().position(|entry| entry.merge) else { return };
    let Entry { node, .. } = entries.remove(index);
    let at = node.at;
    let sources = match node.value {
        Value::List(items) => items,
        value => vec![Node { at, value }],
    };
    let mut known: HashSet<String> = entries.iter().map(|entry| entry.key.clone()).collect();
    for source in sources {
        match source.value {
            Value::Map(merged) => {
                for entry in merged {
                    if known.insert(entry.key.clone()) {
                        entries.push(entry);
                    }
                }
            }
            Value::Broken => {}
            _ => findings.error(Finding::new(
                source.at,
                join(path, "<<"),
                format!(
                    "found {}, expected an alias of a mapping, such as `<<: *defaults`",
                    source.describe()
                ),
            )),
        }
    }
}
