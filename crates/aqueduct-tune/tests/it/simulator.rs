//! Back ends by formula: what a pipeline would observe under given settings, a window at a time. The benchmarks use it, too.

use std::time::Duration;

use aqueduct_tune::{Algorithm, Bounds, Knob, Objective, Parameters, Snapshot, Value};

/// Bytes of an item before compression.
const ITEM_BYTES: f64 = 400.0;
/// Cores of the simulated machine.
const CORES: f64 = 2.0;

/// A destination and the load that is meant for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BackEnd {
    pub(crate) name: &'static str,
    /// Items a second that are offered, at the middle of the day.
    pub(crate) offered: f64,
    /// How far the load swings, as a share, and how many windows a day has.
    pub(crate) swing: (f64, f64),
    /// How long a request takes at least, in seconds.
    pub(crate) round_trip: f64,
    /// What each item of it adds, in seconds.
    pub(crate) per_item: f64,
    /// Requests that it works on at a time; more of them take longer.
    pub(crate) width: f64,
    /// Requests a second that it takes; more are refused.
    pub(crate) request_limit: f64,
    /// Bytes a second on the way.
    pub(crate) network: f64,
    /// The share of requests that fail.
    pub(crate) failing: f64,
    /// CPU time for each request and each item, in nanoseconds.
    pub(crate) cpu: (f64, f64),
}

const PLAIN: BackEnd = BackEnd {
    name: "fast",
    offered: 50_000.0,
    swing: (0.0, 1.0),
    round_trip: 0.001,
    per_item: 0.5e-6,
    width: 32.0,
    request_limit: 1e9,
    network: 125e6,
    failing: 0.0,
    cpu: (60_000.0, 1_500.0),
};

/// The six of them.
pub(crate) const ALL: [BackEnd; 6] = [
    PLAIN,
    BackEnd { name: "50 ms", round_trip: 0.05, offered: 40_000.0, width: 64.0, ..PLAIN },
    BackEnd { name: "rate-limited", offered: 30_000.0, request_limit: 40.0, round_trip: 0.01, ..PLAIN },
    BackEnd { name: "CPU-bound", offered: 120_000.0, cpu: (400_000.0, 9_000.0), round_trip: 0.003, ..PLAIN },
    BackEnd { name: "lossy", failing: 0.08, round_trip: 0.01, network: 4e6, offered: 20_000.0, ..PLAIN },
    BackEnd { name: "diurnal", offered: 20_000.0, swing: (0.8, 3_000.0), round_trip: 0.02, ..PLAIN },
];

/// What a tuner may do, and a grid is made of.
pub(crate) fn bounds() -> Bounds {
    let mut bounds = Bounds::default();
    bounds.batch_items = 16..=32_768;
    bounds.batch_delay = Duration::from_millis(2)..=Duration::from_secs(2);
    bounds.in_flight = 1..=128;
    bounds.connections = 1..=8;
    bounds.compression = vec![Algorithm::None, Algorithm::Zstd, Algorithm::Gzip];
    bounds.worker_threads = 1..=4;
    bounds
}

/// Settings from the knobs that the simulation knows.
pub(crate) fn settings(
    items: u64,
    delay: u64,
    high: u64,
    codec: (Algorithm, i32),
    threads: u64,
) -> Parameters {
    let mut parameters = Parameters::default();
    parameters.batch_items = Some(items);
    parameters.batch_bytes = Some(8 << 20);
    parameters.batch_delay = Some(Duration::from_millis(delay));
    parameters.max_in_flight = Some(high);
    parameters.connections = Some(1);
    parameters.queue_bytes = Some(32 << 20);
    parameters.compression = Some(codec.0);
    parameters.compression_level = Some(codec.1);
    parameters.worker_threads = Some(threads);
    parameters
}

/// Three bad starts: too small, too large, too much work.
pub(crate) fn starts() -> [Parameters; 3] {
    [
        settings(16, 2, 1, (Algorithm::None, 1), 1),
        settings(32_768, 2_000, 128, (Algorithm::Gzip, 9), 4),
        settings(16, 500, 2, (Algorithm::Gzip, 9), 1),
    ]
}

