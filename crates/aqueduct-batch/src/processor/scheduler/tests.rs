//! Decisions on a clock that stands still until a test moves it, case by case and against a model.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const MS: Duration = Duration::from_millis(1);

fn settings() -> Settings {
    Settings {
        batch: BatchConfig::default().with_max_items(4).with_max_bytes(100).with_max_age(100 * MS),
        queue: Weight::new(8, 200),
        max_concurrent: 1,
        eviction: Eviction::Never,
        watermarks: Watermarks::default(),
        dynamic: None,
    }
}

fn tag(items: u64, bytes: u64, priority: u8) -> Tag {
    Tag { weight: Weight::new(items, bytes), priority }
}

/// Adds an item of one item and one byte, which is expected to get in.
fn add(scheduler: &mut Scheduler<u32>, id: u32, now: Instant) {
    let mut evicted = Vec::new();
    scheduler.offer(id, tag(1, 1, 0), now, &mut evicted).expect("there is room");
    assert_eq!(evicted, []);
}

fn start(scheduler: &mut Scheduler<u32>, now: Instant) -> Batch<u32> {
    match scheduler.direct(now) {
        Step::Start(batch) => batch,
        other => panic!("a batch was expected: {other:?}"),
    }
}

impl<T> Scheduler<T> {
    /// What waits, counted item by item.
    fn walk(&self) -> Weight {
        let open = self.batcher.open().into_iter().flat_map(Bundle::tags);
        open.chain(self.backlog.tags()).fold(Weight::default(), |sum, tag| sum.plus(tag.weight))
    }
}

/// Guards against a batch that waits for its age although its own size keeps everything else out.
#[test]
fn a_full_queue_of_one_open_batch_is_sealed() {
    let now = Instant::now();
    let mut settings = settings();
    settings.batch = settings.batch.with_max_items(8).with_max_bytes(200).with_max_age(Duration::MAX);
    let mut scheduler = Scheduler::new(settings);
    scheduler.offer(1, tag(1, 150, 0), now, &mut Vec::new()).unwrap();
    assert_eq!(scheduler.due(), Due::Never);
    let refused = scheduler.offer(2, tag(1, 60, 0), now, &mut Vec::new());
    assert_eq!(refused, Err((2, Refusal::Full)));
    assert_eq!(scheduler.due(), Due::Now);
    let batch = start(&mut scheduler, now);
    assert_eq!((batch.as_slice(), batch.reason()), (&[1][..], SealReason::Bytes));
    assert_eq!(scheduler.due(), Due::Never);
}

/// Guards against batches of one item as long as the queue is full and the handler busy: nobody could take them.
#[test]
fn a_full_queue_does_not_seal_for_a_busy_handler() {
    let now = Instant::now();
    let mut settings = settings();
    settings.eviction = Eviction::Oldest;
    settings.queue = Weight::new(12, 200);
    let mut scheduler = Scheduler::new(settings);
    (0..4).for_each(|id| add(&mut scheduler, id, now));
    let first = start(&mut scheduler, now);
    for id in 4..50 {
        scheduler.offer(id, tag(1, 1, 0), now, &mut Vec::new()).unwrap();
        assert!(matches!(scheduler.direct(now), Step::Wait));
    }
    assert!(scheduler.finish(first.id, Outcome::Handled, now).is_none());
    // The room is eight items: the rest of a batch, a whole one, and one that was not full yet.
    let sizes: Vec<_> = std::iter::from_fn(|| match scheduler.direct(now + 100 * MS) {
        Step::Start(batch) => {
            scheduler.finish(batch.id, Outcome::Handled, now);
            Some(batch.len())
        }
        _ => None,
    })
    .collect();
    assert_eq!(sizes.iter().sum::<usize>(), 8);
    assert!(sizes.len() <= 3, "{sizes:?}");
    assert_eq!(scheduler.stats().dropped.oldest.items, 38);
}

/// Guards the end of delays that the shutdown cannot wait for: one more attempt, now, and no further one.
#[test]
fn a_shutdown_does_not_lose_what_waits_for_a_late_attempt() {
    let now = Instant::now();
    let mut scheduler = Scheduler::new(settings());
    add(&mut scheduler, 1, now);
    scheduler.flush();
    let batch = start(&mut scheduler, now);
    scheduler.finish(batch.id, Outcome::Retry(batch, 60_000 * MS), now);
    assert_eq!(scheduler.due(), Due::At(now + 60_000 * MS));
    scheduler.close(Some(now + 5_000 * MS));
    let batch = start(&mut scheduler, now);
    assert_eq!(batch.attempt(), 2);
    // Late again: there is no time for a third, and no reason to wait for the deadline.
    let unwanted = scheduler.finish(batch.id, Outcome::Retry(batch, 60_000 * MS), now);
    assert_eq!(unwanted.map(Batch::into_items), Some(vec![1]));
    assert!(matches!(scheduler.direct(now), Step::End));
    let stats = scheduler.stats();
    assert_eq!((stats.dropped.shutdown.items, stats.held.items, stats.retries), (1, 0, 1));
}

