//! The samples of a profile, apart from how they were taken and how they are shown.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

/// A profile: how often each stack was seen.
#[derive(Debug)]
pub(super) struct Stacks {
    /// Names of functions, each once; stacks refer to them by their place.
    functions: Vec<String>,
    places: HashMap<String, usize>,
    samples: Vec<Sample>,
    /// Samples a second of processor time, as asked for.
    pub(super) hz: u32,
    /// When it began.
    pub(super) started: SystemTime,
    /// How long it took.
    pub(super) took: Duration,
}

/// A stack, and how often it was seen.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) thread: String,
    /// From the outermost function to the one that ran.
    pub(super) frames: Vec<usize>,
    pub(super) count: u64,
}

impl Stacks {
    pub(super) fn new(hz: u32, started: SystemTime, took: Duration) -> Self {
        Self { functions: Vec::new(), places: HashMap::new(), samples: Vec::new(), hz, started, took }
    }

    /// Adds a stack, its names from the outermost to the one that ran.
    pub(super) fn add(&mut self, thread: String, names: impl IntoIterator<Item = String>, count: u64) {
        let mut frames: Vec<usize> = names.into_iter().map(|name| self.place(name)).collect();
        // Code without symbols, such as the kernel's page of clocks: the time is shown, even if not whose.
        if frames.is_empty() {
            frames.push(self.place("[no symbols]".to_owned()));
        }
        self.samples.push(Sample { thread, frames, count });
    }

    fn place(&mut self, name: String) -> usize {
        if let Some(place) = self.places.get(&name) {
            return *place;
        }
        let place = self.functions.len();
        self.functions.push(name.clone());
        self.places.insert(name, place);
        place
    }

    pub(super) fn functions(&self) -> &[String] {
        &self.functions
    }

    pub(super) fn name(&self, place: usize) -> &str {
        self.functions.get(place).map_or("", String::as_str)
    }

    pub(super) fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// All samples.
    pub(super) fn total(&self) -> u64 {
        self.samples.iter().map(|sample| sample.count).sum()
    }
}

/// A profile of three functions: `main` calls `work`, which calls `inner` and sometimes itself.
#[cfg(test)]
pub(super) fn example() -> Stacks {
    let started = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    let mut stacks = Stacks::new(100, started, Duration::from_secs(2));
    let mut add = |thread: &str, names: &[&str], count| {
        stacks.add(thread.to_owned(), names.iter().map(|name| (*name).to_owned()), count);
    };
    add("rx-0", &["main", "work", "inner<T>"], 60);
    add("rx-0", &["main", "work", "work"], 10);
    add("rx-1", &["main", "work"], 20);
    add("rx-1", &["main"], 9);
    add("rx-1", &[], 1);
    stacks
}