/// A small generator of numbers that look random, the same for the same seed (SplitMix64).
#[derive(Debug, Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// About normal, with mean 1 and this deviation, never below a tenth.
    pub(crate) fn around_one(&mut self, deviation: f64) -> f64 {
        let sum: f64 = (0..12).map(|_| self.next() as f64 / u64::MAX as f64).sum();
        (1.0 + deviation * (sum - 6.0)).max(0.1)
    }
}

/// What holds for settings and a load, before any queue.
#[derive(Debug, Clone, Copy)]
struct Rates {
    /// Items a second at most.
    capacity: f64,
    /// Items in a batch.
    batch: f64,
    /// Whether time, not items, seals them; then how long that takes.
    by_age: bool,
    filling: f64,
    /// How long a request takes.
    export: f64,
    /// The share of requests that succeed.
    success: f64,
    /// Nanoseconds for an item, and bytes on the way.
    cpu: f64,
    bytes: f64,
    ratio: f64,
}

fn rates(back_end: &BackEnd, parameters: &Parameters, load: f64) -> Rates {
    let (most, delay) =
        (count(parameters.batch_items), parameters.batch_delay.map_or(0.2, |d| d.as_secs_f64()));
    let most = most.min(parameters.batch_bytes.map_or(f64::MAX, |bytes| bytes as f64 / ITEM_BYTES)).max(1.0);
    let batch = (load * delay).clamp(1.0, most);
    let by_age = batch < most;
    let level = f64::from(parameters.compression_level.unwrap_or(1));
    // The ratio, and nanoseconds for each byte.
    let (ratio, effort) = match parameters.compression {
        Some(Algorithm::Zstd) => (4.0 + 0.15 * level, 2.0 + 0.9 * level),
        Some(Algorithm::Gzip) => (3.5 + 0.12 * level, 5.0 + 2.5 * level),
        _ => (1.0, 0.0),
    };
    // Small bodies compress badly.
    let ratio = 1.0 + (ratio - 1.0) * batch / (batch + 20.0);
    let bytes = ITEM_BYTES / ratio + 200.0 / batch;
    let high = count(parameters.max_in_flight);
    let at_work = high.min(back_end.width);
    let alone = back_end.round_trip + back_end.per_item * batch + bytes * batch / back_end.network;
    let success = 1.0 - back_end.failing;
    let cpu = (back_end.cpu.0 / batch + back_end.cpu.1 + ITEM_BYTES * effort) / success;
    let cores = CORES.min(0.5 + count(parameters.worker_threads));
    let limits = [
        at_work * batch / alone * success,
        back_end.network / bytes * success,
        cores * 1e9 / cpu,
        back_end.request_limit * batch,
    ];
    let capacity = limits.into_iter().fold(f64::MAX, f64::min);
    // More at a time than it works on wait there: at most as many as there is work for.
    let pressure = (load / capacity).min(1.0);
    let crowd = (high / back_end.width - 1.0).max(0.0) * if load >= capacity { 1.0 } else { 0.1 * pressure };
    let refused = (load / batch / back_end.request_limit).max(1.0);
    Rates {
        capacity,
        batch,
        by_age,
        filling: batch / load.max(1.0),
        export: alone * (1.0 + crowd),
        success: success / refused,
        cpu,
        bytes,
        ratio,
    }
}

fn count(value: Option<u64>) -> f64 {
    value.unwrap_or(1) as f64
}

/// A pipeline before a back end: holds what waits.
#[derive(Debug, Clone)]
pub(crate) struct Simulation {
    back_end: BackEnd,
    random: Random,
    /// The share by which figures scatter.
    noise: f64,
    /// Items that wait.
    waiting: f64,
    window: u64,
    /// The load is multiplied by this.
    pub(crate) surge: f64,
}

/// How long a window is.
pub(crate) const WINDOW: Duration = Duration::from_secs(1);

impl Simulation {
    pub(crate) fn new(back_end: BackEnd, seed: u64, noise: f64) -> Self {
        Self { back_end, random: Random(seed), noise, waiting: 0.0, window: 0, surge: 1.0 }
    }

    /// Another destination from now on.
    pub(crate) fn move_to(&mut self, back_end: BackEnd) {
        self.back_end = back_end;
    }

    /// The load without noise, in a window.
    fn load(back_end: &BackEnd, window: u64) -> f64 {
        let (swing, day) = back_end.swing;
        back_end.offered * (1.0 + swing * (std::f64::consts::TAU * window as f64 / day).sin())
    }

