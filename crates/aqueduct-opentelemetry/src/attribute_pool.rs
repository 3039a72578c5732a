//! Texts of attributes that are made once.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use aqueduct_exec::fork::PerProcess;
use aqueduct_lockfree::map::Guard;
use aqueduct_lockfree::{HashMap, ShardedCounter};
use opentelemetry::{Key, KeyValue, StringValue};

/// What an [`AttributePool`] may hold.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct AttributePoolConfig {
    /// Texts, at most, the common ones that are always there not counted. Default 4,096.
    pub max_entries: usize,
    /// Memory for them, at most. Default 1 MiB. A text counts with [`AttributePool::ENTRY_BYTES`] more than its length.
    pub max_bytes: usize,
    /// Bytes of a text, at most. Default 256: what is longer is seldom seen twice.
    pub max_text_bytes: usize,
}

impl Default for AttributePoolConfig {
    fn default() -> Self {
        AttributePoolConfig { max_entries: 4_096, max_bytes: 1 << 20, max_text_bytes: 256 }
    }
}

impl AttributePoolConfig {
    /// Sets [`max_entries`](Self::max_entries).
    #[must_use]
    pub fn with_max_entries(mut self, entries: usize) -> Self {
        self.max_entries = entries;
        self
    }

    /// Sets [`max_bytes`](Self::max_bytes).
    #[must_use]
    pub fn with_max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets [`max_text_bytes`](Self::max_text_bytes).
    #[must_use]
    pub fn with_max_text_bytes(mut self, bytes: usize) -> Self {
        self.max_text_bytes = bytes;
        self
    }
}

/// Makes keys and values of texts that come again and again, without allocating for one that it has seen.
///
/// For texts that are only known while the program runs: routes, tenants, methods as they stand in a request. What is known when it is compiled is best
/// given to the SDK as `&'static str`, which costs nothing at all.
///
/// The names and values that HTTP and database instrumentation has most are in it from the start, as `&'static str`. Others are shared by reference counts; many
/// threads that use the same one write the same line of memory, as with every `Arc`.
///
/// It saves memory where many spans with the same texts are held, and allocations; it does not save time. On one core of an EPYC (Zen 4) a hit takes 20 ns, 7 for most
/// of the common texts, and allocating and freeing a text of 20 bytes 11 (glibc) or 9 (mimalloc).
///
/// # Allocation
///
/// None for a text that is in the pool. A new one takes two, once.
///
/// # Overload
///
/// Nothing is ever taken out. A text for which there is no room is allocated for its caller alone, as without a pool, and counted as refused. Use a
/// [`CardinalityLimiter`](crate::CardinalityLimiter) before it where values are many.
///
/// A forked child goes on with the texts that its parent had, with counts of its own, and waits for no lock of its parent's.
///
/// # Examples
///
/// ```
/// use aqueduct_opentelemetry::AttributePool;
///
/// let pool = AttributePool::default();
/// let route = String::from("/users/{id}");
/// let attributes = [pool.key_value("http.route", &route), pool.key_value("http.request.method", "GET")];
/// assert_eq!(attributes[0].value.as_str(), "/users/{id}");
///
/// // From now on it costs a lookup.
/// let again = pool.value(&route);
/// let stats = pool.stats();
/// assert_eq!((stats.misses, stats.hits, stats.entries), (1, 4, 1));
/// ```
#[doc(alias = "AttributeInterner")]
#[doc(alias = "OptimizedAttributes")]
pub struct AttributePool {
    /// Of the common texts one for each [`place`], to be found without a look into the table.
    common: Box<[&'static str; PLACES]>,
    config: AttributePoolConfig,
    /// A thread of the parent may have had a lock in it when the process was forked.
    state: PerProcess<State>,
}

/// What changes.
#[derive(Default)]
struct State {
    texts: HashMap<Text, ()>,
    /// Texts that were added, and what they take. Written under the lock; read without it only to find that there is no room, which stays so.
    entries: AtomicUsize,
    bytes: AtomicUsize,
    adding: Mutex<()>,
    hits: ShardedCounter,
    misses: ShardedCounter,
    refused: ShardedCounter,
}

/// What an [`AttributePool`] has done. Each text that was asked for is a hit, a miss or refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttributePoolStats {
    /// Texts that were there.
    pub hits: u64,
    /// Texts that were added.
    pub misses: u64,
    /// Texts for which there was no room.
    pub refused: u64,
    /// Texts that it holds, without the common ones.
    pub entries: usize,
    /// What they take.
    pub bytes: usize,
}

