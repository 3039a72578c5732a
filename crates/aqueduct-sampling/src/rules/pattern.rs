//! Texts that are matched against a compiled pattern.

use crate::ConfigError;

/// A pattern of texts, compiled once: a text itself, a glob, or with the feature `regex` a regular expression.
///
/// # Examples
///
/// ```
/// use aqueduct_sampling::Pattern;
///
/// let health = Pattern::glob("GET /health*");
/// assert!(health.matches("GET /healthz") && !health.matches("POST /healthz"));
/// ```
#[derive(Clone, Debug)]
pub struct Pattern(Shape);

/// The common globs are told apart, because they need one comparison each.
#[derive(Clone, Debug)]
enum Shape {
    Any,
    Exact(Box<str>),
    Prefix(Box<str>),
    Suffix(Box<str>),
    /// Begins with the first and ends with the second, which do not overlap.
    Both(Box<str>, Box<str>),
    Contains(Box<str>),
    Glob(Box<[Token]>),
    #[cfg(feature = "regex")]
    Regex(regex::Regex),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Token {
    Char(char),
    /// `?`
    One,
    /// `*`
    Run,
}

/// Most bytes that a compiled regular expression may take.
#[cfg(feature = "regex")]
const REGEX_BYTES: usize = 1 << 20;

impl Pattern {
    /// Matches this text alone.
    #[must_use]
    pub fn exact(text: &str) -> Pattern {
        Pattern(Shape::Exact(text.into()))
    }

    /// Matches the whole of a text: `*` is any characters or none, `?` is one character, a backslash takes its successor literally.
    ///
    /// At worst a match takes time in proportion to the product of the two lengths; with no `?` and no more than one `*` in the middle or two at the
    /// ends it is one comparison or one search.
    #[must_use]
    pub fn glob(glob: &str) -> Pattern {
        let mut tokens = Vec::new();
        let mut chars = glob.chars();
        while let Some(char) = chars.next() {
            let token = match char {
                '*' => Token::Run,
                '?' => Token::One,
                '\\' => Token::Char(chars.next().unwrap_or('\\')),
                other => Token::Char(other),
            };
            if token != Token::Run || tokens.last() != Some(&Token::Run) {
                tokens.push(token);
            }
        }
        Pattern(Shape::of(&tokens).unwrap_or_else(|| Shape::Glob(tokens.into())))
    }

    /// Matches where the regular expression is found: anchor it with `^` and `$` for the whole. In the syntax of the crate `regex`, which takes time
    /// in proportion to the length of the text.
    ///
    /// # Errors
    ///
    /// It does not compile, or to more than 1 MiB.
    #[cfg(feature = "regex")]
    pub fn regex(expression: &str) -> Result<Pattern, ConfigError> {
        regex::RegexBuilder::new(expression)
            .size_limit(REGEX_BYTES)
            .dfa_size_limit(REGEX_BYTES)
            .build()
            .map(|regex| Pattern(Shape::Regex(regex)))
            .map_err(|error| ConfigError::Pattern {
                pattern: expression.to_owned(),
                reason: error.to_string(),
            })
    }

    /// Without the feature `regex` every regular expression is refused.
    ///
    /// # Errors
    ///
    /// Always.
    #[cfg(not(feature = "regex"))]
    pub fn regex(expression: &str) -> Result<Pattern, ConfigError> {
        let reason = "regular expressions need the feature `regex` of aqueduct-sampling".to_owned();
        Err(ConfigError::Pattern { pattern: expression.to_owned(), reason })
    }

    /// Whether it matches the text.
    ///
    /// # Allocation
    ///
    /// None; a regular expression keeps its memory for each thread.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        match &self.0 {
            Shape::Any => true,
            Shape::Exact(exact) => text == &**exact,
            Shape::Prefix(prefix) => text.starts_with(&**prefix),
            Shape::Suffix(suffix) => text.ends_with(&**suffix),
            Shape::Both(prefix, suffix) => {
                text.len() >= prefix.len() + suffix.len()
                    && text.starts_with(&**prefix)
                    && text.ends_with(&**suffix)
            }
            Shape::Contains(part) => text.contains(&**part),
            Shape::Glob(tokens) => glob(tokens, text),
            #[cfg(feature = "regex")]
            Shape::Regex(regex) => regex.is_match(text),
        }
    }
}

impl Shape {
    /// The shape that needs no walk over tokens, if it is one.
    fn of(tokens: &[Token]) -> Option<Shape> {
        let parts: Vec<&[Token]> = tokens.split(|token| *token == Token::Run).collect();
        let texts: Vec<Box<str>> = parts.iter().map(|part| literal(part)).collect::<Option<_>>()?;
        match &texts[..] {
            [exact] => Some(Shape::Exact(exact.clone())),
            [prefix, suffix] => Some(match (prefix.is_empty(), suffix.is_empty()) {
                (true, true) => Shape::Any,
                (false, true) => Shape::Prefix(prefix.clone()),
                (true, false) => Shape::Suffix(suffix.clone()),
                (false, false) => Shape::Both(prefix.clone(), suffix.clone()),
            }),
            [before, part, after] if before.is_empty() && after.is_empty() => {
                Some(Shape::Contains(part.clone()))
            }
            _ => None,
        }
    }
}

fn literal(tokens: &[Token]) -> Option<Box<str>> {
    let chars = tokens.iter().map(|token| match token {
        Token::Char(char) => Some(*char),
        Token::One | Token::Run => None,
    });
    chars.collect::<Option<String>>().map(String::into_boxed_str)
}

/// Greedy, with one place to come back to: a later run makes earlier ones irrelevant.
fn glob(tokens: &[Token], text: &str) -> bool {
    let (mut at, mut rest) = (0, text.chars());
    let mut back = None;
    loop {
        if tokens.get(at) == Some(&Token::Run) {
            at += 1;
            back = Some((at, rest.clone()));
            continue;
        }
        let mut ahead = rest.clone();
        match (tokens.get(at), ahead.next()) {
            (None, None) => return true,
            (Some(Token::One), Some(_)) => (at, rest) = (at + 1, ahead),
            (Some(Token::Char(wanted)), Some(char)) if *wanted == char => (at, rest) = (at + 1, ahead),
            // The run takes one character more.
            _ => {
                let Some((after, from)) = &mut back else { return false };
                if from.next().is_none() {
                    return false;
                }
                (at, rest) = (*after, from.clone());
            }
        }
    }
}