    /// The next window under these settings.
    pub(crate) fn step(&mut self, parameters: &Parameters) -> Snapshot {
        let scatter = self.noise;
        let load =
            Self::load(&self.back_end, self.window) * self.surge * self.random.around_one(scatter / 2.0);
        self.window += 1;
        let mut rates = rates(&self.back_end, parameters, load);
        rates.export *= self.random.around_one(scatter);
        rates.cpu *= self.random.around_one(scatter / 2.0);
        let room = parameters.queue_bytes.unwrap_or(0) as f64 / ITEM_BYTES;
        let delivered = (load + self.waiting).min(rates.capacity);
        let left = load + self.waiting - delivered;
        self.waiting = left.min(room);
        snapshot(&self.back_end, parameters, &rates, load, delivered, left - self.waiting, self.waiting)
    }

    /// What settles under these settings, without noise: the queue is empty or full.
    pub(crate) fn settled(back_end: &BackEnd, parameters: &Parameters, load: f64) -> Snapshot {
        let rates = rates(back_end, parameters, load);
        let room = parameters.queue_bytes.unwrap_or(0) as f64 / ITEM_BYTES;
        let delivered = load.min(rates.capacity);
        let waiting = if load > rates.capacity { room } else { 0.0 };
        snapshot(back_end, parameters, &rates, load, delivered, load - delivered, waiting)
    }
}

fn snapshot(
    back_end: &BackEnd,
    parameters: &Parameters,
    rates: &Rates,
    load: f64,
    delivered: f64,
    refused: f64,
    waiting: f64,
) -> Snapshot {
    let mut snapshot = Snapshot::default();
    let busy = (load / rates.capacity).min(0.99);
    let queued = 0.1 * rates.export * busy / (1.0 - busy) + waiting / rates.capacity;
    let requests = delivered / rates.batch / rates.success;
    let high = count(parameters.max_in_flight);
    snapshot.window = WINDOW;
    snapshot.offered_items = load as u64;
    snapshot.accepted_items = (load - refused) as u64;
    snapshot.delivered_items = delivered as u64;
    snapshot.refused_items = refused as u64;
    snapshot.bytes_in = (load * ITEM_BYTES) as u64;
    snapshot.bytes_sent = (delivered * rates.bytes / rates.success) as u64;
    snapshot.requests = requests.ceil() as u64;
    snapshot.requests_succeeded = (requests * rates.success).ceil() as u64;
    snapshot.retries = (requests * (1.0 - rates.success)) as u64;
    snapshot.export_p50 = Some(Duration::from_secs_f64(rates.export));
    snapshot.export_p99 = Some(Duration::from_secs_f64(rates.export * 1.3));
    snapshot.wait_p99 =
        Some(Duration::from_secs_f64(rates.filling + queued + rates.export * (1.0 - rates.success)));
    snapshot.held_bytes = (waiting * ITEM_BYTES) as u64;
    snapshot.queue_bytes = parameters.queue_bytes.unwrap_or(0);
    snapshot.cpu_used = Some((delivered * rates.cpu / 1e9).min(CORES));
    snapshot.cpu_available = Some(CORES);
    snapshot.rss_bytes = Some((64 << 20) + snapshot.held_bytes);
    snapshot.memory_limit_bytes = Some(512 << 20);
    snapshot.network_limit = Some(back_end.network);
    snapshot.in_flight = (requests * rates.export).min(high);
    snapshot.in_flight_limit = high as u64;
    let most = count(parameters.batch_items);
    snapshot.batch_fill = Some(rates.batch / most);
    let batches = (delivered / rates.batch).ceil() as u64;
    if rates.by_age {
        snapshot.sealed.age = batches;
    } else if most > rates.batch {
        snapshot.sealed.bytes = batches;
    } else {
        snapshot.sealed.items = batches;
    }
    snapshot.compression_ratio = Some(rates.ratio);
    snapshot
}

/// The mean score of settings over a day, without noise.
pub(crate) fn score(back_end: &BackEnd, parameters: &Parameters) -> f64 {
    let objective = Objective::default();
    let hours = if back_end.swing.0 > 0.0 { 12 } else { 1 };
    let score = |hour: u64| {
        let window = (back_end.swing.1 * hour as f64 / hours as f64) as u64;
        objective.score(&Simulation::settled(back_end, parameters, Simulation::load(back_end, window)))
    };
    (0..hours).map(score).sum::<f64>() / hours as f64
}

