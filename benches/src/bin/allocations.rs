//! Counts the allocations of operations that promise to make none: a figure a line, for the suite `wire`.

use std::process::ExitCode;

use aqueduct_testkit::CountingAllocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn main() -> ExitCode {
    match aqueduct_benches::suites::wire::allocations::report(&mut std::io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("allocations: {failure}");
            ExitCode::FAILURE
        }
    }
}
