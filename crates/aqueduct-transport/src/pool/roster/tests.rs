//! The roster against a model that knows nothing but who holds what.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use proptest::prelude::*;

use super::*;

/// A connection: its number, shared with those who check that it is let go.
type Token = Rc<u32>;

/// What the connections of a test say about themselves.
#[derive(Clone, Debug, Default)]
struct Says(Rc<RefCell<Facts>>);

#[derive(Debug, Default)]
struct Facts {
    broken: BTreeSet<u32>,
    capacity: BTreeMap<u32, usize>,
    expected: usize,
}

impl Judge for Says {
    type Connection = Token;

    fn is_usable(&self, connection: &Token) -> bool {
        !self.0.borrow().broken.contains(connection)
    }

    fn capacity(&self, connection: &Token) -> usize {
        self.0.borrow().capacity[connection]
    }

    fn expected_capacity(&self) -> usize {
        self.0.borrow().expected
    }
}

#[derive(Clone, Debug)]
enum Step {
    Acquire,
    Cancel(usize),
    End(usize),
    Discard(usize),
    Connected { capacity: usize, age: Option<u64> },
    Failed,
    Checked(usize, bool),
    Break(usize),
    Grow(usize, usize),
    Pass(u64),
    Resize(usize, usize),
    Abandon,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let index = any::<usize>;
    let step = prop_oneof![
        8 => Just(Step::Acquire),
        2 => index().prop_map(Step::Cancel),
        6 => index().prop_map(Step::End),
        1 => index().prop_map(Step::Discard),
        6 => (1..4_usize, prop::option::of(1..200_u64))
            .prop_map(|(capacity, age)| Step::Connected { capacity, age }),
        2 => Just(Step::Failed),
        3 => (index(), any::<bool>()).prop_map(|(index, healthy)| Step::Checked(index, healthy)),
        1 => index().prop_map(Step::Break),
        1 => (index(), 1..6_usize).prop_map(|(index, capacity)| Step::Grow(index, capacity)),
        4 => (0..60_u64).prop_map(Step::Pass),
        1 => (0..4_usize, 1..6_usize).prop_map(|(min, max)| Step::Resize(min.min(max), max)),
        1 => Just(Step::Abandon),
    ];
    prop::collection::vec(step, 0..120)
}

/// A roster and everything that it was told and has told.
struct Rig {
    roster: Roster<Says, u32>,
    says: Says,
    now: Instant,
    min: usize,
    max: usize,
    tokens: Vec<Token>,
    /// Uses in progress: the connection's id and number.
    uses: Vec<(u64, u32)>,
    line: VecDeque<(u64, u32)>,
    next_waiter: u32,
    connecting: usize,
    checks: Vec<(u64, Token)>,
    refused: usize,
}

impl Rig {
    fn new(min: usize, max: usize, expected: usize) -> Self {
        let says = Says::default();
        says.0.borrow_mut().expected = expected;
        let limits = Limits {
            min,
            max,
            idle_timeout: Some(Duration::from_millis(90)),
            health_check_interval: Some(Duration::from_millis(30)),
        };
        Self {
            roster: Roster::new(says.clone(), limits),
            says,
            now: Instant::now(),
            min,
            max,
            tokens: Vec::new(),
            uses: Vec::new(),
            line: VecDeque::new(),
            next_waiter: 0,
            connecting: 0,
            checks: Vec::new(),
            refused: 0,
        }
    }

