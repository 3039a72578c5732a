//! `OTEL_EXPORTER_OTLP_*`, which the transport reads.

use aqueduct_transport::ClientConfig;
#[cfg(any(feature = "grpc", feature = "http"))]
use aqueduct_transport::EnvUse;
use aqueduct_wire::Signal;

use super::Reader;
#[cfg(any(feature = "grpc", feature = "http"))]
use super::Setting;

#[cfg(any(feature = "grpc", feature = "http"))]
const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";

/// The client of each signal.
#[cfg(any(feature = "grpc", feature = "http"))]
pub(super) fn read(reader: &mut Reader<'_>) -> [ClientConfig; Signal::ALL.len()] {
    Signal::ALL.map(|signal| {
        let lookup = reader.lookup();
        let (config, notes) = ClientConfig::from_vars(signal, |name| match possible(name, lookup(name)) {
            // A build without HTTP speaks gRPC unless it is told otherwise, rather than nothing at all.
            None if name == PROTOCOL && cfg!(not(feature = "http")) => Some("grpc".to_owned()),
            found => found,
        });
        for note in notes {
            if let Some(value) = reader.value(&note.variable) {
                reader.note(Setting::new(&note.variable, &value, note.used));
            }
        }
        for name in ["PROTOCOL", "COMPRESSION"] {
            let of_signal = format!("OTEL_EXPORTER_OTLP_{}_{name}", signal.as_str().to_ascii_uppercase());
            for variable in [of_signal, format!("OTEL_EXPORTER_OTLP_{name}")] {
                let Some(value) = reader.value(&variable) else { continue };
                if let Some(feature) = lacks(&variable, &value, built_with) {
                    let why = format!("this build does not have the feature `{feature}`");
                    reader.note(Setting::new(&variable, &value, EnvUse::Ignored(why)));
                }
            }
        }
        config
    })
}

/// What these variables say of a signal, where what they mean has been read before.
#[cfg(any(feature = "grpc", feature = "http"))]
pub(crate) fn client(signal: Signal, lookup: impl Fn(&str) -> Option<String>) -> ClientConfig {
    ClientConfig::from_vars(signal, |name| match name {
        // The program's: if this build cannot do it, the program should know.
        PROTOCOL => lookup(name),
        other => possible(other, lookup(other)),
    })
    .0
}

/// As it is by default.
#[cfg(not(any(feature = "grpc", feature = "http")))]
pub(crate) fn client(_: Signal, _: impl Fn(&str) -> Option<String>) -> ClientConfig {
    ClientConfig::default()
}

/// Without a protocol there is none: the program says where telemetry goes.
#[cfg(not(any(feature = "grpc", feature = "http")))]
pub(super) fn read(reader: &mut Reader<'_>) -> [ClientConfig; Signal::ALL.len()] {
    for name in ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL"] {
        reader.ignore(name, "this build speaks neither gRPC nor HTTP (features `grpc` and `http`)");
    }
    Signal::ALL.map(|_| ClientConfig::default())
}

/// The value, if this build can do what it says. What it cannot do is ignored and told, as the specification has it for values that are not known: an environment is often one for
/// many programs, and must not keep this one from starting.
#[cfg(any(feature = "grpc", feature = "http"))]
fn possible(name: &str, value: Option<String>) -> Option<String> {
    value.filter(|value| lacks(name, value.trim(), built_with).is_none())
}

/// The feature that the variable asks for and a build does not have.
#[cfg(any(feature = "grpc", feature = "http"))]
fn lacks(name: &str, value: &str, has: impl Fn(&str) -> bool) -> Option<&'static str> {
    let features: &[(&str, &'static str)] = if name.ends_with("_PROTOCOL") {
        &[("grpc", "grpc"), ("http/protobuf", "http"), ("http/json", "json")]
    } else if name.ends_with("_COMPRESSION") {
        &[("gzip", "gzip"), ("zstd", "zstd")]
    } else {
        &[]
    };
    let wanted = features.iter().find(|(known, _)| value.eq_ignore_ascii_case(known));
    wanted.map(|(_, feature)| *feature).filter(|feature| !has(feature))
}

#[cfg(any(feature = "grpc", feature = "http"))]
fn built_with(feature: &str) -> bool {
    match feature {
        "grpc" => cfg!(feature = "grpc"),
        "http" => cfg!(feature = "http"),
        "json" => cfg!(feature = "json"),
        "gzip" => cfg!(feature = "gzip"),
        "zstd" => cfg!(feature = "zstd"),
        _ => true,
    }
}

#[cfg(all(test, any(feature = "grpc", feature = "http")))]
mod tests {
    use super::*;

    /// Guards small builds against an environment for large ones.
    #[test]
    fn what_a_build_cannot_do_is_known() {
        let small = |feature: &str| feature == "http";
        for (name, value, missing) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf", None),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "HTTP/JSON", Some("json")),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc", Some("grpc")),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "nonsense", None),
            ("OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "Gzip", Some("gzip")),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", Some("zstd")),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "none", None),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "grpc", None),
        ] {
            assert_eq!(lacks(name, value, small), missing, "{name}={value}");
            assert_eq!(lacks(name, value, |_| true), None, "{name}={value}");
        }
    }

    /// Guards the rest of what is said: without the value the variable counts as not set, and a handle comes about.
    #[test]
    fn a_handle_comes_about_whatever_the_build_is() {
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
            ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "gzip"),
        ] {
            let lookup = move |asked: &str| (asked == name).then(|| value.to_owned());
            let telemetry = crate::Aqueduct::builder().variables(lookup).build().unwrap();
            let told = telemetry.settings().warnings().any(|setting| setting.variable == name);
            assert_eq!(told, lacks(name, value, built_with).is_some(), "{name}={value}");
        }
    }
}
