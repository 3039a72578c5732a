//! Any sequence of calls against a model that keeps a plain list and thinks about it anew at each call.

use std::time::{Duration, Instant};

use aqueduct_batch::{BatchConfig, Batcher, SealReason, Sealed, Weight};
use proptest::collection::vec;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Offer { weight: Weight, after: i64 },
    Poll { after: i64 },
    PollAtDeadline,
    Flush,
    Reconfigure(BatchConfig),
}

fn config() -> impl Strategy<Value = BatchConfig> {
    let ms = |most: u64| (0..most).prop_map(Duration::from_millis);
    (0..12_u64, 0..120_u64, proptest::option::of(ms(40)), ms(100)).prop_map(|(items, bytes, idle, age)| {
        BatchConfig::default()
            .with_max_items(items)
            .with_max_bytes(bytes)
            .with_max_idle(idle)
            .with_max_age(age)
    })
}

fn step() -> impl Strategy<Value = Step> {
    // Milliseconds that the clock moves before the call; a few calls come with an older time.
    let after = prop_oneof![8 => 0..15_i64, 1 => 50..300_i64, 1 => -40..0_i64];
    let weight = (0..5_u64, prop_oneof![9 => 0..40_u64, 1 => 40..300_u64])
        .prop_map(|(items, bytes)| Weight::new(items, bytes));
    prop_oneof![
        12 => (weight, after.clone()).prop_map(|(weight, after)| Step::Offer { weight, after }),
        4 => after.prop_map(|after| Step::Poll { after }),
        2 => Just(Step::PollAtDeadline),
        1 => Just(Step::Flush),
        1 => config().prop_map(Step::Reconfigure),
    ]
}

/// The open batch as a list of what was offered.
struct Model {
    config: BatchConfig,
    open: Vec<(u32, Weight, Instant)>,
}

impl Model {
    fn items(&self) -> u64 {
        self.open.iter().map(|(_, weight, _)| weight.items.max(1)).sum()
    }

    fn bytes(&self) -> u64 {
        self.open.iter().map(|(_, weight, _)| weight.bytes).sum()
    }

    /// Which bound is reached by what is there and `more` of each.
    fn reached(&self, more_items: u64, more_bytes: u64) -> Option<SealReason> {
        if self.open.is_empty() {
            None
        } else if self.items() + more_items >= self.config.max_items.max(1) {
            Some(SealReason::Items)
        } else if self.bytes() + more_bytes >= self.config.max_bytes.max(1) {
            Some(SealReason::Bytes)
        } else {
            None
        }
    }

    /// Every bound that will be reached by waiting, the earliest first.
    fn waits(&self) -> Option<(Instant, SealReason)> {
        let first = self.open.first()?.2;
        let latest = self.open.iter().map(|offer| offer.2).max()?;
        let full = self.reached(0, 0).map(|reason| (first, reason));
        let age = (first + self.config.max_age, SealReason::Age);
        let idle = self.config.max_idle.map(|idle| (latest + idle, SealReason::Idle));
        full.or_else(|| [Some(age), idle].into_iter().flatten().min_by_key(|(at, _)| *at))
    }

    fn seal(&mut self, reason: SealReason) -> Option<Sealing> {
        let opened = self.open.first()?.2;
        let items = self.open.iter().map(|(_, weight, _)| weight.items).sum();
        let weight = Weight::new(items, self.bytes());
        Some((self.open.drain(..).map(|offer| offer.0).collect(), weight, opened, reason))
    }

    fn poll(&mut self, now: Instant) -> Option<Sealing> {
        let (at, reason) = self.waits()?;
        if at <= now { self.seal(reason) } else { None }
    }

    fn offer(&mut self, id: u32, weight: Weight, now: Instant) -> Vec<Sealing> {
        let mut sealed: Vec<_> = self.poll(now).into_iter().collect();
        // One more than fits reaches the bound plus one.
        let over = |model: &Model| {
            let items = weight.items.max(1).checked_sub(1)?;
            match (model.reached(items, 0), weight.bytes.checked_sub(1)) {
                (Some(SealReason::Items), _) => Some(SealReason::Items),
                (_, Some(bytes)) => model.reached(items, bytes),
                // Nothing more in bytes overflows only what is over already.
                (_, None) => (!model.open.is_empty() && model.bytes() > model.config.max_bytes.max(1))
                    .then_some(SealReason::Bytes),
            }
        };
        if let Some(reason) = over(self) {
            sealed.extend(self.seal(reason));
        }
        self.open.push((id, weight, now));
        if let Some(reason) = self.reached(0, 0) {
            sealed.extend(self.seal(reason));
        }
        sealed
    }
}

type Sealing = (Vec<u32>, Weight, Instant, SealReason);

