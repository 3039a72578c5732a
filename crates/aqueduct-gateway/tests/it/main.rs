//! Integration tests of the gateway.

mod admin;
mod config;
mod load;
mod process;
mod run;
mod sink;
