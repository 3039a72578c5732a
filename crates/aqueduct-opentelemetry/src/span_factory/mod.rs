//! Span builders with attributes that many spans have in common.

mod vectors;

use std::borrow::Cow;
use std::sync::Arc;

use opentelemetry::trace::{SpanBuilder, SpanKind};
use opentelemetry::{Array, Key, KeyValue, StringValue, Value};

/// Makes builders of spans that share attributes.
///
/// The SDK's builder takes a vector of attributes and keeps it, so each span has one of its own. What need not be made for each is the texts in it: the factory turns owned texts into
/// shared ones, once, and a span's copy is a reference count. And it need not be allocated anew, if [`recycle`](Self::recycle) gets the vectors of spans that are done with.
///
/// # Allocation
///
/// The vector, with room for the shared attributes and as many of the span's own as [`with_room`](Self::with_room) says, unless one was recycled on the same thread. None for
/// shared attributes, but for lists.
///
/// # When it pays
///
/// Where shared texts are owned, as those read from a configuration or the environment are. Measured on one core of an EPYC (Zen 4): making and dropping a builder with eight shared attributes and
/// two own ones, in nanoseconds, give or take 10 (`cargo run --release -p aqueduct-opentelemetry --example span_factory_cost`, and the same program with mimalloc):
///
/// | | glibc | mimalloc |
/// |---|---|---|
/// | cloning attributes with owned texts | 290 | 210 |
/// | cloning attributes with `&'static str` | 170 | 170 |
/// | the factory, owned texts | 170 | 175 |
/// | the factory, owned texts, vectors recycled | 185 | 185 |
///
/// Recycling saves an allocation for each span, and no time: what takes it is copying and dropping attributes one by one, and an allocator of today finds a vector as quickly as a list of
/// vectors does.
///
/// # Examples
///
/// ```
/// use aqueduct_opentelemetry::SpanFactory;
/// use opentelemetry::KeyValue;
/// use opentelemetry::trace::{SpanKind, Tracer, TracerProvider};
/// use opentelemetry_sdk::trace::SdkTracerProvider;
///
/// let tenant = String::from("acme");
/// let queries = SpanFactory::new([KeyValue::new("db.system.name", "postgresql"), KeyValue::new("tenant", tenant)])
///     .with_kind(SpanKind::Client);
///
/// let tracer = SdkTracerProvider::default().tracer("shop");
/// let builder = queries.builder_with("SELECT shop.items", [KeyValue::new("db.operation.name", "SELECT")]);
/// assert_eq!(builder.attributes.as_ref().map(Vec::len), Some(3));
/// let span = tracer.build(builder);
/// ```
#[doc(alias = "SpanBuilderPool")]
#[doc(alias = "OptimizedSpanFactory")]
#[derive(Clone, Debug)]
pub struct SpanFactory {
    shared: Arc<[KeyValue]>,
    kind: Option<SpanKind>,
    room: usize,
}

impl SpanFactory {
    /// Builders of this factory begin with these attributes, in this order.
    #[must_use]
    pub fn new(shared: impl IntoIterator<Item = KeyValue>) -> Self {
        let shared = shared
            .into_iter()
            .map(|attribute| KeyValue::new(shared_key(attribute.key), shared_value(attribute.value)));
        SpanFactory { shared: shared.collect(), kind: None, room: 8 }
    }

    /// The same for spans of this kind. Without it the SDK takes them for internal.
    #[must_use]
    pub fn with_kind(mut self, kind: SpanKind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// The same with room for so many attributes of a span's own, those included that it gets while it runs. Default 8. More than that
    /// makes the vector grow.
    #[must_use]
    pub fn with_room(mut self, attributes: usize) -> Self {
        self.room = attributes;
        self
    }

    /// The attributes that all spans have in common.
    #[must_use]
    pub fn shared(&self) -> &[KeyValue] {
        &self.shared
    }

    /// A builder with the shared attributes. Its `with_attributes` would replace them: see [`builder_with`](Self::builder_with).
    #[must_use]
    pub fn builder(&self, name: impl Into<Cow<'static, str>>) -> SpanBuilder {
        self.builder_with(name, [])
    }

    /// A builder with the shared attributes, and then these. Keys that are there twice are in the span twice, as everywhere in the SDK.
    #[must_use]
    pub fn builder_with(
        &self,
        name: impl Into<Cow<'static, str>>,
        own: impl IntoIterator<Item = KeyValue>,
    ) -> SpanBuilder {
        let mut attributes = vectors::take(self.shared.len() + self.room);
        attributes.extend_from_slice(&self.shared);
        attributes.extend(own);
        SpanBuilder {
            span_kind: self.kind.clone(),
            attributes: Some(attributes),
            ..SpanBuilder::from_name(name)
        }
    }

    /// Takes the attributes of a span that is done with, for the next builder on this thread, of whatever factory.
    ///
    /// A span processor has them when it has encoded a span: `SpanFactory::recycle(span.attributes)`. The vector is emptied. Up to 32 of them are kept for each thread, of up to
    /// 64 places (a place is some 60 bytes); others are dropped.
    pub fn recycle(attributes: Vec<KeyValue>) {
        vectors::give(attributes);
    }
}

/// A copy of an owned text is an allocation, which shows in its place in memory; one of any other is cheap as it is.
fn is_owned(text: &str, copy: &str) -> bool {
    !std::ptr::eq(text, copy)
}

fn shared_key(key: Key) -> Key {
    if is_owned(key.as_str(), key.clone().as_str()) { Key::from(Arc::<str>::from(key.as_str())) } else { key }
}

fn shared_text(text: StringValue) -> StringValue {
    if is_owned(text.as_str(), text.clone().as_str()) {
        StringValue::from(Arc::<str>::from(text.as_str()))
    } else {
        text
    }
}

fn shared_value(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(shared_text(text)),
        Value::Array(Array::String(texts)) => {
            Value::Array(Array::String(texts.into_iter().map(shared_text).collect()))
        }
        other => other,
    }
}
