//! Integration tests of the gateway.

mod admin;
mod config;
mod exporters;
mod fronts;
mod load;
mod process;
mod run;
mod sink;
