//! `sdk JSON`: an application that the OpenTelemetry SDK makes telemetry for, or the sink that counts it; see `aqueduct_benches::sdk`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match aqueduct_benches::sdk::program() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("sdk: {failure}");
            ExitCode::FAILURE
        }
    }
}