/// Guards a delay in time: a shutdown does not cut it short.
#[test]
fn a_shutdown_waits_for_an_attempt_that_comes_in_time() {
    let now = Instant::now();
    let mut scheduler = Scheduler::new(settings());
    add(&mut scheduler, 1, now);
    scheduler.flush();
    let batch = start(&mut scheduler, now);
    scheduler.finish(batch.id, Outcome::Retry(batch, 1_000 * MS), now);
    scheduler.close(Some(now + 5_000 * MS));
    assert!(matches!(scheduler.direct(now), Step::Wait));
    assert_eq!(scheduler.due(), Due::At(now + 1_000 * MS));
    let batch = start(&mut scheduler, now + 1_000 * MS);
    scheduler.finish(batch.id, Outcome::Handled, now + 1_000 * MS);
    assert!(matches!(scheduler.direct(now), Step::End));
}

/// Guards the deadline of a shutdown: what waits is dropped, what runs is held until it comes back, and is not tried again.
#[test]
fn what_runs_at_the_end_is_settled_when_it_comes_back() {
    let now = Instant::now();
    let mut scheduler = Scheduler::new(settings());
    (0..6).for_each(|id| add(&mut scheduler, id, now));
    let batch = start(&mut scheduler, now);
    scheduler.close(Some(now + MS));
    assert!(matches!(scheduler.direct(now), Step::Wait));
    assert!(matches!(scheduler.direct(now + MS), Step::End));
    let mut dropped = Vec::new();
    scheduler.stop(&mut dropped);
    assert_eq!(dropped, [4, 5]);
    assert_eq!(scheduler.stats().held.items, 4);
    assert!(scheduler.finish(batch.id, Outcome::Retry(batch, Duration::ZERO), now + MS).is_some());
    let stats = scheduler.stats();
    assert_eq!((stats.held, stats.dropped.shutdown), (Weight::default(), Weight::new(6, 6)));
}

/// Guards that the size has an effect, and that batches below it do not move it.
#[test]
fn the_batch_size_follows_the_latency() {
    let mut now = Instant::now();
    let mut settings = settings();
    settings.queue = Weight::new(1_000, 1_000);
    settings.dynamic = Some(DynamicBatch::new(100 * MS, 1, 100).unwrap().starting_at(4));
    let mut scheduler = Scheduler::new(settings);
    assert_eq!(scheduler.stats().max_items, 4);
    for _ in 0..10 {
        // Sealed by a flush: it says nothing of the size.
        add(&mut scheduler, 0, now);
        scheduler.flush();
        let batch = start(&mut scheduler, now);
        scheduler.finish(batch.id, Outcome::Handled, now + MS);
    }
    assert_eq!(scheduler.stats().max_items, 4);
    for _ in 0..10 {
        (0..4).for_each(|id| add(&mut scheduler, id, now));
        let batch = start(&mut scheduler, now);
        now += MS;
        scheduler.finish(batch.id, Outcome::Handled, now);
    }
    assert_eq!(scheduler.stats().max_items, 5);
    (0..5).for_each(|id| add(&mut scheduler, id, now));
    assert_eq!(start(&mut scheduler, now).len(), 5);
}

/// Guards the edges of both dimensions together: one when the first gets high, one when neither is any more.
#[test]
fn the_watermarks_are_those_of_the_fuller_dimension() {
    let now = Instant::now();
    let mut settings = settings();
    settings.max_concurrent = 2;
    let mut scheduler = Scheduler::new(settings);
    scheduler.offer(1, tag(4, 1, 0), now, &mut Vec::new()).unwrap();
    assert_eq!(scheduler.take_edge(), None);
    scheduler.offer(2, tag(1, 170, 0), now, &mut Vec::new()).unwrap();
    assert_eq!(scheduler.take_edge(), Some(Edge::High));
    scheduler.offer(3, tag(2, 1, 0), now, &mut Vec::new()).unwrap();
    assert_eq!(scheduler.take_edge(), None);
    let (items, bytes) = (start(&mut scheduler, now), start(&mut scheduler, now));
    scheduler.finish(bytes.id, Outcome::Handled, now);
    assert_eq!(scheduler.take_edge(), None, "six of eight items are still there");
    scheduler.finish(items.id, Outcome::Handled, now);
    assert_eq!(scheduler.take_edge(), Some(Edge::Low));
}

