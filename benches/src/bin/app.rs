//! `app JSON`: an application that ends spans and sends them to a sink; see `aqueduct_benches::faults`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match aqueduct_benches::faults::app() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("app: {failure}");
            ExitCode::FAILURE
        }
    }
}
