//! Runs every suite with tiny parameters, so that benchmarks cannot rot. The figures mean nothing here.

mod processes;
mod suites;
