//! Log records.

use super::Generator;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};

impl Generator {
    pub(super) fn resource_logs(&mut self, items: usize) -> ResourceLogs {
        ResourceLogs {
            resource: self.resource(),
            scope_logs: self.spread(items, 2, |generator, items| ScopeLogs {
                scope: generator.scope(),
                log_records: (0..items).map(|_| generator.log_record()).collect(),
                schema_url: generator.random.text(),
            }),
            schema_url: self.random.text(),
        }
    }

    fn log_record(&mut self) -> LogRecord {
        let span_id = self.unique_id();
        let random = &mut self.random;
        LogRecord {
            time_unix_nano: random.time(),
            observed_time_unix_nano: random.time(),
            severity_number: random.below(25) as i32,
            severity_text: random.text(),
            body: random.maybe(|random| random.any(2)),
            attributes: random.attributes(),
            dropped_attributes_count: random.dropped(),
            flags: random.below(0x100) as u32,
            trace_id: random.maybe_id(16),
            span_id,
            event_name: random.text(),
        }
    }
}
