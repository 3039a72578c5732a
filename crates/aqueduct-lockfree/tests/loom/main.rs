//! Models, one module per structure: `RUSTFLAGS="--cfg crossbeam_loom" cargo test --release -p aqueduct-lockfree --test loom`.

#![cfg(crossbeam_loom)]

mod counter;
mod lanes;
mod map;
mod per_thread;
mod queue;
mod ring;
mod signal_cell;

/// Explores every interleaving with so many switches of threads where they were not due.
fn model(preemptions: usize, work: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 100_000;
    builder.check(work);
}