#[derive(Clone, Debug)]
enum Call {
    Offer { items: u64, bytes: u64, priority: u8 },
    Direct { after: u64 },
    DirectWhenDue,
    Finish { which: prop::sample::Index, how: How },
    Flush,
    Close { after: Option<u64> },
    Stop,
}

#[derive(Clone, Debug)]
enum How {
    Handled,
    /// Every item is kept whose number is no multiple of this.
    Retry {
        unless: u32,
        delay: u64,
    },
    Permanent {
        unless: u32,
    },
    Panic,
    Cancelled,
}

fn how() -> impl Strategy<Value = How> {
    prop_oneof![
        4 => Just(How::Handled),
        4 => (1..5_u32, prop_oneof![Just(0), 0..80_u64]).prop_map(|(unless, delay)| How::Retry { unless, delay }),
        1 => (1..5_u32).prop_map(|unless| How::Permanent { unless }),
        1 => Just(How::Panic),
        1 => Just(How::Cancelled),
    ]
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        20 => (1..4_u64, 0..60_u64, 0..4_u8)
            .prop_map(|(items, bytes, priority)| Call::Offer { items, bytes, priority }),
        1 => (1..40_u64, 0..400_u64).prop_map(|(items, bytes)| Call::Offer { items, bytes, priority: 1 }),
        6 => (0..60_u64).prop_map(|after| Call::Direct { after }),
        4 => Just(Call::DirectWhenDue),
        8 => (any::<prop::sample::Index>(), how()).prop_map(|(which, how)| Call::Finish { which, how }),
        1 => Just(Call::Flush),
    ]
}

/// Calls, and perhaps an end with some more of them.
fn calls() -> impl Strategy<Value = Vec<Call>> {
    let end = prop_oneof![
        3 => proptest::option::of(0..200_u64).prop_map(|after| vec![Call::Close { after }]),
        1 => Just(vec![Call::Stop]),
        1 => Just(Vec::new()),
    ];
    (vec(call(), 1..120), end, vec(call(), 0..20)).prop_map(|(first, end, last)| [first, end, last].concat())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// In a batch that was not started yet.
    Fresh,
    /// Waiting for another attempt of this batch.
    Again(u64),
    Running(u64),
    Handled,
    Failed,
    Evicted,
    Shutdown,
}

#[derive(Clone, Copy, Debug)]
struct Item {
    tag: Tag,
    fate: Fate,
}

/// All items that were ever taken in, in their order, and what became of each.
struct Model {
    queue: Weight,
    eviction: Eviction,
    /// Item `n` has the number `n`.
    items: Vec<Item>,
    running: Vec<Batch<u32>>,
    open: bool,
    /// What was held at each flush, by its mark.
    marks: Vec<(u64, Vec<u32>)>,
}

impl Model {
    fn sum(&self, of: impl Fn(&Item) -> bool) -> Weight {
        let items = self.items.iter().filter(|item| of(item));
        items.fold(Weight::default(), |sum, item| sum.plus(item.tag.weight))
    }

    fn is_held(fate: Fate) -> bool {
        matches!(fate, Fate::Fresh | Fate::Again(_) | Fate::Running(_))
    }

    fn held(&self) -> Weight {
        self.sum(|item| Model::is_held(item.fate))
    }

    fn fits(&self, held: Weight, more: Weight) -> bool {
        held.items + more.items <= self.queue.items && held.bytes + more.bytes <= self.queue.bytes
    }

    /// Who goes for this item, or why it is refused.
    fn offer(&self, tag: Tag) -> Result<Vec<u32>, Refusal> {
        if !self.open {
            return Err(Refusal::Closed);
        }
        if !self.fits(Weight::default(), tag.weight) {
            return Err(Refusal::TooLarge);
        }
        let mut waiting: Vec<u32> = (0..self.items.len() as u32)
            .filter(|id| matches!(self.items[*id as usize].fate, Fate::Fresh | Fate::Again(_)))
            .filter(|id| self.items[*id as usize].tag.priority <= tag.priority)
            .collect();
        waiting.sort_by_key(|id| self.items[*id as usize].tag.priority);
        let mut held = self.held();
        let mut victims = Vec::new();
        let mut waiting = waiting.into_iter();
        while !self.fits(held, tag.weight) {
            let victim = match self.eviction {
                Eviction::Never => None,
                Eviction::Oldest | Eviction::Priority => waiting.next(),
            };
            let victim = victim.ok_or(Refusal::Full)?;
            held = held.minus(self.items[victim as usize].tag.weight);
            victims.push(victim);
        }
        Ok(victims)
    }

