//! Real clients through a running gateway, and what arrives compared field by field with what the clients say.
//!
//! A client exports the same data twice: once directly to a *reference*, once through the gateway. Both ends are the
//! same kind of `judge`: tonic's generated services and an axum server, which share no code with our receiver, our
//! wire format or our JSON. What they received is decoded by `opentelemetry-proto`, taken apart into items with their
//! resource and scope, put in one order and compared. The gateway sends everything to three destinations, so that each
//! exporter is judged: gRPC with zstd, HTTP with gzip, HTTP with JSON.
//!
//! A row is a client, a protocol, a compression and a signal. It passes when the client reported success and complained
//! of nothing, every item arrived exactly once and equal at every destination, the requests were encoded as the row
//! claims, and the gateway's ledgers say the same number.

mod arguments;
mod capture;
mod client;
mod compare;
mod complaints;
mod folder;
mod gateway;
mod generated;
mod items;
mod json;
mod judge;
mod leaves;
mod message;
mod python;
mod row;
mod rust_sdk;
mod table;

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use aqueduct_wire::Signal;
use tokio::runtime::Runtime;

use crate::Failure;
use crate::process::{Profile, Programs};
use arguments::Wanted;
use client::{Client, Variant};
use complaints::Complaints;
use folder::Folder;
use gateway::Gateway;
use judge::Judge;
use python::Python;
use row::Row;

/// Runs the check as the command line asks for; fails if a row fails.
pub fn run(arguments: impl IntoIterator<Item = String>) -> ExitCode {
    match Wanted::parse(arguments).and_then(|wanted| check(&wanted)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("interop: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn check(wanted: &Wanted) -> Result<bool, Failure> {
    let mut out = std::io::stdout().lock();
    if wanted.help {
        writeln!(out, "{}", arguments::USAGE)?;
        return Ok(true);
    }
    let plan = wanted.plan();
    if plan.is_empty() {
        return Err("no row has such a name".into());
    }
    let folder = Folder::create(wanted.keep)?;
    let start = Instant::now();
    let bench = Bench::start(&plan, &folder, wanted.keep)?;
    writeln!(out, "installed, built and started in {:.1} s", start.elapsed().as_secs_f64())?;
    let start = Instant::now();
    table::head(&mut out)?;
    let (mut passed, mut failed) = (0_u32, 0_u32);
    for (variant, signals) in &plan {
        for row in bench.rows(*variant, signals)? {
            table::row(&mut out, &row)?;
            *(if row.problems.is_empty() { &mut passed } else { &mut failed }) += 1;
        }
    }
    for (client, names) in bench.seen_names() {
        writeln!(out, "{client} said it was {names}")?;
    }
    writeln!(out, "exported and compared in {:.1} s", start.elapsed().as_secs_f64())?;
    writeln!(out, "{passed} passed, {failed} failed")?;
    Ok(failed == 0)
}

/// Everything that the rows have in common.
struct Bench {
    // Fields are dropped in this order: the gateway before the judges that it sends to.
    gateway: Gateway,
    python: Option<Python>,
    reference: Judge,
    /// What the gateway sends to, in the order of [`gateway::DESTINATIONS`].
    destinations: Vec<Judge>,
    complaints: Complaints,
    runtime: Runtime,
    /// Where to leave what was captured in a row that failed.
    keep: Option<std::path::PathBuf>,
    names: std::cell::RefCell<std::collections::BTreeSet<(Client, String)>>,
}

impl Bench {
    fn start(plan: &[(Variant, Vec<Signal>)], folder: &Folder, keep: bool) -> Result<Bench, Failure> {
        let keep = keep.then(|| folder.path().to_owned());
        let complaints = Complaints::listen()?;
        let needs_python = plan.iter().any(|(variant, _)| variant.client == Client::PythonSdk);
        // The slowest preparation first: without the network there is nothing to wait for afterwards.
        let python = if needs_python { Some(Python::install(folder.path())?) } else { None };
        let programs = Programs::build(Profile::Release)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let reference = Judge::start(&runtime)?;
        let destinations =
            gateway::DESTINATIONS.iter().map(|_| Judge::start(&runtime)).collect::<Result<Vec<_>, _>>()?;
        let gateway = Gateway::start(&programs.aqueduct, &destinations, folder.path())?;
        let names = Default::default();
        Ok(Bench { gateway, python, reference, destinations, complaints, runtime, keep, names })
    }

    /// Lets one client export and judges every signal of it.
    fn rows(&self, variant: Variant, signals: &[Signal]) -> Result<Vec<Row>, Failure> {
        let before = self.gateway.ledgers()?;
        let (reference, gateway) = (self.reference.doors, self.gateway.doors);
        let sent = match (variant.client, &self.python) {
            (Client::RustSdk, _) => {
                rust_sdk::send(&self.runtime, variant, signals, reference, gateway, &self.complaints)
            }
            (Client::Generated, _) => generated::send(&self.runtime, variant, signals, gateway),
            (Client::PythonSdk, Some(python)) => python.send(variant, signals, reference, gateway),
            (Client::PythonSdk, None) => return Err("the Python client was not installed".into()),
        };
        sent.into_iter().map(|sent| Row::judge(self, variant, sent, &before)).collect()
    }

    fn saw_name(&self, client: Client, name: &str) {
        self.names.borrow_mut().insert((client, name.to_owned()));
    }

    fn seen_names(&self) -> Vec<(Client, String)> {
        self.names.borrow().iter().filter(|(_, name)| !name.is_empty()).cloned().collect()
    }
}