fn plain(sealed: Sealed<Vec<u32>>) -> Sealing {
    (sealed.batch, sealed.weight, sealed.opened, sealed.reason)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Guards every seal (content, weight, opening, reason), the two laws in the header of the state machine, order, and completeness.
    #[test]
    fn any_sequence_of_calls_does_what_the_model_does(first in config(), steps in vec(step(), 1..120)) {
        let start = Instant::now() + Duration::from_secs(1000);
        let mut clock = 0_i64;
        let at = |clock: i64| start + Duration::from_millis(u64::try_from(clock + 100_000).unwrap());
        let mut batcher: Batcher<u32> = Batcher::new(first.clone());
        let mut model = Model { config: first, open: Vec::new() };
        let mut offered = 0_u32;
        let mut came_out: Vec<u32> = Vec::new();

        for step in steps {
            let (sealed, expected): (Vec<_>, Vec<_>) = match step {
                Step::Offer { weight, after } => {
                    let now = at(clock + after);
                    clock = clock.max(clock + after);
                    offered += 1;
                    let sealing = batcher.offer(offered, weight, now);
                    let left = sealing.len();
                    let sealed: Vec<_> = sealing.map(plain).collect();
                    prop_assert_eq!(sealed.len(), left);
                    (sealed, model.offer(offered, weight, now))
                }
                Step::Poll { after } => {
                    let now = at(clock + after);
                    clock = clock.max(clock + after);
                    let due = batcher.deadline().is_some_and(|deadline| deadline <= now);
                    let sealed = batcher.poll(now);
                    prop_assert_eq!(sealed.is_some(), due, "law 1");
                    (sealed.map(plain).into_iter().collect(), model.poll(now).into_iter().collect())
                }
                Step::PollAtDeadline => match batcher.deadline() {
                    Some(deadline) => {
                        let sealed = batcher.poll(deadline);
                        prop_assert!(sealed.is_some(), "law 1");
                        (sealed.map(plain).into_iter().collect(), model.poll(deadline).into_iter().collect())
                    }
                    None => {
                        prop_assert!(batcher.is_empty(), "all these configurations have a bound in time");
                        (Vec::new(), Vec::new())
                    }
                },
                Step::Flush => (
                    batcher.flush().map(plain).into_iter().collect(),
                    model.seal(SealReason::Flush).into_iter().collect(),
                ),
                Step::Reconfigure(config) => {
                    batcher.reconfigure(config.clone());
                    model.config = config;
                    (Vec::new(), Vec::new())
                }
            };
            came_out.extend(sealed.iter().flat_map(|(batch, ..)| batch));
            prop_assert_eq!(&sealed, &expected);
            prop_assert_eq!(batcher.deadline(), model.waits().map(|(at, _)| at));
            prop_assert_eq!(batcher.is_empty(), model.open.is_empty());
            prop_assert_eq!(batcher.weight().bytes, model.bytes());
        }
        came_out.extend(batcher.flush().map(|sealed| sealed.batch).unwrap_or_default());
        prop_assert_eq!(came_out, (1..=offered).collect::<Vec<_>>(), "in order, nothing lost, nothing twice");
    }

    /// Guards the bounds: without a change of configuration no batch of two or more exceeds them, and none is older than it may be.
    #[test]
    fn bounds_hold_for_every_batch(
        config in config(),
        offers in vec((0..5_u64, 0..40_u64, 0..30_u64), 1..200),
    ) {
        let mut now = Instant::now();
        let mut batcher: Batcher<Instant> = Batcher::new(config.clone());
        let (items, bytes) = (config.max_items.max(1), config.max_bytes.max(1));
        let check = |sealed: &Sealed<Vec<Instant>>| {
            let alone = sealed.batch.len() == 1;
            prop_assert!(alone || (sealed.weight.items <= items && sealed.batch.len() as u64 <= items));
            prop_assert!(alone || sealed.weight.bytes <= bytes);
            let oldest = sealed.batch[0];
            let newest = sealed.batch[sealed.batch.len() - 1];
            prop_assert_eq!(oldest, sealed.opened);
            prop_assert!(alone || newest - oldest < config.max_age, "nothing joins a batch that is due");
            Ok(())
        };
        for (items, bytes, wait) in offers {
            now += Duration::from_millis(wait);
            for sealed in batcher.offer(now, Weight::new(items, bytes), now) {
                check(&sealed)?;
            }
        }
        batcher.flush().as_ref().map(check).transpose()?;
    }

    /// Guards law 2: a driver that polls before each offer gets the batches of one that never polls.
    #[test]
    fn a_poll_before_an_offer_changes_nothing(
        config in config(),
        offers in vec((0..5_u64, 0..60_u64, 0..60_u64), 1..100),
    ) {
        let mut now = Instant::now();
        let mut eager: Batcher<usize> = Batcher::new(config.clone());
        let mut lazy: Batcher<usize> = Batcher::new(config);
        for (id, (items, bytes, wait)) in offers.into_iter().enumerate() {
            now += Duration::from_millis(wait);
            let weight = Weight::new(items, bytes);
            let mut polled: Vec<_> = eager.poll(now).into_iter().collect();
            polled.extend(eager.offer(id, weight, now));
            let offered: Vec<_> = lazy.offer(id, weight, now).collect();
            prop_assert_eq!(polled, offered);
        }
    }
}
