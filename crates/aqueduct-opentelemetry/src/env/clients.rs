//! `OTEL_EXPORTER_OTLP_*`, which the transport reads.

use aqueduct_transport::ClientConfig;
use aqueduct_wire::Signal;

use super::Reader;

/// The client of each signal.
#[cfg(any(feature = "grpc", feature = "http"))]
pub(super) fn read(reader: &mut Reader<'_>) -> [ClientConfig; Signal::ALL.len()] {
    const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
    Signal::ALL.map(|signal| {
        let lookup = reader.lookup();
        let (config, notes) = ClientConfig::from_vars(signal, |name| match lookup(name) {
            // A build without HTTP speaks gRPC unless it is told otherwise, rather than nothing at all.
            None if name == PROTOCOL && cfg!(not(feature = "http")) => Some("grpc".to_owned()),
            found => found,
        });
        for note in notes {
            if let Some(value) = reader.value(&note.variable) {
                reader.note(super::Setting::new(&note.variable, &value, note.used));
            }
        }
        config
    })
}

/// What these variables say of a signal, where what they mean has been read before.
#[cfg(any(feature = "grpc", feature = "http"))]
pub(crate) fn client(signal: Signal, lookup: impl Fn(&str) -> Option<String>) -> ClientConfig {
    ClientConfig::from_vars(signal, lookup).0
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