/// The best static settings on a grid, and their score.
pub(crate) fn best(back_end: &BackEnd) -> (Parameters, f64) {
    let codecs = [
        (Algorithm::None, 1),
        (Algorithm::Zstd, 1),
        (Algorithm::Zstd, 4),
        (Algorithm::Gzip, 1),
        (Algorithm::Gzip, 6),
    ];
    let mut best = (settings(1, 1, 1, codecs[0], 1), f64::MIN);
    for items in [16, 64, 256, 1_024, 4_096, 16_384] {
        for delay in [2, 5, 10, 20, 50, 100, 500, 2_000] {
            for high in [1, 2, 4, 8, 16, 32, 64, 128] {
                for codec in codecs {
                    for threads in [1, 2, 4] {
                        let parameters = settings(items, delay, high, codec, threads);
                        let score = score(back_end, &parameters);
                        if score > best.1 {
                            best = (parameters, score);
                        }
                    }
                }
            }
        }
    }
    best
}

/// Whether a snapshot's settings are within the bounds, knob by knob, without asking the bounds to clamp.
pub(crate) fn inside(parameters: &Parameters) -> bool {
    let bounds = bounds();
    Knob::ALL.into_iter().all(|knob| match (knob, parameters.get(knob)) {
        (Knob::BatchItems, Some(Value::Count(items))) => bounds.batch_items.contains(&items),
        (Knob::BatchBytes, Some(Value::Bytes(bytes))) => bounds.batch_bytes.contains(&bytes),
        (Knob::BatchDelay, Some(Value::Time(delay))) => bounds.batch_delay.contains(&delay),
        (Knob::MaxInFlight | Knob::MinInFlight, Some(Value::Count(requests))) => {
            bounds.in_flight.contains(&requests)
        }
        (Knob::Connections, Some(Value::Count(count))) => bounds.connections.contains(&count),
        (Knob::QueueBytes, Some(Value::Bytes(bytes))) => bounds.queue_bytes.contains(&bytes),
        (Knob::Compression, Some(Value::Algorithm(algorithm))) => bounds.compression.contains(&algorithm),
        (Knob::CompressionLevel, Some(Value::Level(level))) => bounds.compression_level.contains(&level),
        (Knob::WorkerThreads, Some(Value::Count(threads))) => bounds.worker_threads.contains(&threads),
        (_, value) => value.is_none(),
    })
}

/// What a run of a tuner came to.
#[derive(Debug)]
pub(crate) struct Run {
    /// The mean score over the second half of the steady state, without noise, over that of the best static settings.
    pub(crate) ratio: f64,
    /// Windows until it rested for the first time.
    pub(crate) rested: Option<u64>,
    /// Changes taken back in the steady state: the last third of the run.
    pub(crate) reverted: usize,
    /// Whether it was ever outside of its bounds.
    pub(crate) outside: bool,
    /// The tuner, with its history.
    pub(crate) tuner: aqueduct_tune::AutoTuner,
}

/// Runs a tuner from a start, and compares with the best score.
pub(crate) fn run(
    back_end: BackEnd,
    start: Parameters,
    best: f64,
    seed: u64,
    windows: u64,
    noise: f64,
) -> Run {
    let mut tuner = aqueduct_tune::AutoTuner::new(start, &bounds());
    let mut simulation = Simulation::new(back_end, seed, noise);
    let began = std::time::Instant::now();
    let at = |window: u64| began + WINDOW * window as u32;
    let (mut outside, mut rested, mut sum, mut scored) = (false, None, 0.0, 0.0);
    for window in 0..windows {
        let snapshot = simulation.step(tuner.parameters());
        tuner.observe(&snapshot, at(window));
        outside |= !inside(tuner.parameters());
        if tuner.is_resting() && rested.is_none() {
            rested = Some(window);
        }
        if window >= windows * 2 / 3 {
            let load = Simulation::load(&back_end, window);
            sum += Objective::default().score(&Simulation::settled(&back_end, tuner.parameters(), load));
            scored += 1.0;
        }
    }
    let late = at(windows * 2 / 3);
    let reverted = tuner
        .history()
        .iter()
        .filter(|entry| entry.at >= late && entry.outcome == aqueduct_tune::Outcome::Reverted);
    Run { ratio: sum / scored / best, rested, reverted: reverted.count(), outside, tuner }
}
