//! Crate docs into a README: what only rustdoc understands becomes plain Markdown.

use super::links::Links;

/// The README of `name` from the text of its `lib.rs`.
///
/// Headings move down a level because the title takes the first; fences that rustdoc reads as Rust are marked `rust`
/// and lose their hidden lines; links to items become code.
pub(super) fn render(name: &str, source: &str) -> String {
    let docs = crate_docs(source);
    let links = Links::of(&docs);
    let mut lines: Vec<String> = Vec::new();
    let mut paragraph: Vec<&str> = Vec::new();
    let mut fence: Option<Fence> = None;
    for line in docs.lines() {
        let opened = if fence.is_none() { Fence::open(line) } else { None };
        if fence.is_none() && opened.is_none() && !line.trim().is_empty() {
            paragraph.push(line);
            continue;
        }
        lines.extend(prose(&std::mem::take(&mut paragraph), &links));
        if let Some(opened) = opened {
            lines.push(opened.head());
            fence = Some(opened);
        } else if fence.as_ref().is_some_and(|open| open.closes(line)) {
            lines.push(line.to_owned());
            fence = None;
        } else if fence.as_ref().is_some_and(|open| open.rust) {
            lines.extend(shown(line));
        } else {
            lines.push(line.to_owned());
        }
    }
    lines.extend(prose(&paragraph, &links));
    let body: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
    format!("# {name}\n\n{}\n", body.join("\n").trim_end())
}

/// The text of the `//!` lines at the head of a source file.
fn crate_docs(source: &str) -> String {
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

/// Consecutive lines outside of fences, as one text because a link may reach over the end of a line.
fn prose(paragraph: &[&str], links: &Links) -> Vec<String> {
    let kept: Vec<&str> =
        paragraph.iter().copied().filter(|line| !links.is_dropped_definition(line)).collect();
    let text = links.plain(&kept.join("\n"));
    text.lines().map(|line| if is_heading(line) { format!("#{line}") } else { line.to_owned() }).collect()
}

/// Whether the line is a heading that can move down a level.
fn is_heading(line: &str) -> bool {
    let level = line.bytes().take_while(|&byte| byte == b'#').count();
    (1..6).contains(&level) && line[level..].starts_with(' ')
}

/// A line of Rust as rustdoc shows it: hidden ones not at all, `##` as the `#` it escapes.
fn shown(line: &str) -> Option<String> {
    let code = line.trim_start();
    if code == "#" || code.starts_with("# ") {
        return None;
    }
    if code.starts_with("##") { Some(line.replacen("##", "#", 1)) } else { Some(line.to_owned()) }
}

/// An open code fence.
struct Fence {
    indent: String,
    marks: String,
    info: String,
    rust: bool,
}

impl Fence {
    fn open(line: &str) -> Option<Self> {
        let code = line.trim_start();
        let mark = code.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
        let info = code.trim_start_matches(mark);
        let marks = code.len() - info.len();
        // Three marks with no mark behind: otherwise it is code within a line.
        if marks < 3 || info.contains('`') {
            return None;
        }
        let info = info.trim();
        Some(Self {
            indent: line[..line.len() - code.len()].to_owned(),
            marks: code[..marks].to_owned(),
            info: info.to_owned(),
            rust: is_rust(info),
        })
    }

    fn head(&self) -> String {
        let info = if self.rust { "rust" } else { &self.info };
        format!("{}{}{info}", self.indent, self.marks)
    }

    fn closes(&self, line: &str) -> bool {
        let code = line.trim();
        code.starts_with(&self.marks) && code.chars().all(|mark| self.marks.starts_with(mark))
    }
}

/// Whether rustdoc takes a fence for Rust: all that is written behind it are words of its own.
fn is_rust(info: &str) -> bool {
    info.split([',', ' ']).filter(|word| !word.is_empty()).all(|word| {
        matches!(
            word,
            "rust" | "no_run" | "should_panic" | "compile_fail" | "standalone_crate" | "test_harness"
        ) || word.starts_with("ignore")
            || word.starts_with("edition")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the whole conversion on one text that has every construct.
    #[test]
    fn rustdoc_becomes_markdown() {
        let source = "\
//! Purpose with [`Chunk`] and [the guide](crate::guide).
//!
//! ```
//! # use a::b;
//! #
//! ## kept
//! let x = [1]; // [`Chunk`] stays in code
//! ```
//!
//! ```text
//! # stays
//! ```
//!
//! ```no_run
//! a();
//! ```
//!
//! # Limitations
//!
//! See [the page](https://example.com/a), [`Other`][other] and [a link over the end
//! of a line](crate::Other).
//!
//! [other]: crate::Other
//! [`Chunk`]: crate::Chunk
#![deny(missing_docs)]
//! Not the crate docs any more.
";
        let wanted = "\
# aqueduct-x

Purpose with `Chunk` and the guide.

```rust
# kept
let x = [1]; // [`Chunk`] stays in code
```

```text
# stays
```

```rust
a();
```

## Limitations

See [the page](https://example.com/a), `Other` and a link over the end
of a line.
";
        assert_eq!(render("aqueduct-x", source), wanted);
    }

    /// Guards fences of other languages, which must reach the README as they are.
    #[test]
    fn only_rust_fences_are_rust() {
        assert!(is_rust("") && is_rust("no_run,edition2024") && is_rust("ignore-wasm"));
        assert!(!is_rust("text") && !is_rust("toml") && !is_rust("sh"));
    }

    /// Guards longer fences, which hold shorter ones.
    #[test]
    fn a_fence_ends_with_its_own_marks() {
        let fence = Fence::open("````text").expect("a fence");
        assert!(!fence.closes("```") && fence.closes("````"));
        assert!(Fence::open("```a``` in a line").is_none());
    }
}
