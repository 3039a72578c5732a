//! Integration tests of the gateway.

mod admin;
mod catalogue;
mod config;
mod exporters;
mod load;
mod process;
mod proxy;
mod run;
mod sink;
