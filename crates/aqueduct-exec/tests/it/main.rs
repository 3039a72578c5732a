//! The integration tests of `aqueduct-exec`.
#![cfg(not(any(aqueduct_shuttle, crossbeam_loom)))]

mod affinity;
mod balance;
mod cancel;
mod forks;
mod futures;
mod join;
mod linearizable;
mod oracle;
mod refusal;
mod regressions;
mod resize;
mod shutdown;
mod stress;
mod tools;
mod traps;
mod values;
