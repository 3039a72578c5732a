//! The admin endpoint: read-only HTTP for probes, scrapers and people.
//!
//! | path | answer |
//! |---|---|
//! | `/metrics` | Prometheus text, exposition format 0.0.4 |
//! | `/livez` | 200 while the process serves requests at all |
//! | `/readyz` | JSON, [`Readiness`]; 503 while draining or full. An unreachable destination alone leaves it at 200: clients should keep sending, the queue is there for that |
//! | `/statusz` | JSON, [`StatusReport`]: where every item is |
//! | `/debug/tuner` | JSON, [`TunerStatus`]: what the tuner has done and would do; 404 without one |
//! | `/debug/pprof/profile` | a profile of the processor time, `?seconds=30&hz=100&format=pprof`; `flamegraph` is an SVG, `top` the 20 functions that take the most. 409 while another is being taken, 400 for parameters that are wrong, 501 without the feature `profiling` |
//!
//! It answers GET and HEAD, tells caches and browsers to keep their hands off, and holds at most
//! [`MAX_CONNECTIONS`] connections, which are closed when no request comes for [`HEADER_TIMEOUT`].

#[cfg(all(feature = "profiling", target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod profile;
#[cfg(not(all(
    feature = "profiling",
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
#[path = "no_profile.rs"]
mod profile;
mod report;
mod requests;
mod routes;
mod server;

pub use report::{
    ExporterState, PipelineStatus, Readiness, ReadyState, StatusReport, TunerChange, TunerStatus,
};
pub(crate) use requests::METRICS;
pub use requests::Requests;
pub use server::{HEADER_TIMEOUT, MAX_CONNECTIONS, serve};

/// Where the admin endpoint gets its answers. Called on each request, from an async task: it must not block.
pub trait Status: std::fmt::Debug + Send + Sync + 'static {
    /// All metrics as Prometheus text.
    fn metrics(&self) -> String;
    /// Where requests are counted.
    fn requests(&self) -> &Requests;
    /// Whether clients should send to this gateway.
    fn ready(&self) -> Readiness;
    /// What became of every item.
    fn statusz(&self) -> StatusReport;
    /// What the tuner does, if there is one.
    fn tuner(&self) -> Option<TunerStatus>;
}
