//! Source files, and Rust text divided into code and comments.

use std::fs;
use std::path::{Path, PathBuf};

use crate::workspace::{Member, Workspace};

/// A text file of the workspace.
#[derive(Debug)]
pub(crate) struct Source {
    /// Relative to the root of the workspace.
    pub(crate) path: PathBuf,
    /// Its content.
    pub(crate) text: String,
}

/// The Rust files of a member, sorted by path.
pub(crate) fn rust_files(workspace: &Workspace, member: &Member) -> Vec<Source> {
    files(workspace, &member.dir, &["rs"])
}

/// The Rust files under a member's `src`.
pub(crate) fn library_files(workspace: &Workspace, member: &Member) -> Vec<Source> {
    files(workspace, &member.dir.join("src"), &["rs"])
}

/// The readable files under a folder (relative to the root) whose extension is listed, sorted by path. An empty
/// extension stands for files without one.
pub(crate) fn files(workspace: &Workspace, dir: &Path, extensions: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        let Ok(entries) = fs::read_dir(workspace.root.join(&dir)) else { continue };
        for entry in entries.flatten() {
            let path = dir.join(entry.file_name());
            let kind = entry.file_type();
            if kind.as_ref().is_ok_and(fs::FileType::is_dir) {
                if entry.file_name() != "target" && entry.file_name() != ".git" {
                    open.push(path);
                }
                continue;
            }
            let extension = path.extension().unwrap_or_default().to_string_lossy().into_owned();
            // Links are skipped: what they point to is looked at in its own place.
            if kind.is_ok_and(|kind| kind.is_file())
                && extensions.contains(&extension.as_str())
                && let Some(text) = workspace.text(&path)
            {
                found.push(Source { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Rust text in two layers of the same length and lines: what does not belong to a layer is blank there. The content
/// of string and character literals belongs to neither.
#[derive(Debug)]
pub(crate) struct Layers {
    /// Code without comments and without the content of literals.
    pub(crate) code: String,
    /// Comments, documentation included.
    pub(crate) comments: String,
}

/// Which layer a byte belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layer {
    Code,
    Comment,
    Literal,
}

/// Divides Rust text into its layers. Unterminated literals and comments reach to the end.
pub(crate) fn layers(text: &str) -> Layers {
    let bytes = text.as_bytes();
    let mut of = vec![Layer::Code; bytes.len()];
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let (layer, len) = if rest.starts_with(b"//") {
            (Layer::Comment, rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len()))
        } else if rest.starts_with(b"/*") {
            (Layer::Comment, block_comment(rest))
        } else if rest[0] == b'"' {
            (Layer::Literal, quoted(rest, b'"'))
        } else if let Some(len) = raw_string(bytes, at) {
            (Layer::Literal, len)
        } else if rest[0] == b'\'' && is_char(rest) {
            (Layer::Literal, quoted(rest, b'\''))
        } else {
            (Layer::Code, 1)
        };
        of[at..at + len].fill(layer);
        at += len;
    }
    let pick = |wanted: Layer| {
        let kept = bytes
            .iter()
            .zip(&of)
            .map(|(&byte, &layer)| if layer == wanted || byte == b'\n' { byte } else { b' ' });
        String::from_utf8_lossy(&kept.collect::<Vec<u8>>()).into_owned()
    };
    Layers { code: pick(Layer::Code), comments: pick(Layer::Comment) }
}

/// The length of a block comment, which may hold others.
fn block_comment(rest: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at
}

/// The length of a literal in quotes with backslash escapes.
fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// The length of a raw string that begins at `at`, if one does.
fn raw_string(bytes: &[u8], at: usize) -> Option<usize> {
    let in_word =
        at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_') && bytes[at - 1] != b'b';
    if bytes[at] != b'r' || in_word {
        return None;
    }
    let hashes = bytes[at + 1..].iter().take_while(|&&byte| byte == b'#').count();
    if bytes.get(at + 1 + hashes) != Some(&b'"') {
        return None;
    }
    let end = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
    let body = at + 2 + hashes;
    let close = bytes[body..].windows(end.len()).position(|window| window == end);
    Some(close.map_or(bytes.len() - at, |close| body + close + end.len() - at))
}

/// Whether a quote begins a character rather than a lifetime.
fn is_char(rest: &[u8]) -> bool {
    match rest.get(1) {
        None => false,
        Some(b'\\') => true,
        // A character of several bytes is no lifetime that we would write.
        Some(byte) => !byte.is_ascii() || rest.get(2) == Some(&b'\''),
    }
}

/// Whether `word` occurs in `code` as a whole identifier.
pub(crate) fn has_word(code: &str, word: &str) -> bool {
    word_positions(code, word).next().is_some()
}

/// Where `word` occurs in `code` as a whole identifier.
pub(crate) fn word_positions<'t>(code: &'t str, word: &'t str) -> impl Iterator<Item = usize> + 't {
    let part = |character: char| character.is_alphanumeric() || character == '_';
    code.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        !code[..at].chars().next_back().is_some_and(part)
            && !code[at + word.len()..].chars().next().is_some_and(part)
    })
}

/// The line, counted from one, of a byte offset.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    text[..offset].matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the division that every check on sources stands on: literals and comments must not pass for code.
    #[test]
    fn code_comments_and_literals_are_told_apart() {
        let text = "let a = \"x // no \\\" todo\"; // yes /* \nlet b = r#\"raw \" // no\"#; /* in /* deep */ out */ let c = '\"'; fn f<'a>() {}";
        let Layers { code, comments } = layers(text);
        assert_eq!(code.len(), text.len());
        for word in ["todo", "no", "yes", "deep", "raw"] {
            assert!(!has_word(&code, word), "{word} is no code in {code}");
        }
        for word in ["let", "a", "b", "c", "f"] {
            assert!(has_word(&code, word), "{word} is code in {code}");
        }
        assert!(has_word(&comments, "yes") && has_word(&comments, "deep") && has_word(&comments, "out"));
        assert!(!has_word(&comments, "no") && !has_word(&comments, "todo"));
    }

    /// Guards against a quote of a lifetime swallowing the code behind it.
    #[test]
    fn lifetimes_are_code() {
        assert!(has_word(&layers("impl<'de> A<'de> { fn keep(&'de self) {} }").code, "keep"));
        assert!(has_word(&layers("let q = '\\''; let after = b'\"';let last = 1;").code, "last"));
    }

    /// Guards whole-word search: parts of longer names are not hits.
    #[test]
    fn words_are_whole() {
        assert!(!has_word("struct ClientConfig;", "Client"));
        assert!(has_word("struct Client;", "Client"));
        assert_eq!(line_of("a\nb\nc", 4), 3);
    }
}
