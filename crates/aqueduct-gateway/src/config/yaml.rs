//! The YAML file as a tree whose nodes know their line and column.
//!
//! The tree is built from the parser's events rather than from its ready-made document type, for three reasons: nesting
//! is bounded here without recursion (a file of a million `[` must not overflow the stack), a duplicate key becomes one
//! error among the others instead of the only one, and scalars keep their source text, because what `8888` or `on` means
//! is decided by the key they stand for.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};

use super::errors::Finding;
use super::position::Position;

/// Nesting deeper than this is refused. The deepest key that means anything here is at depth 9.
pub(crate) const MAX_DEPTH: usize = 64;

/// Nodes that all aliases together may add: generous for hand-written files, nothing for an alias bomb.
const MAX_ALIASED_NODES: usize = 10_000;

/// A node and where it starts.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) at: Position,
    pub(crate) value: Value,
}

#[derive(Debug, Clone)]
pub(crate) enum Value {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// Already reported as an error; whoever meets it says nothing more.
    Broken,
}

/// A scalar as written, or as expanded.
#[derive(Debug, Clone)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    /// Written without quotes, so that it may mean null, a number or a boolean.
    pub(crate) plain: bool,
    /// What the file says, if `${...}` was expanded.
    pub(crate) source: Option<String>,
}

/// One `key: value` of a mapping.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    /// Where the key stands.
    pub(crate) at: Position,
    /// The key is an unquoted `<<`.
    pub(crate) merge: bool,
    pub(crate) node: Node,
}

impl Node {
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(scalar) if scalar.is_null())
    }

    /// A scalar's text, as an unreported peek.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    /// What the node is, for "found ...": the text of scalars is quoted as written, shortened if long.
    pub(crate) fn describe(&self) -> String {
        match &self.value {
            Value::Scalar(scalar) => {
                let text = match scalar {
                    scalar if scalar.is_null() => "nothing".to_owned(),
                    scalar if scalar.plain => format!("`{}`", shorten(&scalar.text)),
                    scalar => format!("the text \"{}\"", shorten(&scalar.text)),
                };
                match &scalar.source {
                    Some(source) => format!("{text} (from `{}`)", shorten(source)),
                    None => text,
                }
            }
            Value::Broken => "an invalid value".to_owned(),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a mapping".to_owned(),
        }
    }

    /// Number of nodes and depth of the subtree; the depth is bounded by construction.
    fn measure(&self) -> (usize, usize) {
        let fold = |(count, depth): (usize, usize), node: &Node| {
            let (c, d) = node.measure();
            (count + c, depth.max(d))
        };
        let (count, depth) = match &self.value {
            Value::Scalar(_) | Value::Broken => (0, 0),
            Value::List(items) => items.iter().fold((0, 0), fold),
            Value::Map(entries) => entries.iter().map(|entry| &entry.node).fold((0, 0), fold),
        };
        (count + 1, depth + 1)
    }
}

impl Scalar {
    /// YAML 1.2 core schema: an unquoted nothing, `~` or `null`.
    pub(crate) fn is_null(&self) -> bool {
        self.plain && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }
}

/// Source text for an error message: one line, at most 60 characters.
pub(crate) fn shorten(text: &str) -> String {
    let mut short: String =
        text.chars().take(60).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(60).is_some() {
        short.push_str("...");
    }
    short
}

fn position(marker: &Marker) -> Position {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Position { line: number(marker.line()), column: number(marker.col()).saturating_add(1) }
}

/// A collection that is still open.
struct Frame {
    at: Position,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, key: Option<(String, Position, bool)> },
}

