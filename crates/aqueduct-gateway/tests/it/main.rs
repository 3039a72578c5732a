//! Integration tests of the gateway.

mod admin;
mod catalogue;
mod config;
mod doctor;
mod exporters;
mod load;
mod periodic;
mod process;
#[cfg(all(feature = "profiling", target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod profile;
mod proxy;
mod run;
mod sampling;
mod sink;
mod tuning;