    fn step(&mut self, step: Step) {
        let mut fx = Effects::default();
        let now = self.now;
        let connections_before = self.roster.open.len() + self.connecting;
        match step {
            Step::Acquire => self.acquire(&mut fx),
            Step::Cancel(index) if !self.line.is_empty() => {
                let (ticket, waiter) = self.line.remove(index % self.line.len()).expect("in range");
                assert_eq!(self.roster.cancel(ticket), Some(waiter));
                assert_eq!(self.roster.cancel(ticket), None);
            }
            Step::End(index) if !self.uses.is_empty() => {
                let (id, _) = self.uses.swap_remove(index % self.uses.len());
                self.roster.ended(now, id, false, &mut fx);
            }
            Step::Discard(index) if !self.uses.is_empty() => {
                let (id, number) = self.uses.swap_remove(index % self.uses.len());
                self.says.0.borrow_mut().broken.insert(number);
                self.roster.ended(now, id, true, &mut fx);
            }
            Step::Connected { capacity, age } if self.connecting > 0 => {
                self.connecting -= 1;
                let token = Rc::new(self.tokens.len() as u32);
                self.says.0.borrow_mut().capacity.insert(*token, capacity);
                self.tokens.push(token.clone());
                let retire_at = age.map(|age| now + Duration::from_millis(age));
                self.roster.connected(now, token, retire_at, &mut fx);
            }
            Step::Failed if self.connecting > 0 => {
                self.connecting -= 1;
                self.roster.connect_failed(now, &mut fx);
            }
            Step::Checked(index, healthy) if !self.checks.is_empty() => {
                let (id, _token) = self.checks.swap_remove(index % self.checks.len());
                self.roster.checked(now, id, healthy, &mut fx);
            }
            Step::Break(index) if !self.tokens.is_empty() => {
                let number = (index % self.tokens.len()) as u32;
                self.says.0.borrow_mut().broken.insert(number);
            }
            Step::Grow(index, capacity) if !self.tokens.is_empty() => {
                let number = (index % self.tokens.len()) as u32;
                self.says.0.borrow_mut().capacity.insert(number, capacity);
            }
            Step::Pass(time) => {
                self.now += Duration::from_millis(time);
                let now = self.now;
                if self.roster.alarm().is_some_and(|alarm| alarm <= now) {
                    self.roster.tick(now, &mut fx);
                    assert!(self.roster.alarm().is_none_or(|alarm| alarm > now), "an alarm that never stops");
                }
            }
            Step::Resize(min, max) => {
                (self.min, self.max) = (min, max);
                self.roster.resize(now, min, max, &mut fx);
            }
            Step::Abandon => {
                self.roster.abandon(&mut fx);
                assert_eq!(self.roster.open.len(), 0);
                assert_eq!(fx.refused.len(), self.line.len());
            }
            _ => return,
        }
        self.take(fx);
        let connections = self.roster.open.len() + self.connecting;
        assert!(connections <= self.max.max(connections_before), "{connections} connections of {}", self.max);
        self.check();
    }

    fn acquire(&mut self, fx: &mut Effects<Token, u32>) {
        let nobody_waits = self.line.is_empty();
        if let Some(grant) = self.roster.try_acquire(self.now, fx) {
            assert!(nobody_waits, "served before those who wait");
            assert!(grant.reused);
            return self.granted(grant);
        }
        let waiter = self.next_waiter;
        self.next_waiter += 1;
        let ticket = self.roster.wait(self.now, waiter, fx);
        self.line.push_back((ticket, waiter));
    }

    fn take(&mut self, fx: Effects<Token, u32>) {
        self.connecting += fx.connects;
        self.checks.extend(fx.checks);
        for (waiter, grant) in fx.grants {
            assert_eq!(self.line.pop_front().map(|(_, waiter)| waiter), Some(waiter), "out of turn");
            self.granted(grant);
        }
        for waiter in fx.refused {
            assert_eq!(self.line.pop_front().map(|(_, waiter)| waiter), Some(waiter), "out of turn");
            self.refused += 1;
        }
    }

    fn granted(&mut self, grant: Grant<Token>) {
        let number = *grant.connection;
        let facts = self.says.0.borrow();
        assert!(!facts.broken.contains(&number), "a broken connection was handed out");
        self.uses.push((grant.id, number));
        let uses = self.uses.iter().filter(|(_, other)| *other == number).count();
        assert!(uses <= facts.capacity[&number], "{uses} uses of connection {number}");
    }

    /// What holds after every step.
    fn check(&self) {
        let status = self.roster.status();
        assert_eq!(status.in_use, self.uses.len());
        assert_eq!(status.waiting, self.line.len());
        assert_eq!(status.connecting, self.connecting);
        assert_eq!(status.connects, self.tokens.len() as u64);
        // Conservation: each connection that came about is open, or has retired for one reason.
        assert_eq!(status.connects, status.open as u64 + status.retired.total());
        for draining in &self.roster.draining {
            assert!(draining.uses > 0, "drained and kept");
        }
        // A connection is held by the roster exactly while it is open.
        for token in &self.tokens {
            let open = self.roster.open.iter().any(|entry| entry.connection == *token);
            let checked = self.checks.iter().filter(|(_, other)| other == token).count();
            assert_eq!(Rc::strong_count(token), 1 + usize::from(open) + checked);
        }
        // Nobody waits for nothing: something is under way, or a use will end, or the time comes to try again.
        if status.waiting > 0 {
            let uses_of_open = status.open > 0;
            assert!(status.connecting > 0 || uses_of_open, "a lost wake-up: {status:?}");
            for entry in self.roster.open.iter() {
                // What broke or grew since is found out at the next step.
                assert!(!entry.has_room(), "somebody waits while a connection has room: {entry:?}");
            }
        }
        let kept = status.open + status.connecting;
        if self.roster.warm && kept < self.min {
            let again = self.roster.quiet_until.expect("a reason");
            assert!(again <= self.now || self.roster.alarm().is_some_and(|alarm| alarm <= again));
        }
    }