    fn set(&mut self, ids: impl IntoIterator<Item = u32>, fate: Fate) {
        ids.into_iter().for_each(|id| self.items[id as usize].fate = fate);
    }

    fn ids(&self, of: impl Fn(Fate) -> bool) -> Vec<u32> {
        (0..self.items.len() as u32).filter(|id| of(self.items[*id as usize].fate)).collect()
    }

    fn stop(&mut self) -> Vec<u32> {
        let ids = self.ids(|fate| matches!(fate, Fate::Fresh | Fate::Again(_)));
        self.set(ids.iter().copied(), Fate::Shutdown);
        self.open = false;
        ids
    }

    /// A batch comes out: the next of those that were never started, or all that is left of one that was.
    fn started(&mut self, batch: Batch<u32>) -> Result<(), TestCaseError> {
        let fresh = self.ids(|fate| fate == Fate::Fresh);
        let again = self.ids(|fate| fate == Fate::Again(batch.id));
        let expected = if batch.attempt() == 1 { &fresh[..batch.len().min(fresh.len())] } else { &again[..] };
        prop_assert_eq!(batch.as_slice(), expected, "in order, and complete");
        prop_assert!(!batch.is_empty());
        let weight =
            expected.iter().fold(Weight::default(), |sum, id| sum.plus(self.items[*id as usize].tag.weight));
        prop_assert_eq!(batch.weight(), weight);
        self.set(batch.as_slice().to_vec(), Fate::Running(batch.id));
        self.running.push(batch);
        Ok(())
    }
}

/// What came back to the test, and how it is told to the scheduler.
fn outcome_of(how: &How, mut batch: Batch<u32>) -> (Vec<u32>, Outcome<u32>) {
    let weight = batch.weight();
    match *how {
        How::Handled => (Vec::new(), Outcome::Handled),
        How::Retry { unless, delay } => {
            batch.retain(|id| id % unless != 0);
            if batch.is_empty() {
                (Vec::new(), Outcome::Handled)
            } else {
                (batch.as_slice().to_vec(), Outcome::Retry(batch, delay as u32 * MS))
            }
        }
        How::Permanent { unless } => {
            batch.retain(|id| id % unless != 0);
            (batch.as_slice().to_vec(), Outcome::Failed(batch.weight(), Failure::Permanent))
        }
        How::Panic => (batch.into_items(), Outcome::Failed(weight, Failure::Panic)),
        How::Cancelled => (batch.into_items(), Outcome::Cancelled),
    }
}

