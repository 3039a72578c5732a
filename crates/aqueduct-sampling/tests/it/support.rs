//! Spans and numbers for tests.

use aqueduct_sampling::{ItemFacts, Kind, Parent, TraceFacts, Value};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, SeedableRng};

/// A span with everything to say about it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Span<'a> {
    pub(crate) id: u128,
    pub(crate) ot: &'a str,
    pub(crate) name: &'a str,
    pub(crate) kind: Kind,
    pub(crate) parent: Option<Parent>,
    pub(crate) attributes: &'a [(&'a str, Value<'a>)],
    pub(crate) resource: &'a [(&'a str, Value<'a>)],
}

impl ItemFacts for Span<'_> {
    fn trace_id(&self) -> [u8; 16] {
        self.id.to_be_bytes()
    }

    fn ot(&self) -> &str {
        self.ot
    }

    fn name(&self) -> &str {
        self.name
    }

    fn kind(&self) -> Kind {
        self.kind
    }

    fn attribute(&self, key: &str) -> Option<Value<'_>> {
        find(self.attributes, key)
    }

    fn resource(&self, key: &str) -> Option<Value<'_>> {
        find(self.resource, key)
    }
}

impl TraceFacts for Span<'_> {
    fn parent(&self) -> Option<Parent> {
        self.parent
    }
}

fn find<'v>(attributes: &[(&str, Value<'v>)], key: &str) -> Option<Value<'v>> {
    attributes.iter().find(|(present, _)| *present == key).map(|(_, value)| *value)
}

/// Random numbers that are the same each time.
pub(crate) fn random(seed: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed)
}

/// Ids of traces that are the same each time.
pub(crate) fn ids(seed: u64, count: usize) -> impl Iterator<Item = u128> {
    let mut random = random(seed);
    (0..count).map(move |_| u128::from(random.next_u64()) << 64 | u128::from(random.next_u64()))
}

/// A source of randomness for decisions that must not take any.
pub(crate) struct Unused;

impl rand::TryRng for Unused {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        panic!("a consistent decision takes no random number of its own")
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        panic!("a consistent decision takes no random number of its own")
    }

    fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Self::Error> {
        panic!("a consistent decision takes no random number of its own")
    }
}
