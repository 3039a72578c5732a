//! The threads of a run.

use super::args::{LoadArgs, LoadProtocol};
use super::body::Bodies;
use super::pace::Pacer;
use super::payload::{Encoding, Shape, Template};
use super::queue::{Plan, Queue};
use super::schedule::Schedule;
use super::stats::{LoadReport, Stats};
use super::target::Target;
use super::{LoadError, bell, grpc, http};
use aqueduct::metrics::ResourceProbe;
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};

/// A run of the load generator, in threads of its own.
///
/// Dropping it without [`finish`](Self::finish) ends the run at once.
#[derive(Debug)]
pub struct Load {
    threads: Vec<JoinHandle<Result<(), LoadError>>>,
    stats: Vec<Arc<Mutex<Stats>>>,
    phase: watch::Sender<Phase>,
    running: watch::Receiver<usize>,
    start: Instant,
    items: u64,
    request_bytes: u64,
    probe: ResourceProbe,
    cpu_before: Duration,
}

/// What the threads are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    /// Begin nothing new, see what is outstanding through.
    Ending,
    /// Leave everything.
    Aborting,
}

/// The counts of a run so far.
///
/// Not exhaustive: fields are only added.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct LoadProgress {
    /// Requests begun.
    pub requests: u64,
    /// Requests acknowledged.
    pub acknowledged: u64,
    /// Requests given up after refusals.
    pub refused: u64,
    /// Requests the server will never take.
    pub rejected: u64,
    /// Requests given up without an answer.
    pub unanswered: u64,
    /// Attempts after a first.
    pub retries: u64,
    /// 99th percentile of the latency since the start.
    pub p99: Duration,
}

impl Load {
    /// Starts the run.
    ///
    /// # Errors
    ///
    /// An endpoint that cannot be parsed, settings that contradict each other, a thread or runtime that the system refuses. An
    /// endpoint that cannot be reached is not an error: the generator keeps trying.
    pub fn start(args: &LoadArgs) -> Result<Self, LoadError> {
        args.check()?;
        // This and the template are made again by each thread; here they fail before there are any.
        Target::new(&args.endpoint, args.default_port(), args.compression)?;
        let shape = Shape {
            signal: args.signal,
            items: args.spans,
            attributes: args.attributes,
            encoding: match args.protocol {
                LoadProtocol::Grpc => Encoding::Grpc,
                LoadProtocol::HttpProtobuf => Encoding::Protobuf,
                LoadProtocol::HttpJson => Encoding::Json,
            },
        };
        let request_bytes = Template::new(shape, args.producer)?.bytes().len() as u64;

        let mut probe = ResourceProbe::new();
        let cpu_before = probe.sample().map(|sample| sample.cpu).unwrap_or_default();
        let (phase, _) = watch::channel(Phase::Running);
        let (running_tx, running) = watch::channel(args.threads);
        let start = Instant::now();
        let mut load = Self {
            threads: Vec::new(),
            stats: Vec::new(),
            phase,
            running,
            start,
            items: args.spans as u64,
            request_bytes,
            probe,
            cpu_before,
        };
        let running_tx = Arc::new(running_tx);
        for index in 0..args.threads {
            let stats = Arc::new(Mutex::new(Stats::default()));
            load.stats.push(Arc::clone(&stats));
            let worker =
                Worker { args: args.clone(), shape, index, start, stats, phase: load.phase.subscribe() };
            let running = Arc::clone(&running_tx);
            let run = move || {
                let result = worker.run();
                running.send_modify(|running| *running -= 1);
                result
            };
            load.threads.push(std::thread::Builder::new().name(format!("load-{index}")).spawn(run)?);
        }
        Ok(load)
    }

    /// Begins no further request; outstanding ones are seen through, up to their expiry.
    pub fn stop(&self) {
        self.phase.send_if_modified(|phase| {
            let running = *phase == Phase::Running;
            if running {
                *phase = Phase::Ending;
            }
            running
        });
    }

