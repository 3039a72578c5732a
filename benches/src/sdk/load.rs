//! An application under load, which measures itself.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use super::behind::Providers;
use super::order::{Load, Shape, Told};
use crate::Failure;
use crate::faults::Pace;
use crate::harness::median;
use crate::process::Usage;

/// Fits twice into the SDK's queue of 2,048.
const BURST: u32 = 1_000;
/// So many more bursts come first, in parts of those in the figures.
const WARM_UP: u32 = 5;
const TICK: Duration = Duration::from_millis(1);
/// How many are made between two looks at the clock.
const STRIDE: u32 = 64;

pub(super) fn run(load: &Load) -> Result<Told, Failure> {
    let providers = Providers::new(load)?;
    let start = Instant::now();
    let mut told = match load.shape {
        Shape::Bursts(bursts) => rounds(&providers, load.threads, BURST, bursts.div_ceil(WARM_UP), bursts)?,
        Shape::Flood { items, rounds: count } => rounds(&providers, load.threads, items, 1, count)?,
        Shape::Paced { rate, seconds } => {
            let mut pace = Pace::new(rate);
            timed(&providers, seconds, |elapsed| {
                thread::sleep(TICK);
                pace.due(elapsed) as u32
            })
        }
        Shape::FlatOut(seconds) => timed(&providers, seconds, |_| STRIDE),
    };
    told.seconds = start.elapsed().as_secs_f64();
    told.exported = providers.exported();
    told.peak_rss = Usage::of(std::process::id())?.peak_rss;
    Ok(told)
}

/// Every thread makes as many as the others, all begin together, and what they have made is flushed before they do so again.
fn rounds(
    providers: &Providers,
    threads: u32,
    items: u32,
    warm_up: u32,
    count: u32,
) -> Result<Told, Failure> {
    let together = Barrier::new(threads as usize);
    let all = warm_up + count;
    let of_thread = |first: bool| {
        let maker = providers.maker();
        let (mut times, mut before) = (Vec::with_capacity(count as usize), process_time());
        for round in 0..all {
            if round == warm_up {
                before = process_time();
            }
            together.wait();
            let begin = Instant::now();
            maker.make(items);
            times.push(begin.elapsed().as_nanos() as f64 / f64::from(items));
            together.wait();
            if first {
                providers.flush()?;
            }
        }
        Ok::<_, Failure>((times.split_off(warm_up as usize), process_time() - before))
    };
    let (mut times, mut cpu) = (Vec::new(), Duration::ZERO);
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(|| of_thread(false))).collect();
        (times, cpu) = of_thread(true)?;
        for other in others {
            times.extend(other.join().map_err(|_| "a thread panicked")??.0);
        }
        Ok::<_, Failure>(())
    })?;
    providers.shutdown()?;
    Ok(Told {
        made: u64::from(all) * u64::from(items) * u64::from(threads),
        thread_ns: median(&times),
        cpu_ns: cpu.as_nanos() as f64 / f64::from(count) / f64::from(items * threads),
        ..Told::default()
    })
}

/// On one thread for some seconds, asked again and again how many; the shutdown is in the figures.
fn timed(providers: &Providers, seconds: f64, mut next: impl FnMut(Duration) -> u32) -> Told {
    let maker = providers.maker();
    let (start, before, mut made) = (Instant::now(), process_time(), 0);
    loop {
        let elapsed = start.elapsed();
        if elapsed.as_secs_f64() >= seconds {
            break;
        }
        let items = next(elapsed);
        maker.make(items);
        made += u64::from(items);
    }
    let making = start.elapsed();
    if let Err(error) = providers.shutdown() {
        // What it could not send is missing in the sink.
        eprintln!("shutdown: {error}");
    }
    let of_each = |time: Duration| time.as_nanos() as f64 / made.max(1) as f64;
    Told { made, thread_ns: of_each(making), cpu_ns: of_each(process_time() - before), ..Told::default() }
}

pub(super) fn process_time() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}
