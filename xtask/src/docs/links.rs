//! Links to items, which only rustdoc resolves, into plain text.

use std::collections::BTreeMap;

/// The link definitions of a text: `[label]: target`.
pub(super) struct Links {
    definitions: BTreeMap<String, String>,
}

impl Links {
    /// Collects the definitions of a text.
    pub(super) fn of(text: &str) -> Self {
        let definitions = text.lines().filter_map(definition);
        Self {
            definitions: definitions.map(|(label, target)| (label.to_owned(), target.to_owned())).collect(),
        }
    }

    /// Whether the line defines a link that means nothing outside of rustdoc.
    pub(super) fn is_dropped_definition(&self, line: &str) -> bool {
        definition(line).is_some_and(|(_, target)| !is_address(target))
    }

    /// The line with links to items replaced by their text; links to addresses and code stay.
    pub(super) fn plain(&self, line: &str) -> String {
        let mut out = String::with_capacity(line.len());
        let mut rest = line;
        while let Some(next) = rest.chars().next() {
            let taken = match next {
                '`' => {
                    let len = code_span(rest);
                    out.push_str(&rest[..len]);
                    len
                }
                '[' => match self.link(rest) {
                    Some((len, text)) => {
                        out.push_str(&text);
                        len
                    }
                    None => {
                        out.push('[');
                        1
                    }
                },
                other => {
                    out.push(other);
                    other.len_utf8()
                }
            };
            rest = &rest[taken..];
        }
        out
    }

    /// The length of a link at the start of `rest` and what stands for it, if there is a link.
    fn link(&self, rest: &str) -> Option<(usize, String)> {
        let close = matching(rest)?;
        let text = &rest[1..close];
        let behind = &rest[close + 1..];
        let (len, target) = if let Some(inline) = behind.strip_prefix('(') {
            let end = inline.find(')')?;
            (close + 1 + end + 2, Some(inline[..end].split(' ').next().unwrap_or_default()))
        } else if let Some(reference) = behind.strip_prefix('[') {
            let end = reference.find(']')?;
            let label = if end == 0 { text } else { &reference[..end] };
            (close + 1 + end + 2, self.target(label).or(Some("")))
        } else {
            (close + 1, self.target(text).or_else(|| is_item(text).then_some("")))
        };
        // A bracket that refers to nothing is a bracket: "[0, 1)".
        let target = target?;
        Some((len, if is_address(target) { rest[..len].to_owned() } else { text.to_owned() }))
    }

    fn target(&self, label: &str) -> Option<&str> {
        self.definitions.get(label).map(String::as_str)
    }
}

fn definition(line: &str) -> Option<(&str, &str)> {
    let (label, target) = line.trim_start().strip_prefix('[')?.split_once("]:")?;
    Some((label, target.trim()))
}

/// Whether a target means something to a reader of plain Markdown.
fn is_address(target: &str) -> bool {
    ["http://", "https://", "mailto:", "#"].iter().any(|start| target.starts_with(start))
}

/// Whether a bracketed text alone is a link to an item: code, a path, or a capitalised name.
fn is_item(text: &str) -> bool {
    let code = text.strip_prefix('`').and_then(|text| text.strip_suffix('`'));
    let name = code.unwrap_or(text);
    let path = name.split_once('@').map_or(name, |(_, path)| path).trim_end_matches(['(', ')', '!']);
    let is_path = !path.is_empty() && path.chars().all(|c| c.is_alphanumeric() || c == '_' || c == ':');
    code.is_some() || (is_path && (path.contains("::") || path.starts_with(char::is_uppercase)))
}

/// Where the bracket that opens `rest` closes; brackets in code do not count.
fn matching(rest: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(next) = rest[at..].chars().next() {
        match next {
            '`' => at += code_span(&rest[at..]) - 1,
            '[' => depth += 1,
            ']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
        at += next.len_utf8();
    }
    None
}

/// The length of the code span that begins `rest`, or of its marks if it never ends.
fn code_span(rest: &str) -> usize {
    let marks = rest.bytes().take_while(|&byte| byte == b'`').count();
    let close = rest[marks..].find(&rest[..marks]);
    close.map_or(marks, |close| marks + close + marks)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards each form of link, and that what is no link stays as it is.
    #[test]
    fn every_form_of_link() {
        let links = Links::of(
            "[guide]: crate::guide\n[site]: https://example.com\n[`Map`]: std::collections::HashMap",
        );
        for (line, wanted) in [
            ("[`Chunk`]", "`Chunk`"),
            ("[`scan()`](wire::scan)", "`scan()`"),
            ("[a `b` c](crate::b)", "a `b` c"),
            ("[`x`][crate::x] and [x][]", "`x` and x"),
            ("[the guide][guide], [guide]", "the guide, guide"),
            ("[`Map`]s", "`Map`s"),
            ("[Chunk] [wire::scan] [struct@Chunk]", "Chunk wire::scan struct@Chunk"),
            (
                "[a](https://example.com \"t\") [b][site] [site] [c](#c)",
                "[a](https://example.com \"t\") [b][site] [site] [c](#c)",
            ),
            (
                "[0, 1) and [x] and a[1] `[Chunk]` ``[`Chunk`]``",
                "[0, 1) and [x] and a[1] `[Chunk]` ``[`Chunk`]``",
            ),
            ("[unfinished `code", "[unfinished `code"),
        ] {
            assert_eq!(links.plain(line), wanted);
        }
    }

    /// Guards the definitions: those to items go, those to addresses stay.
    #[test]
    fn definitions_of_items_are_dropped() {
        let links = Links::of("");
        assert!(links.is_dropped_definition("[`Map`]: crate::Map"));
        assert!(!links.is_dropped_definition("[site]: https://example.com"));
        assert!(!links.is_dropped_definition("[x] is: not one"));
    }
}
