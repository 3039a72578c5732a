//! The fields of a message, one by one, read from its pretty `Debug` text.
//!
//! The text names every field of the generated struct, so no field can be forgotten here when the schema grows.

/// A field and its value, both as text: `attributes[2].value.IntValue`, `-7`.
pub(super) type Leaf = (String, String);

/// What the lines between an opening and its closing bracket are.
#[derive(Debug)]
enum Inside {
    /// Fields with names.
    Struct,
    /// Elements; the next one has this index.
    List(usize),
    /// One value, such as that of an `Option` or a variant.
    Wrapper,
}

/// The fields of a message that was printed with `{:#?}`.
pub(super) fn of(text: &str) -> Vec<Leaf> {
    let lines: Vec<&str> =
        text.lines().map(str::trim).map(|line| line.strip_suffix(',').unwrap_or(line)).collect();
    let mut leaves = Vec::new();
    // What is open, with the length of the path before it.
    let mut open: Vec<(Inside, usize)> = Vec::new();
    let mut path = String::new();
    let mut at = 0;
    while let Some(&line) = lines.get(at) {
        at += 1;
        if matches!(line, "}" | "]" | ")") {
            if let Some((_, length)) = open.pop() {
                path.truncate(length);
            }
            continue;
        }
        let (before, value) = (path.len(), enter(&mut path, open.last_mut(), line));
        let inside = match value.as_bytes().last() {
            Some(b'{') => Inside::Struct,
            Some(b'(') => {
                let name = value.trim_end_matches('(');
                if name != "Some" {
                    path.push('.');
                    path.push_str(name);
                }
                Inside::Wrapper
            }
            Some(b'[') => {
                // Numbers stand in one line: an id is one field, and so are the counts of a histogram.
                let numbers = lines[at..].iter().take_while(|line| is_number(line)).count();
                if numbers > 0 && lines.get(at + numbers) == Some(&"]") {
                    leaves.push((path.clone(), lines[at..at + numbers].join(", ")));
                    at += numbers + 1;
                    path.truncate(before);
                    continue;
                }
                Inside::List(0)
            }
            _ => {
                leaves.push((path.clone(), value.to_owned()));
                path.truncate(before);
                continue;
            }
        };
        open.push((inside, before));
    }
    leaves
}

/// Extends the path by what the line says about its place, and returns the rest of the line.
fn enter<'a>(path: &mut String, inside: Option<&mut (Inside, usize)>, line: &'a str) -> &'a str {
    match inside {
        Some((Inside::Struct, _)) => {
            let (name, value) = line.split_once(": ").unwrap_or(("", line));
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(name);
            value
        }
        Some((Inside::List(next), _)) => {
            path.push_str(&format!("[{next}]"));
            *next += 1;
            line
        }
        Some((Inside::Wrapper, _)) | None => line,
    }
}

fn is_number(line: &str) -> bool {
    line.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
    use opentelemetry_proto::tonic::trace::v1::{Span, Status, span};

    use super::*;

    /// Guards the paths, and that a text which looks like structure is not taken for it.
    #[test]
    fn every_field_has_a_path() {
        let value = AnyValue { value: Some(Value::StringValue("a: {\n[(".to_owned())) };
        let attribute = KeyValue { key: "}".to_owned(), value: Some(value), key_strindex: 0 };
        let span = Span {
            span_id: vec![1, 2, 3],
            events: vec![
                span::Event::default(),
                span::Event { attributes: vec![attribute], ..Default::default() },
            ],
            status: Some(Status { message: "no".to_owned(), code: 2 }),
            ..Span::default()
        };
        let leaves = of(&format!("{span:#?}"));
        let value = |path: &str| leaves.iter().find(|leaf| leaf.0 == path).map(|leaf| leaf.1.as_str());
        assert_eq!(value("span_id"), Some("1, 2, 3"));
        assert_eq!(value("trace_id"), Some("[]"));
        assert_eq!(value("events[1].attributes[0].key"), Some("\"}\""));
        assert_eq!(value("events[1].attributes[0].value.value.StringValue"), Some("\"a: {\\n[(\""));
        assert_eq!(value("events[0].name"), Some("\"\""));
        assert_eq!(value("status.code"), Some("Error"));
        assert_eq!(value("dropped_links_count"), Some("0"));
    }
}