    /// Ends the run at once; what is outstanding counts as unanswered.
    pub fn abort(&self) {
        self.phase.send_replace(Phase::Aborting);
    }

    /// Waits until the run has ended.
    pub async fn ended(&self) {
        // An error means that every thread is gone, which is an end as well.
        let _ = self.running.clone().wait_for(|running| *running == 0).await;
    }

    /// The counts so far.
    pub fn progress(&self) -> LoadProgress {
        let mut all = LoadProgress::default();
        for stats in &self.stats {
            let stats = lock(stats);
            all.requests += stats.offered;
            all.acknowledged += stats.acknowledged;
            all.refused += stats.refused;
            all.rejected += stats.rejected;
            all.unanswered += stats.unanswered;
            all.retries += stats.retries;
            if !stats.latency.is_empty() {
                all.p99 = all.p99.max(stats.latency.quantile(0.99));
            }
        }
        all
    }

    /// Waits for the threads and adds up what they did. Blocks.
    ///
    /// # Errors
    ///
    /// What kept a thread from working at all.
    pub fn finish(mut self) -> Result<LoadReport, LoadError> {
        for thread in self.threads.drain(..) {
            thread.join().map_err(|_| LoadError::Panicked)??;
        }
        let mut total = Stats::default();
        let mut end = self.start;
        for stats in &self.stats {
            let mut stats = lock(stats);
            // An aborted run leaves requests without any end.
            stats.unanswered = stats.offered - stats.acknowledged - stats.refused - stats.rejected;
            end = end.max(stats.ended.unwrap_or(self.start));
            total.merge(&stats);
        }
        let cpu = self.probe.sample().map(|sample| sample.cpu).unwrap_or_default();
        let cpu = cpu.saturating_sub(self.cpu_before);
        Ok(LoadReport::new(&total, self.items, self.request_bytes, self.start, end, cpu))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        if !self.threads.is_empty() {
            self.abort();
        }
    }
}

fn lock(stats: &Mutex<Stats>) -> MutexGuard<'_, Stats> {
    stats.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One generator thread.
struct Worker {
    args: LoadArgs,
    shape: Shape,
    index: usize,
    start: Instant,
    stats: Arc<Mutex<Stats>>,
    phase: watch::Receiver<Phase>,
}

/// A lane seen from outside: when it wants to be rung, and its bell.
struct Ringer {
    due: Rc<Cell<Option<Instant>>>,
    bell: Ring,
}

enum Ring {
    Grpc(Arc<bell::Bell>),
    Http(Rc<Notify>),
}

impl Ringer {
    fn ring(&self) {
        match &self.bell {
            Ring::Grpc(bell) => bell.ring_due(),
            Ring::Http(bell) => bell.notify_one(),
        }
    }
}

type Lane = Pin<Box<dyn Future<Output = Queue>>>;