#[derive(Clone, Debug)]
enum Text {
    Static(&'static str),
    Shared(Arc<str>),
}

impl AttributePool {
    /// What a text takes besides its bytes: its reference counts, and its place in the table.
    pub const ENTRY_BYTES: usize = 96;

    /// A pool with the common texts in it.
    #[must_use]
    pub fn new(config: AttributePoolConfig) -> Self {
        let mut common = Box::new([""; PLACES]);
        for text in COMMON {
            common[place(text)] = text;
        }
        let state = State::default();
        state.register(COMMON);
        AttributePool { common, config, state: PerProcess::with(state) }
    }

    /// Adds texts that live for ever. They count towards no bound, and are given out without reference counts.
    pub fn register(&self, texts: &[&'static str]) {
        self.state().register(texts);
    }

    /// A key with this text.
    #[must_use]
    pub fn key(&self, text: &str) -> Key {
        match self.text(text) {
            Some(Text::Static(text)) => Key::from_static_str(text),
            Some(Text::Shared(text)) => Key::from(text),
            None => Key::from(text.to_owned()),
        }
    }

    /// A value with this text.
    #[must_use]
    pub fn value(&self, text: &str) -> StringValue {
        match self.text(text) {
            Some(Text::Static(text)) => StringValue::from(text),
            Some(Text::Shared(text)) => StringValue::from(text),
            None => StringValue::from(text.to_owned()),
        }
    }

    /// An attribute with these texts.
    #[must_use]
    pub fn key_value(&self, key: &str, value: &str) -> KeyValue {
        KeyValue::new(self.key(key), self.value(value))
    }

    /// What it has done in this process.
    #[must_use]
    pub fn stats(&self) -> AttributePoolStats {
        let State { hits, misses, refused, entries, bytes, .. } = self.state();
        AttributePoolStats {
            hits: hits.sum(),
            misses: misses.sum(),
            refused: refused.sum(),
            entries: entries.load(Ordering::Relaxed),
            bytes: bytes.load(Ordering::Relaxed),
        }
    }

    fn text(&self, text: &str) -> Option<Text> {
        let state = self.state();
        let common = self.common[place(text)];
        if common == text {
            state.hits.inc();
            return Some(Text::Static(common));
        }
        let guard = Guard::pin();
        if let Some((found, ())) = state.texts.get_key_value(text, &guard) {
            state.hits.inc();
            return Some(found.clone());
        }
        state.add(text, &self.config, &guard)
    }

    #[inline]
    fn state(&self) -> &State {
        self.state.get_or_build(|inherited| inherited.map_or_else(State::default, State::of_child))
    }
}

impl State {
    /// One for a forked child, with the same texts. Takes no lock of this one: another thread may have had it, and nobody would open it.
    fn of_child(&self) -> State {
        let (guard, child) = (Guard::pin(), State::default());
        // A thread that was adding one may have left it half counted, so they are counted again.
        for (text, ()) in self.texts.iter(&guard) {
            if let Text::Shared(text) = text {
                child.count(text);
            }
            child.texts.insert(text.clone(), (), &guard);
        }
        child
    }

