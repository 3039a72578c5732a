//! Integration tests of `aqueduct-opentelemetry`, one module per subject.