impl Worker {
    fn run(self) -> Result<(), LoadError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let local = tokio::task::LocalSet::new();
        runtime.block_on(local.run_until(self.drive()))
    }

    async fn drive(mut self) -> Result<(), LoadError> {
        let seconds = self.args.seconds.unwrap_or(NEVER);
        let end = self.start + Duration::from_secs_f64(seconds.min(NEVER));
        let plan = Rc::new(Plan {
            producer: self.args.producer.wrapping_add(self.index as u32),
            items: self.args.spans as u64,
            backoff: self.args.retry_backoff(),
            expiry: self.args.expiry,
            timeout: self.args.timeout,
            end: Cell::new(end),
            remaining: Cell::new(self.share_of_requests()),
            next_sequence: Cell::new(0),
            stats: Arc::clone(&self.stats),
        });
        let (lanes, ringers) = self.lanes(&plan)?;
        let ringers = Rc::new(ringers);
        let _pacer = self.pace(&ringers)?;

        let finished = async {
            let tasks: Vec<_> = lanes.into_iter().map(tokio::task::spawn_local).collect();
            let mut unsent = 0;
            for task in tasks {
                let queue = task.await.map_err(|_| LoadError::Panicked)?;
                unsent += queue.backlog(Instant::now());
            }
            lock(&self.stats).unsent = unsent;
            Ok(())
        };
        tokio::pin!(finished);
        let result = loop {
            tokio::select! {
                result = &mut finished => break result,
                changed = self.phase.changed() => {
                    let phase = if changed.is_ok() { *self.phase.borrow() } else { Phase::Aborting };
                    let now = Instant::now();
                    plan.end.set(plan.end.get().min(now));
                    ringers.iter().for_each(Ringer::ring);
                    if phase == Phase::Aborting {
                        break Ok(());
                    }
                }
            }
        };
        lock(&self.stats).ended = Some(plan.end.get().min(Instant::now()));
        result
    }

    /// How many requests this thread may begin.
    fn share_of_requests(&self) -> u64 {
        let (threads, index) = (self.args.threads as u64, self.index as u64);
        self.args.requests.map_or(u64::MAX, |all| all / threads + u64::from(index < all % threads))
    }

    /// The connections of this thread.
    fn lanes(&self, plan: &Rc<Plan>) -> Result<(Vec<Lane>, Vec<Ringer>), LoadError> {
        let args = &self.args;
        let target = Rc::new(Target::new(&args.endpoint, args.default_port(), args.compression)?);
        let grpc = args.protocol == LoadProtocol::Grpc;
        let (all, capacity) = if grpc {
            (args.connections, args.in_flight())
        } else {
            (args.connections.saturating_mul(args.in_flight()), 1)
        };
        let mut lanes: Vec<Lane> = Vec::new();
        let mut ringers = Vec::new();
        for lane in (self.index..all).step_by(args.threads) {
            let schedule = args.rate.map(|rate| Schedule::new(self.start, rate, lane as u64, all as u64));
            // Any odd number will do for the jitter, and distinct ones for distinct lanes.
            let seed = u64::from(plan.producer).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (lane as u64 * 2 + 1);
            let queue = Queue::new(Rc::clone(plan), schedule, capacity, seed);
            let bodies = Bodies::new(self.shape, plan.producer, args.compression)?;
            if grpc {
                let lane = grpc::Lane::new(Rc::clone(&target), args.signal, queue, bodies, capacity)?;
                let bell = Ring::Grpc(Arc::clone(&lane.bell));
                ringers.push(Ringer { due: Rc::clone(&lane.due), bell });
                lanes.push(Box::pin(lane.run()));
            } else {
                let bell = Rc::new(Notify::new());
                let due = Rc::new(Cell::new(Some(self.start)));
                ringers.push(Ringer { due: Rc::clone(&due), bell: Ring::Http(Rc::clone(&bell)) });
                let lane = http::Lane {
                    target: Rc::clone(&target),
                    queue,
                    bodies,
                    bell,
                    due,
                    signal: args.signal,
                    json: args.protocol == LoadProtocol::HttpJson,
                };
                lanes.push(Box::pin(lane.run()));
            }
        }
        Ok((lanes, ringers))
    }

    /// In an open loop, a pacer and the task that rings the lanes at its ticks.
    fn pace(&self, ringers: &Rc<Vec<Ringer>>) -> Result<Option<Pacer>, LoadError> {
        let Some(rate) = self.args.rate else { return Ok(None) };
        let tick = Arc::new(Notify::new());
        let interval = Duration::from_secs_f64(1.0 / rate);
        let pacer = Pacer::start(self.start, interval, Arc::clone(&tick))?;
        let ringers = Rc::clone(ringers);
        tokio::task::spawn_local(async move {
            loop {
                tick.notified().await;
                let now = Instant::now();
                for ringer in ringers.iter() {
                    if ringer.due.get().is_some_and(|due| due <= now) {
                        ringer.due.set(None);
                        ringer.ring();
                    }
                }
            }
        });
        Ok(Some(pacer))
    }
}

/// Longest run in seconds, ten years: far beyond use, and safe to add to any clock.
const NEVER: f64 = 315_360_000.0;
