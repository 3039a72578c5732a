//! `web JSON`: a web service, or the load on one; see `aqueduct_benches::web`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match aqueduct_benches::web::program() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("web: {failure}");
            ExitCode::FAILURE
        }
    }
}
