//! What was read from the environment, as a table for people.

use std::fmt;

use aqueduct_transport::EnvUse;

/// One environment variable that is set, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Setting {
    /// Its name.
    pub variable: String,
    /// Its value as it may be shown: without the values of headers, and without passwords and queries in URLs.
    pub value: String,
    /// What became of it.
    pub used: EnvUse,
}

impl Setting {
    pub(super) fn new(variable: &str, value: &str, used: EnvUse) -> Setting {
        Setting { variable: variable.to_owned(), value: shown(variable, value), used }
    }

    /// Whether somebody should be told: it does not do what it says.
    #[must_use]
    pub fn is_warning(&self) -> bool {
        matches!(self.used, EnvUse::UsedBut(_) | EnvUse::Ignored(_))
    }
}

/// What was read from the environment when the handle was built, what was not, and why. `Display` makes a table.
///
/// ```
/// use aqueduct_opentelemetry::Aqueduct;
///
/// let telemetry = Aqueduct::builder()
///     .variables(|name| match name {
///         "OTEL_TRACES_EXPORTER" => Some("console".to_owned()),
///         "OTEL_EXPORTER_OTLP_HEADERS" => Some("api-key=s3cret".to_owned()),
///         _ => None,
///     })
///     .build()?;
/// let settings = telemetry.settings();
/// assert_eq!(settings.warnings().count(), 1);
/// assert!(!settings.to_string().contains("s3cret"));
/// # Ok::<(), aqueduct_opentelemetry::BuildError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Settings {
    /// The variables that are set, in the order in which they were read.
    pub variables: Vec<Setting>,
}

impl Settings {
    /// Those that do not do what they say.
    pub fn warnings(&self) -> impl Iterator<Item = &Setting> {
        self.variables.iter().filter(|setting| setting.is_warning())
    }

    /// Notes that what the program says comes first.
    pub(crate) fn overridden(&mut self, names: &[&str]) {
        for setting in &mut self.variables {
            if names.contains(&setting.variable.as_str()) && !matches!(setting.used, EnvUse::Ignored(_)) {
                setting.used = EnvUse::Overridden { by: "the program".to_owned() };
            }
        }
    }

    /// As [`overridden`](Self::overridden), of all that begin so.
    pub(crate) fn all_overridden(&mut self, prefix: &str, but: &[&str]) {
        let names: Vec<String> = self.variables.iter().map(|setting| setting.variable.clone()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let ours = |name: &&str| name.starts_with(prefix) && !but.contains(name);
        let names: Vec<&str> = names.into_iter().filter(ours).collect();
        self.overridden(&names);
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.variables.is_empty() {
            return f.write_str("no variable of OpenTelemetry's is set");
        }
        let width = |text: fn(&Setting) -> &str| {
            self.variables.iter().map(|setting| text(setting).chars().count()).max().unwrap_or_default()
        };
        let (name, value) = (width(|setting| &setting.variable), width(|setting| &setting.value));
        for (index, setting) in self.variables.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "\n" })?;
            write!(f, "{:name$}  {:value$}  ", setting.variable, setting.value)?;
            match &setting.used {
                EnvUse::Used => f.write_str("used")?,
                EnvUse::UsedBut(but) => write!(f, "used, but {but}")?,
                EnvUse::Overridden { by } => write!(f, "overridden by {by}")?,
                EnvUse::Ignored(why) => write!(f, "ignored: {why}")?,
                other => write!(f, "{other:?}")?,
            }
        }
        Ok(())
    }
}

/// Longer values are cut: the table is for people.
const LONGEST: usize = 80;

/// The value without what is nobody's business.
fn shown(variable: &str, value: &str) -> String {
    let text = if variable.ends_with("_HEADERS") {
        names_of(value)
    } else if variable.ends_with("_ENDPOINT") || value.contains("://") {
        masked(value)
    } else {
        value.to_owned()
    };
    let mut text: String = text.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push_str("...");
    }
    text
}

/// An endpoint without credentials and without its query, which may hold a key. It may have no scheme.
pub(crate) fn masked(endpoint: &str) -> String {
    let (scheme, rest) = match endpoint.find("://") {
        Some(at) => endpoint.split_at(at + 3),
        None => ("", endpoint),
    };
    let (hidden, rest) = match rest.rfind('@') {
        // A password with a question mark, or a query with an address: nobody knows where either ends.
        Some(at) if rest[..at].contains(['?', '#']) => ("****", ""),
        Some(at) => ("****", &rest[at..]),
        None => ("", rest),
    };
    match rest.find(['?', '#']) {
        Some(at) => format!("{scheme}{hidden}{}****", &rest[..=at]),
        None => format!("{scheme}{hidden}{rest}"),
    }
}

/// The names of headers. An entry without a name may be a secret as a whole.
fn names_of(headers: &str) -> String {
    let entries = headers.split(',').filter(|entry| !entry.trim().is_empty());
    let shown = entries.map(|entry| match entry.split_once('=') {
        Some((name, _)) => format!("{}=****", name.trim()),
        None => "****".to_owned(),
    });
    shown.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards logs: the table is made to be printed.
    #[test]
    fn secrets_are_not_shown() {
        for (variable, value, expected) in [
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=s3cret, b = s3cret", "api-key=****,b=****"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "s3cret", "****"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://user:s3cret@host:1/x", "https://****@host:1/x"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:s3c@ret@host", "http://****@host"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "user:s3cret@host:4317", "****@host:4317"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://host/x?key=s3cret", "https://host/x?****"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://u:s3c?ret@host", "https://****"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://host?to=a@b&key=s3cret", "https://****"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://[::1]:4318/v1", "http://[::1]:4318/v1"),
            ("OTEL_SERVICE_NAME", "me@home", "me@home"),
            ("OTEL_SERVICE_NAME", "a\nb", "a?b"),
        ] {
            assert_eq!(shown(variable, value), expected);
        }
        assert_eq!(shown("X", &"ä".repeat(100)).chars().count(), LONGEST + 3);
    }
}
