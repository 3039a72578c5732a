//! The `aqueduct` gateway: receives OTLP, validates, batches and forwards it, with every item accounted for.
//!
//! ```text
//! L6  aqueduct-gateway             <- this crate
//! L5  aqueduct (umbrella)
//! ```
//!
//! For whoever runs collectors. One binary:
//!
//! | command | what it does |
//! |---|---|
//! | `aqueduct run [--config FILE]` | the gateway; without a file OTLP/gRPC on 127.0.0.1:4317, OTLP/HTTP on 127.0.0.1:4318 and a summary line a second |
//! | `aqueduct validate --config FILE` | checks a file and prints what would run |
//! | `aqueduct load` | sends generated telemetry, open or closed loop, and accounts for every item |
//! | `aqueduct sink` | receives telemetry, accounts for every id, and fails as it is told to |
//! | `aqueduct demo` | load, gateway and sink as three processes, and a report; with `--tune` the tuner against a grid of settings |
//! | `aqueduct doctor` | what is wrong with a running gateway (`--url`) or a configuration (`--config`), and what to do |
//! | `aqueduct metrics` | every metric that the gateway publishes |
//!
//! The configuration file is YAML in the structure of the OpenTelemetry Collector, with its key names; what is not
//! supported is an error that says where and what to write instead. The admin endpoint serves `/metrics`, `/livez`,
//! `/readyz`, `/statusz`, `/debug/tuner` and `/debug/pprof/profile` on 127.0.0.1:8888. The gateway's own metrics can be sent by OTLP as well.
//!
//! The library holds the parts of the binary, so that each can be tested alone. It is no stable interface: build on the
//! umbrella crate `aqueduct` instead.
//!
//! # Guarantees
//!
//! - Per pipeline and destination, `accepted = delivered + rejected + dropped{reason} + held`; `/statusz` shows it.
//! - A request is acknowledged once it is in the bounded memory queue, or, with `acknowledge: exported`, once every
//!   exporter has delivered it.
//! - SIGTERM and SIGINT stop the intake and deliver what is held, to a deadline; the exit code tells whether all of it
//!   was. A second signal ends at once.
//! - Exporters verify every server that they speak TLS with; clear text is spoken only where the file says so. Headers' values and the passwords
//!   of proxies are shown nowhere.
//! - Exit codes: 0 done, 1 something was lost or could not start, 2 the configuration or the arguments are wrong.
//!
//! # Limitations
//!
//! Receivers speak clear text only (exporters speak TLS), memory only; of the processors that change data those that sample are supported.
//!
//! # Features
//!
//! | feature | default | unlocks |
//! |---|---|---|
//! | `tls` | yes | exporters to `https://` destinations: rustls over ring, which needs a C compiler to build; without it such a destination is an error |
//! | `mimalloc` | yes | the binary allocates with mimalloc instead of the system's allocator |
//! | `profiling` | yes | `/debug/pprof/profile` on Linux on x86_64 and aarch64: profiles of the processor time; without it the path answers 501 |
//! | `dhat` | no | `aqueduct run` records every allocation and writes `dhat-heap.json` at its end; takes the place of `mimalloc`, and is slow |
//! | `tokio-console` | no | `aqueduct run` serves tokio-console on 127.0.0.1:6669 or `TOKIO_CONSOLE_BIND`; needs `RUSTFLAGS="--cfg tokio_unstable"`, and without it says so at the start |

pub mod admin;
mod argument;
pub mod catalogue;
pub mod config;
pub mod demo;
pub mod doctor;
pub mod ids;
pub mod load;
pub mod run;
pub mod sink;
