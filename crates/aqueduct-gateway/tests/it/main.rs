//! Integration tests of the gateway.

mod admin;
mod config;