fn check(scheduler: &Scheduler<u32>, model: &Model) -> Result<(), TestCaseError> {
    let stats = scheduler.stats();
    let waiting = model.sum(|item| matches!(item.fate, Fate::Fresh | Fate::Again(_)));
    prop_assert_eq!(scheduler.walk(), waiting);
    prop_assert_eq!(stats.held, model.held());
    prop_assert_eq!(stats.running, model.held().minus(waiting));
    prop_assert_eq!(stats.accepted, model.sum(|_| true));
    prop_assert_eq!(stats.handled, model.sum(|item| item.fate == Fate::Handled));
    prop_assert_eq!(stats.failed.total(), model.sum(|item| item.fate == Fate::Failed));
    prop_assert_eq!(stats.dropped.shutdown, model.sum(|item| item.fate == Fate::Shutdown));
    let evicted = stats.dropped.oldest.plus(stats.dropped.priority);
    prop_assert_eq!(evicted, model.sum(|item| item.fate == Fate::Evicted));
    let settled = stats.handled.plus(stats.failed.total()).plus(stats.dropped.total());
    prop_assert_eq!(stats.accepted, settled.plus(stats.held), "conservation");
    prop_assert!(stats.held.items <= model.queue.items && stats.held.bytes <= model.queue.bytes);
    for (mark, ids) in &model.marks {
        let settled = ids.iter().all(|id| !Model::is_held(model.items[*id as usize].fate));
        prop_assert_eq!(scheduler.has_settled(*mark), settled);
    }
    for priority in 0..4 {
        let level = |item: &Item| item.tag.priority <= priority;
        let waits = |item: &Item| matches!(item.fate, Fate::Fresh | Fate::Again(_));
        prop_assert_eq!(scheduler.levels.up_to(priority), model.sum(|item| level(item) && waits(item)));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Guards conservation at every step against an independent count, the budget, who goes and who is refused, order, the bound of
    /// concurrency, what a flush waits for, and that the driver has something to do exactly when `due` says so.
    #[test]
    fn any_sequence_of_calls_does_what_the_model_does(
        calls in calls(),
        max_concurrent in 1..4_usize,
        eviction in prop_oneof![Just(Eviction::Never), Just(Eviction::Oldest), Just(Eviction::Priority)],
        batch in (1..9_u64, 1..120_u64, 0..80_u64),
        queue in (9..24_u64, 120..300_u64),
    ) {
        let queue = Weight::new(queue.0, queue.1);
        let config = BatchConfig::default()
            .with_max_items(batch.0)
            .with_max_bytes(batch.1)
            .with_max_age(batch.2 as u32 * MS);
        let mut scheduler = Scheduler::new(Settings {
            batch: config,
            queue,
            max_concurrent,
            eviction,
            watermarks: Watermarks::default(),
            dynamic: None,
        });
        let mut model =
            Model { queue, eviction, items: Vec::new(), running: Vec::new(), open: true, marks: Vec::new() };
        let mut now = Instant::now();
        for call in calls {
            match call {
                Call::Offer { items, bytes, priority } => {
                    // By age alone all are alike.
                    let priority = if eviction == Eviction::Priority { priority } else { 0 };
                    let tag = tag(items, bytes, priority);
                    let expected = model.offer(tag);
                    let id = model.items.len() as u32;
                    let mut evicted = Vec::new();
                    let result = scheduler.offer(id, tag, now, &mut evicted);
                    prop_assert_eq!(result.map(|()| &evicted).map_err(|(_, reason)| reason), expected.as_ref().map_err(|e| *e));
                    model.set(evicted, Fate::Evicted);
                    if expected.is_ok() {
                        model.items.push(Item { tag, fate: Fate::Fresh });
                    }
                }
                Call::Direct { .. } | Call::DirectWhenDue => {
                    now = match (call, scheduler.due()) {
                        (Call::Direct { after }, _) => now + after as u32 * MS,
                        (_, Due::At(at)) => now.max(at),
                        _ => now,
                    };
                    let is_due = scheduler.due() <= Due::At(now);
                    match scheduler.direct(now) {
                        Step::Start(batch) => {
                            prop_assert!(is_due, "a batch out of time");
                            model.started(batch)?;
                            prop_assert!(model.running.len() <= max_concurrent);
                        }
                        Step::Wait => prop_assert!(!is_due, "something was due, and nothing was done"),
                        Step::End => {
                            prop_assert!(is_due && !model.open);
                            let mut dropped = Vec::new();
                            scheduler.stop(&mut dropped);
                            dropped.sort_unstable();
                            prop_assert_eq!(dropped, model.stop());
                        }
                    }
                }
                Call::Finish { which, how } => {
                    if !model.running.is_empty() {
                        let batch = model.running.swap_remove(which.index(model.running.len()));
                        let (id, all) = (batch.id, batch.as_slice().to_vec());
                        let (left, outcome) = outcome_of(&how, batch);
                        let tried_again = matches!(outcome, Outcome::Retry(..));
                        let unwanted = scheduler.finish(id, outcome, now);
                        prop_assert!(unwanted.is_none() || tried_again && !model.open);
                        model.set(all, Fate::Handled);
                        model.set(left, match how {
                            How::Handled => Fate::Handled,
                            How::Retry { .. } if unwanted.is_some() => Fate::Shutdown,
                            How::Retry { .. } => Fate::Again(id),
                            How::Permanent { .. } | How::Panic => Fate::Failed,
                            How::Cancelled => Fate::Shutdown,
                        });
                    }
                }
                Call::Flush => {
                    let mark = scheduler.flush();
                    model.marks.push((mark, model.ids(Model::is_held)));
                }
                Call::Close { after } => {
                    scheduler.close(after.map(|after| now + after as u32 * MS));
                    model.open = false;
                }
                Call::Stop => {
                    let mut dropped = Vec::new();
                    scheduler.stop(&mut dropped);
                    dropped.sort_unstable();
                    prop_assert_eq!(dropped, model.stop());
                }
            }
            check(&scheduler, &model)?;
        }
    }
}