    fn register(&self, texts: &[&'static str]) {
        let guard = Guard::pin();
        for text in texts {
            self.texts.insert(Text::Static(text), (), &guard);
        }
    }

    /// Adds a text if there is room for it.
    #[cold]
    fn add(&self, text: &str, config: &AttributePoolConfig, guard: &Guard) -> Option<Text> {
        if !self.has_room(text, config) {
            self.refused.inc();
            return None;
        }
        // It guards the bounds: nothing in it can be half done.
        let _adding = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have been first, or have taken the room.
        if let Some((found, ())) = self.texts.get_key_value(text, guard) {
            self.hits.inc();
            return Some(found.clone());
        }
        if !self.has_room(text, config) {
            self.refused.inc();
            return None;
        }
        let added = Text::Shared(Arc::from(text));
        self.count(text);
        self.texts.insert(added.clone(), (), guard);
        self.misses.inc();
        Some(added)
    }

    fn count(&self, text: &str) {
        self.entries.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(text.len() + AttributePool::ENTRY_BYTES, Ordering::Relaxed);
    }

    fn has_room(&self, text: &str, config: &AttributePoolConfig) -> bool {
        let taken = self.bytes.load(Ordering::Relaxed);
        let bytes = taken.saturating_add(text.len() + AttributePool::ENTRY_BYTES);
        text.len() <= config.max_text_bytes
            && self.entries.load(Ordering::Relaxed) < config.max_entries
            && bytes <= config.max_bytes
    }
}

impl Default for AttributePool {
    fn default() -> Self {
        AttributePool::new(AttributePoolConfig::default())
    }
}

impl fmt::Debug for AttributePool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttributePool")
            .field("config", &self.config)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        match self {
            Text::Static(text) => text,
            Text::Shared(text) => text,
        }
    }
}

impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        self.as_ref()
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_ref() == other.as_ref()
    }
}

impl Eq for Text {}

impl Hash for Text {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.as_ref().hash(hasher);
    }
}

const PLACES: usize = 256;

/// A number that differs for most of the common texts.
fn place(text: &str) -> usize {
    let bytes = text.as_bytes();
    let byte = |at: usize| bytes.get(at).copied().map_or(0, usize::from);
    let (first, middle, last) = (byte(0), byte(bytes.len() / 2), byte(bytes.len().wrapping_sub(1)));
    (bytes.len() * 53 + first * 3 + middle * 37 + last * 29) % PLACES
}

/// Keys of the semantic conventions for HTTP and databases, old names included, and the values that they have most. Status codes are texts in old conventions only.
const COMMON: &[&str] = &[
    "client.address",
    "db.collection.name",
    "db.namespace",
    "db.operation.name",
    "db.query.text",
    "db.system.name",
    "error.type",
    "http.method",
    "http.request.method",
    "http.response.status_code",
    "http.route",
    "http.status_code",
    "messaging.destination.name",
    "messaging.system",
    "network.protocol.version",
    "rpc.method",
    "rpc.service",
    "server.address",
    "server.port",
    "url.full",
    "url.path",
    "url.scheme",
    "user_agent.original",
    "DELETE",
    "GET",
    "HEAD",
    "OPTIONS",
    "PATCH",
    "POST",
    "PUT",
    "200",
    "201",
    "204",
    "301",
    "302",
    "304",
    "400",
    "401",
    "403",
    "404",
    "409",
    "429",
    "500",
    "502",
    "503",
    "504",
    "1.1",
    "2",
    "http",
    "https",
    "mysql",
    "postgresql",
    "redis",
    "_OTHER",
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Guards the quick way: few common texts share a place and take the long one.
    #[test]
    fn common_texts_have_places_of_their_own() {
        let places: HashSet<usize> = COMMON.iter().map(|text| place(text)).collect();
        assert!(places.len() * 10 > COMMON.len() * 8, "{} of {}", places.len(), COMMON.len());
        assert_eq!(COMMON.iter().collect::<HashSet<_>>().len(), COMMON.len(), "none is listed twice");
    }
}
