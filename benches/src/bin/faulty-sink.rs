//! `faulty-sink JSON`: a sink that fails by a script and counts spans by identity; see `aqueduct_benches::faults`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match aqueduct_benches::faults::faulty_sink() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("faulty-sink: {failure}");
            ExitCode::FAILURE
        }
    }
}
