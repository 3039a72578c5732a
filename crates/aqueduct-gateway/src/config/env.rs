//! `${env:NAME}` and `${env:NAME:-default}` in values, as the collector expands them.
//!
//! Expansion happens on the scalars of the parsed tree, not on the file's text: a value can neither change the
//! structure of the file nor move the positions that errors name. An unset variable without a default is an error here;
//! the collector warns and goes on with an empty value, which then fails far from its cause.

/// Looks a variable up; `None` if it is not set.
pub(crate) type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The result of expanding one scalar.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expanded {
    pub(crate) text: String,
    /// The scalar was exactly one `${...}`: its type is that of the expanded text, whatever the quotes.
    pub(crate) whole: bool,
    /// Something was expanded (and not only `$$` unescaped).
    pub(crate) used: bool,
}

/// A reference that cannot be expanded: what is wrong, and advice.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadReference {
    pub(crate) message: String,
    pub(crate) help: String,
}

/// Expands every reference in `text`; `$$` is a literal `$`, a `$` before anything else stays.
///
/// # Errors
/// All references that are unset, malformed or of an unsupported kind.
pub(crate) fn expand(text: &str, env: Lookup<'_>) -> Result<Expanded, Vec<BadReference>> {
    let mut out = String::with_capacity(text.len());
    let (mut bad, mut used, mut whole) = (Vec::new(), false, false);
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        out.push_str(&rest[..dollar]);
        let after = &rest[dollar + 1..];
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(inside) = after.strip_prefix('{') {
            let Some(end) = inside.find('}') else {
                bad.push(BadReference {
                    message: "found `${` without a closing `}`".to_owned(),
                    help: "write `$${` for a literal `${`".to_owned(),
                });
                break;
            };
            match value(&inside[..end], env) {
                Ok(value) => {
                    used = true;
                    whole = dollar == 0 && rest.len() == text.len() && inside.len() == end + 1;
                    out.push_str(&value);
                }
                Err(reference) => bad.push(reference),
            }
            rest = &inside[end + 1..];
            continue;
        } else {
            out.push('$');
            rest = after;
        }
    }
    if !bad.is_empty() {
        return Err(bad);
    }
    out.push_str(rest);
    Ok(Expanded { text: out, whole, used })
}

/// The value of what stands between `${` and `}`.
fn value(inside: &str, env: Lookup<'_>) -> Result<String, BadReference> {
    let bad = |message: String, help: &str| Err(BadReference { message, help: help.to_owned() });
    let shown = super::yaml::shorten(inside);
    // A scheme is everything before the first colon, unless that colon begins the `:-` of a default.
    let reference = match inside.split_once(':') {
        Some(("env", reference)) => reference,
        Some((scheme, after)) if !after.starts_with('-') && is_name(scheme) => {
            return bad(
                format!("found `${{{shown}}}`: only environment variables can be expanded"),
                "supported: ${env:NAME}, ${env:NAME:-default} and ${NAME}; `$$` is a literal `$`",
            );
        }
        _ => inside,
    };
    let (name, default) = match reference.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    if !is_name(name) {
        return bad(
            format!("found `${{{shown}}}`: that is no name of an environment variable"),
            "names have letters, digits and `_`, and do not start with a digit; `$$` is a literal `$`",
        );
    }
    match (env(name), default) {
        (Some(value), _) => Ok(value),
        (None, Some(default)) => Ok(default.to_owned()),
        (None, None) => bad(
            format!("the environment variable {name} is not set"),
            &format!("set it, or give a default: ${{env:{name}:-value}}"),
        ),
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
