//! What a gateway can be built with to look into it: the heap profile and tokio-console.

#[cfg(any(feature = "dhat", feature = "tokio-console"))]
use super::log::Log;

/// Where the heap profile goes, in the working folder.
#[cfg(feature = "dhat")]
const HEAP_PROFILE: &str = "dhat-heap.json";

/// Records allocations until it is dropped, which writes the file. Only the binary's allocator is recorded.
#[cfg(feature = "dhat")]
pub(super) fn heap(log: &Log) -> dhat::Profiler {
    let place = std::env::current_dir().unwrap_or_default().join(HEAP_PROFILE);
    log.info(format_args!(
        "every allocation is recorded, which is slow; written at the end: {}",
        place.display()
    ));
    dhat::Profiler::builder().file_name(place).build()
}

/// Serves what tokio-console asks for, on a thread of its own.
#[cfg(all(feature = "tokio-console", tokio_unstable))]
pub(super) fn console(log: &Log) {
    let address = std::env::var("TOKIO_CONSOLE_BIND").unwrap_or_else(|_| "127.0.0.1:6669".to_owned());
    console_subscriber::ConsoleLayer::builder().with_default_env().init();
    log.info(format_args!("tokio-console is served on {address}"));
}

/// Without its switch tokio tells nothing about tasks.
#[cfg(all(feature = "tokio-console", not(tokio_unstable)))]
pub(super) fn console(log: &Log) {
    log.warn(
        "tokio-console is not served: this build has the feature but not the switch; build with RUSTFLAGS=\"--cfg tokio_unstable\"",
    );
}
