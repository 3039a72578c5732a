//! `OTEL_EXPORTER_OTLP_*`, which the transport reads.

use aqueduct_transport::ClientConfig;
use aqueduct_wire::Signal;

use super::{Reader, Setting};

const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";

/// The client of each signal.
pub(super) fn read(reader: &mut Reader<'_>) -> [ClientConfig; Signal::ALL.len()] {
    Signal::ALL.map(|signal| {
        let lookup = reader.lookup();
        let (config, notes) = ClientConfig::from_vars(signal, |name| match lookup(name) {
            // A build without HTTP speaks gRPC unless it is told otherwise, rather than nothing at all.
            None if name == PROTOCOL && cfg!(not(feature = "http")) => Some("grpc".to_owned()),
            found => found,
        });
        for note in notes {
            if let Some(value) = reader.value(&note.variable) {
                reader.note(Setting::new(&note.variable, &value, note.used));
            }
        }
        config
    })
}
