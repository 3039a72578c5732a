//! `/debug/pprof/profile` where no profiles can be taken.

use axum::http::StatusCode;

pub(super) async fn answer() -> (StatusCode, &'static str) {
    let text = "this gateway takes no profiles: build it with the feature profiling, for Linux on x86_64 or aarch64\n";
    (StatusCode::NOT_IMPLEMENTED, text)
}
