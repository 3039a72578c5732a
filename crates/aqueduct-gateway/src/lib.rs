//! The parts of the `aqueduct` gateway that its binary puts together: the configuration file and the admin endpoint.
//!
//! The binary is the product; this library exists so that each part can be tested on its own.

pub mod admin;
mod argument;
pub mod config;
pub mod demo;
pub mod ids;
pub mod load;
pub mod run;
pub mod sink;
