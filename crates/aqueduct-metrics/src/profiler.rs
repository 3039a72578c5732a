//! Where time goes: sections that nest.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use crate::recorder::OTHER;

/// How many sections are told apart.
const MAX_SECTIONS: usize = 256;
/// How deep they may nest.
const MAX_DEPTH: usize = 64;

/// Measures how long named sections of code take, alone and with the sections inside them.
///
/// For one thread: give each its own and [`merge`](Profile::merge) their profiles. It reads no clock of its own: it is given the function
/// that does, or the times.
///
/// There is room for 256 names; further ones are counted as `other`. Sections deeper than 64 are counted as part of the one they are in.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, Instant};
/// use aqueduct_metrics::Profiler;
///
/// let profiler = Profiler::new();
/// {
///     let _export = profiler.section("export", Instant::now);
///     let _encode = profiler.section("encode", Instant::now);
/// }
/// // Or with times of one's own.
/// let start = Instant::now();
/// let at = |ms| start + Duration::from_millis(ms);
/// profiler.start("batch", at(0));
/// profiler.start("seal", at(10));
/// profiler.stop(at(40));
/// profiler.stop(at(100));
///
/// let profile = profiler.profile();
/// let batch = profile.section("batch").expect("it ran");
/// assert_eq!((batch.count, batch.total, batch.own), (1, Duration::from_millis(100), Duration::from_millis(70)));
/// ```
#[doc(alias = "PerformanceProfiler")]
#[derive(Debug, Default)]
pub struct Profiler {
    state: RefCell<State>,
}

#[derive(Debug, Default)]
struct State {
    profile: Profile,
    open: Vec<Open>,
    /// Sections that are open beyond the deepest.
    too_deep: usize,
}

#[derive(Debug)]
struct Open {
    section: usize,
    since: Instant,
    /// Spent in the sections inside.
    inside: Duration,
}

impl Profiler {
    /// Nothing measured yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a section that ends when what is returned is dropped. Both times are read from `clock`, usually `Instant::now`.
    #[must_use = "the section ends when this is dropped"]
    pub fn section(&self, name: &'static str, clock: fn() -> Instant) -> SectionGuard<'_> {
        self.start(name, clock());
        SectionGuard { profiler: self, depth: self.depth(), clock }
    }

    /// Begins a section, which is inside of those that are open.
    pub fn start(&self, name: &'static str, now: Instant) {
        let state = &mut *self.state.borrow_mut();
        if state.open.len() >= MAX_DEPTH {
            state.too_deep += 1;
            return;
        }
        let section = state.profile.find(name);
        state.open.push(Open { section, since: now, inside: Duration::ZERO });
    }

    /// Ends the section that was begun last; nothing if none is open.
    pub fn stop(&self, now: Instant) {
        let state = &mut *self.state.borrow_mut();
        if state.too_deep > 0 {
            state.too_deep -= 1;
            return;
        }
        let Some(Open { section, since, inside }) = state.open.pop() else { return };
        let total = now.saturating_duration_since(since);
        // A section inside of itself is in the total once.
        let again = state.open.iter().any(|open| open.section == section);
        if let Some(outer) = state.open.last_mut() {
            outer.inside = outer.inside.saturating_add(total);
        }
        let section = &mut state.profile.sections[section];
        section.count = section.count.saturating_add(1);
        section.own = section.own.saturating_add(total.saturating_sub(inside));
        section.longest = section.longest.max(total);
        if !again {
            section.total = section.total.saturating_add(total);
        }
    }

    /// How many sections are open.
    pub fn depth(&self) -> usize {
        let state = self.state.borrow();
        state.open.len() + state.too_deep
    }

    /// What was measured so far. Sections that are open are in it once they end.
    pub fn profile(&self) -> Profile {
        self.state.borrow().profile.clone()
    }
}

/// A section that ends when this is dropped.
#[derive(Debug)]
pub struct SectionGuard<'a> {
    profiler: &'a Profiler,
    /// With this section.
    depth: usize,
    clock: fn() -> Instant,
}

impl Drop for SectionGuard<'_> {
    fn drop(&mut self) {
        let now = (self.clock)();
        // Sections inside that were begun by hand and not ended end here as well; one that was ended by hand does not end again.
        while self.profiler.depth() >= self.depth {
            self.profiler.stop(now);
        }
    }
}

/// What a [`Profiler`] measured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    sections: Vec<Section>,
}

/// One section of a [`Profile`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Section {
    /// Its name.
    pub name: &'static str,
    /// How often it ran.
    pub count: u64,
    /// How long, with the sections inside.
    pub total: Duration,
    /// How long, without them.
    pub own: Duration,
    /// The longest run, with the sections inside.
    pub longest: Duration,
}

impl Profile {
    /// Nothing measured.
    pub fn new() -> Self {
        Self::default()
    }

    /// All sections, those first that took most time by themselves.
    pub fn sections(&self) -> Vec<Section> {
        let mut sections = self.sections.clone();
        sections.sort_by(|one, other| other.own.cmp(&one.own).then(one.name.cmp(other.name)));
        sections
    }

    /// A section by its name.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// Adds what another thread measured.
    pub fn merge(&mut self, other: &Profile) {
        for theirs in &other.sections {
            let index = self.find(theirs.name);
            let section = &mut self.sections[index];
            section.count = section.count.saturating_add(theirs.count);
            section.total = section.total.saturating_add(theirs.total);
            section.own = section.own.saturating_add(theirs.own);
            section.longest = section.longest.max(theirs.longest);
        }
    }

    /// Where the section is, made if there is room, and that of all others if not.
    fn find(&mut self, name: &'static str) -> usize {
        let known = |sections: &[Section], name| sections.iter().position(|section| section.name == name);
        if let Some(index) = known(&self.sections, name) {
            return index;
        }
        let name = if self.sections.len() + 1 >= MAX_SECTIONS { OTHER } else { name };
        known(&self.sections, name).unwrap_or_else(|| {
            let none = Duration::ZERO;
            self.sections.push(Section { name, count: 0, total: none, own: none, longest: none });
            self.sections.len() - 1
        })
    }
}