/// Parses one document.
///
/// # Errors
/// Syntax errors, more than one document, nesting or aliases beyond the limits, tags, keys that are not text.
/// `Ok(None)` is an empty file.
pub(crate) fn parse(text: &str) -> Result<Option<Node>, Finding> {
    let mut builder = Builder::default();
    let mut documents = 0;
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| {
            Finding::new(position(error.marker()), "", format!("not valid YAML: {}", error.info()))
        })?;
        let at = position(&span.start);
        match event {
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    return Err(Finding::new(
                        at,
                        "",
                        "a second document starts here; one file holds one configuration",
                    ));
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                refuse_tag(tag.as_deref(), at)?;
                let scalar =
                    Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain, source: None };
                builder.add(Node { at, value: Value::Scalar(scalar) }, anchor)?;
            }
            Event::SequenceStart(anchor, tag) => {
                refuse_tag(tag.as_deref(), at)?;
                builder.open(at, anchor, Content::List(Vec::new()))?;
            }
            Event::MappingStart(anchor, tag) => {
                refuse_tag(tag.as_deref(), at)?;
                builder.open(at, anchor, Content::Map { entries: Vec::new(), key: None })?;
            }
            Event::SequenceEnd | Event::MappingEnd => builder.close()?,
            Event::Alias(anchor) => builder.alias(anchor, at)?,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
    }
    Ok(builder.root)
}

/// A tag as it is written, if it was written in the usual way.
fn written(tag: &saphyr_parser::Tag) -> String {
    if tag.is_yaml_core_schema() { format!("!!{}", tag.suffix) } else { tag.to_string() }
}

fn refuse_tag(tag: Option<&saphyr_parser::Tag>, at: Position) -> Result<(), Finding> {
    match tag {
        None => Ok(()),
        Some(tag) => Err(Finding::new(
            at,
            "",
            format!("found the YAML tag `{}`, expected an untagged value", shorten(&written(tag))),
        )
        .with_help(
            "types follow from the key: tags such as !!str or !!int are not needed and not supported",
        )),
    }
}

#[derive(Default)]
struct Builder {
    open: Vec<Frame>,
    anchors: HashMap<usize, Node>,
    aliased: usize,
    root: Option<Node>,
}

impl Builder {
    fn open(&mut self, at: Position, anchor: usize, content: Content) -> Result<(), Finding> {
        if let Some(Frame { content: Content::Map { key: None, .. }, .. }) = self.open.last() {
            return Err(Finding::new(at, "", "found a list or mapping as a key, expected a name"));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(at));
        }
        self.open.push(Frame { at, anchor, content });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Finding> {
        let Some(frame) = self.open.pop() else { return Ok(()) };
        let value = match frame.content {
            Content::List(items) => Value::List(items),
            Content::Map { entries, .. } => Value::Map(entries),
        };
        self.add(Node { at: frame.at, value }, frame.anchor)
    }

    /// A complete node: a key, the value of a key, an item or the root.
    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Finding> {
        // The parser numbers anchors from 1; 0 is "none".
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|frame| &mut frame.content) {
            None => self.root = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map { entries, key }) => match (key.take(), node.value) {
                (Some((key, at, merge)), value) => {
                    entries.push(Entry { key, at, merge, node: Node { at: node.at, value } });
                }
                (None, Value::Scalar(scalar)) => {
                    let merge = scalar.plain && scalar.text == "<<";
                    *key = Some((scalar.text, node.at, merge));
                }
                (None, _) => {
                    return Err(Finding::new(
                        node.at,
                        "",
                        "found a list or mapping as a key, expected a name",
                    ));
                }
            },
        }
        Ok(())
    }

    /// Aliases are copies. The copied nodes keep the position of the anchor's text: that is what must be corrected.
    fn alias(&mut self, anchor: usize, at: Position) -> Result<(), Finding> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(Finding::new(at, "", "this alias refers to itself"));
        };
        let (count, depth) = node.measure();
        self.aliased += count;
        if self.aliased > MAX_ALIASED_NODES {
            return Err(Finding::new(
                at,
                "",
                format!("the aliases up to here expand to more than {MAX_ALIASED_NODES} values"),
            ));
        }
        if self.open.len() + depth > MAX_DEPTH {
            return Err(too_deep(at));
        }
        let node = node.clone();
        self.add(node, 0)
    }
}

fn too_deep(at: Position) -> Finding {
    Finding::new(at, "", format!("nested more than {MAX_DEPTH} levels deep"))
}
