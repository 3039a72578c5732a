//! From the request to the items: the same three levels in every signal.

use super::body::Body;
use super::log_record::LogRecord;
use super::metric::Metric;
use super::record::{lists, record, scalars};
use super::resource::{Resource, Scope};
use super::span::Span;
use crate::schema::numbers;
use crate::{Chunk, Signal};

macro_rules! envelope {
    (
        $proto:literal, $request:ident by $request_numbers:ident, $records:ident: $record:ident by $record_numbers:ident,
        $scopes:ident: $scope:ident by $scope_numbers:ident, $items:ident: $item:ty
    ) => {
        record! {
            #[doc = concat!("A request (`", $proto, "`).")]
            $request
        }

        lists! {
            $request {
                /// The records, one for each resource.
                $records: $record<'a> = numbers::$request_numbers::RECORDS,
            }
        }

        record! {
            #[doc = concat!("What a request holds of one resource (`", stringify!($record), "`).")]
            $record
        }

        impl<'a> $record<'a> {
            /// The resource, if it is known.
            #[must_use]
            pub fn resource(&self) -> Option<Resource<'a>> {
                self.content().message(numbers::$record_numbers::RESOURCE).map(Resource::of_body)
            }
        }

        lists! {
            $record {
                /// The scopes of the resource.
                $scopes: $scope<'a> = numbers::$record_numbers::SCOPES,
            }
        }

        scalars! {
            $record {
                /// Schema of the resource's attributes.
                schema_url: &'a str = numbers::$record_numbers::SCHEMA_URL,
            }
        }

        record! {
            #[doc = concat!("What a resource holds of one scope (`", stringify!($scope), "`).")]
            $scope
        }

        impl<'a> $scope<'a> {
            /// The scope, if it is known.
            #[must_use]
            pub fn scope(&self) -> Option<Scope<'a>> {
                self.content().message(numbers::$scope_numbers::SCOPE).map(Scope::of_body)
            }
        }

        lists! {
            $scope {
                /// The items, in order.
                $items: $item = numbers::$scope_numbers::ITEMS,
            }
        }

        scalars! {
            $scope {
                /// Schema of the scope's and the items' attributes.
                schema_url: &'a str = numbers::$scope_numbers::SCHEMA_URL,
            }
        }
    };
}

envelope! {
    "collector.trace.v1.ExportTraceServiceRequest", Traces by traces_request,
    resource_spans: ResourceSpans by resource_spans, scope_spans: ScopeSpans by scope_spans, spans: Span<'a>
}

envelope! {
    "collector.metrics.v1.ExportMetricsServiceRequest", Metrics by metrics_request,
    resource_metrics: ResourceMetrics by resource_metrics, scope_metrics: ScopeMetrics by scope_metrics,
    metrics: Metric<'a>
}

envelope! {
    "collector.logs.v1.ExportLogsServiceRequest", Logs by logs_request,
    resource_logs: ResourceLogs by resource_logs, scope_logs: ScopeLogs by scope_logs, log_records: LogRecord<'a>
}

envelope! {
    "collector.profiles.v1development.ExportProfilesServiceRequest", Profiles by profiles_request,
    resource_profiles: ResourceProfiles by resource_profiles, scope_profiles: ScopeProfiles by scope_profiles,
    profiles: &'a [u8]
}

impl<'a> Profiles<'a> {
    /// The content of the `ProfilesDictionary`, whose tables the profiles and the attributes refer to.
    #[must_use]
    pub fn dictionary(&self) -> Option<Body<'a>> {
        self.content().message(numbers::profiles_request::DICTIONARY)
    }
}

impl Chunk {
    /// The spans, if this is a chunk of traces.
    #[must_use]
    pub fn traces(&self) -> Option<Traces<'_>> {
        (self.signal() == Signal::Traces).then(|| Traces::new(self.bytes()))
    }

    /// The metrics, if this is a chunk of metrics.
    #[must_use]
    pub fn metrics(&self) -> Option<Metrics<'_>> {
        (self.signal() == Signal::Metrics).then(|| Metrics::new(self.bytes()))
    }

    /// The log records, if this is a chunk of logs.
    #[must_use]
    pub fn logs(&self) -> Option<Logs<'_>> {
        (self.signal() == Signal::Logs).then(|| Logs::new(self.bytes()))
    }
}
