//! Real OpenTelemetry clients through a running gateway, field by field: see [`aqueduct_benches::interop`].

use std::process::ExitCode;

fn main() -> ExitCode {
    aqueduct_benches::interop::run(std::env::args().skip(1))
}