    /// Ends everything and expects nothing to be left.
    fn wind_up(mut self) {
        let mut rounds = 0;
        while !self.line.is_empty() || !self.uses.is_empty() || self.connecting > 0 || !self.checks.is_empty()
        {
            let first = 0;
            self.step(Step::Checked(first, true));
            self.step(Step::End(first));
            self.step(Step::Connected { capacity: 1, age: None });
            self.step(Step::Pass(1));
            rounds += 1;
            assert!(rounds < 2000, "never at rest: {:?}", self.roster.status());
        }
        let mut fx = Effects::default();
        self.roster.abandon(&mut fx);
        self.take(fx);
        self.check();
        assert!(self.roster.draining.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Guards everything that `Rig::check` says, for any order of events.
    #[test]
    fn any_order_of_events(
        min in 0..3_usize, more in 0..4_usize, expected in 1..4_usize, steps in steps()
    ) {
        let mut rig = Rig::new(min, (min + more).max(1), expected);
        for step in steps {
            rig.step(step);
        }
        rig.wind_up();
    }
}

fn connected() -> Step {
    Step::Connected { capacity: 1, age: None }
}

/// Guards laziness, and the minimum afterwards.
#[test]
fn the_minimum_is_kept_once_somebody_came() {
    let mut rig = Rig::new(2, 4, 1);
    rig.step(Step::Resize(2, 4));
    assert_eq!(rig.connecting, 0);
    rig.step(Step::Acquire);
    assert_eq!(rig.connecting, 2);
    rig.step(connected());
    rig.step(connected());
    rig.step(Step::Discard(0));
    assert_eq!(rig.connecting, 1, "one was lost and is replaced");
}

/// Guards the order of the line, and that a use is handed on at once.
#[test]
fn first_come_first_served() {
    let mut rig = Rig::new(0, 1, 1);
    for _ in 0..3 {
        rig.step(Step::Acquire);
    }
    assert_eq!((rig.connecting, rig.line.len()), (1, 3));
    rig.step(connected());
    // `take` checks who is served.
    rig.step(Step::End(0));
    rig.step(Step::End(0));
    assert_eq!((rig.line.len(), rig.uses.len()), (0, 1));
}

/// Guards the time before the next try for connections that nobody needs at once, and its growth.
#[test]
fn failures_are_followed_by_a_pause() {
    let mut rig = Rig::new(1, 2, 1);
    rig.step(Step::Acquire);
    rig.step(connected());
    rig.step(Step::Acquire);
    let mut pauses = Vec::new();
    for _ in 0..3 {
        assert_eq!(rig.connecting, 1);
        rig.step(Step::Failed);
        assert_eq!((rig.connecting, rig.refused), (0, 0), "another is open, so its end can be waited for");
        let alarm = rig.roster.quiet_until.expect("a pause");
        pauses.push((alarm - rig.now).as_millis());
        rig.now = alarm;
        rig.step(Step::Pass(0));
    }
    assert_eq!(pauses, [100, 200, 400]);
    assert_eq!(LONGEST_PAUSE.as_secs(), 30);
}

/// Guards the telling of failures: as many are told as have no connection coming, the oldest first.
#[test]
fn a_failure_is_told_to_those_whom_it_concerns() {
    let mut rig = Rig::new(0, 2, 1);
    for _ in 0..3 {
        rig.step(Step::Acquire);
    }
    assert_eq!(rig.connecting, 2);
    rig.step(Step::Failed);
    assert_eq!((rig.refused, rig.line.len(), rig.connecting), (2, 1, 1));
    rig.step(connected());
    assert_eq!((rig.line.len(), rig.uses.len()), (0, 1));
}

/// Guards the turn: the least used first; in rotation among those that are kept, and the last used first among spare ones.
#[test]
fn which_connection_is_next() {
    let mut rig = Rig::new(3, 3, 2);
    rig.step(Step::Acquire);
    for _ in 0..3 {
        rig.step(Step::Connected { capacity: 2, age: None });
    }
    for _ in 0..5 {
        rig.step(Step::Acquire);
    }
    let mut numbers: Vec<u32> = rig.uses.iter().map(|(_, number)| *number).collect();
    assert_eq!(numbers[..3].iter().collect::<BTreeSet<_>>().len(), 3, "{numbers:?}");
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 0, 1, 1, 2, 2]);

    let mut rig = Rig::new(0, 3, 1);
    for _ in 0..3 {
        rig.step(Step::Acquire);
        rig.step(connected());
    }
    for _ in 0..3 {
        rig.step(Step::End(0));
    }
    rig.step(Step::Acquire);
    let first = rig.uses[0].1;
    for _ in 0..3 {
        rig.step(Step::End(0));
        rig.step(Step::Acquire);
        assert_eq!(rig.uses[0].1, first);
    }
}
