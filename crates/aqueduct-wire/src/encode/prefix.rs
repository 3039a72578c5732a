//! What stands before the items: resource and scope, encoded once.

use super::value::AttributeSink;
use super::writer::Writer;
use super::{IN_RESOURCE, IN_SCOPE};
use crate::schema::tags::{entity_ref, resource, resource_record, scope, scope_record};
use bytes::Bytes;
use core::fmt;

/// A message and the URL of its schema, as fields of the record that they stand in.
///
/// Encoded anew with each addition, which happens when a program starts.
#[derive(Clone, Default, PartialEq, Eq)]
struct Prefix {
    /// The fields of the message; `None` if it is left out.
    message: Option<Bytes>,
    schema_url: Box<str>,
    encoded: Bytes,
    cut: u64,
}

impl Prefix {
    /// Adds fields to the message.
    fn add(self, tags: [u8; 2], fields: impl FnOnce(&mut Writer)) -> Prefix {
        let mut writer = Writer::default();
        writer.put(self.message.as_deref().unwrap_or_default());
        fields(&mut writer);
        let cut = self.cut + writer.cut;
        Prefix { message: Some(Bytes::copy_from_slice(writer.bytes())), cut, ..self }.encode(tags)
    }

    fn with_schema_url(self, tags: [u8; 2], url: &str) -> Prefix {
        Prefix { schema_url: url.into(), ..self }.encode(tags)
    }

    fn encode(mut self, [message, schema_url]: [u8; 2]) -> Prefix {
        let mut writer = Writer::default();
        if let Some(fields) = &self.message {
            writer.blob(message, fields);
        }
        writer.string(schema_url, &self.schema_url);
        self.encoded = Bytes::copy_from_slice(writer.bytes());
        self
    }
}

/// The head of a `ResourceSpans`, `ResourceMetrics` or `ResourceLogs`: `resource` and `schema_url`.
///
/// The bytes are the same for all signals. Cloning shares them.
///
/// # Examples
///
/// ```
/// use aqueduct_wire::encode::{ResourcePrefix, ValueRef};
///
/// let resource = ResourcePrefix::new(|out| {
///     out.push("service.name", ValueRef::Str("shop"));
///     out.push("process.pid", ValueRef::Int(42));
/// })
/// .with_schema_url("https://opentelemetry.io/schemas/1.37.0");
/// assert!(!resource.is_empty());
/// // Without a resource at all.
/// assert!(ResourcePrefix::default().is_empty());
/// ```
#[doc(alias = "Resource")]
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ResourcePrefix(Prefix);

const RESOURCE: [u8; 2] = [resource_record::RESOURCE, resource_record::SCHEMA_URL];
const SCOPE: [u8; 2] = [scope_record::SCOPE, scope_record::SCHEMA_URL];

impl ResourcePrefix {
    /// A resource with the attributes that the function hands over.
    #[must_use]
    pub fn new(attributes: impl FnOnce(&mut AttributeSink<'_>)) -> ResourcePrefix {
        ResourcePrefix(Prefix::default().add(RESOURCE, |writer| {
            attributes(&mut AttributeSink::new(writer, resource::ATTRIBUTES, IN_RESOURCE));
        }))
    }

    /// Adds `dropped_attributes_count`.
    #[must_use]
    pub fn with_dropped_attributes_count(self, count: u32) -> ResourcePrefix {
        ResourcePrefix(self.0.add(RESOURCE, |writer| writer.uint(resource::DROPPED_ATTRIBUTES, count.into())))
    }

    /// Adds an entity to the `entity_refs`.
    #[must_use]
    pub fn with_entity(self, entity: EntityRef<'_>) -> ResourcePrefix {
        ResourcePrefix(self.0.add(RESOURCE, |writer| {
            let message = writer.begin(resource::ENTITY_REFS);
            writer.string(entity_ref::SCHEMA_URL, entity.schema_url);
            writer.string(entity_ref::TYPE, entity.kind);
            for key in entity.id_keys {
                writer.blob(entity_ref::ID_KEYS, key.as_bytes());
            }
            for key in entity.description_keys {
                writer.blob(entity_ref::DESCRIPTION_KEYS, key.as_bytes());
            }
            writer.end(message);
        }))
    }

    /// Sets `schema_url`, of the resource and of the items in it that name none of their own.
    #[must_use]
    pub fn with_schema_url(self, url: &str) -> ResourcePrefix {
        ResourcePrefix(self.0.with_schema_url(RESOURCE, url))
    }
}

/// `common.v1.EntityRef` on loan. Complete: the message has these fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EntityRef<'a> {
    /// `schema_url`.
    pub schema_url: &'a str,
    /// `type`, such as `"service"`.
    #[doc(alias = "type")]
    pub kind: &'a str,
    /// `id_keys`: keys of the attributes of the resource that identify the entity.
    pub id_keys: &'a [&'a str],
    /// `description_keys`: keys of the attributes of the resource that describe it.
    pub description_keys: &'a [&'a str],
}

/// The head of a `ScopeSpans`, `ScopeMetrics` or `ScopeLogs`: `scope` and `schema_url`.
///
/// The bytes are the same for all signals. Cloning shares them. `ScopePrefix::default()` is the head without a scope.
///
/// # Examples
///
/// ```
/// use aqueduct_wire::encode::{ScopePrefix, ValueRef};
///
/// let scope = ScopePrefix::new("http-server", "0.3.1")
///     .with_attributes(|out| out.push("module", ValueRef::Str("cart")));
/// assert!(scope.len() > "http-server0.3.1".len());
/// ```
#[doc(alias = "InstrumentationScope")]
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ScopePrefix(Prefix);

impl ScopePrefix {
    /// A scope with this name and version, either of which may be empty.
    #[must_use]
    pub fn new(name: &str, version: &str) -> ScopePrefix {
        ScopePrefix(Prefix::default().add(SCOPE, |writer| {
            writer.string(scope::NAME, name);
            writer.string(scope::VERSION, version);
        }))
    }

    /// Adds the attributes that the function hands over.
    #[must_use]
    pub fn with_attributes(self, attributes: impl FnOnce(&mut AttributeSink<'_>)) -> ScopePrefix {
        ScopePrefix(self.0.add(SCOPE, |writer| {
            attributes(&mut AttributeSink::new(writer, scope::ATTRIBUTES, IN_SCOPE));
        }))
    }

    /// Adds `dropped_attributes_count`.
    #[must_use]
    pub fn with_dropped_attributes_count(self, count: u32) -> ScopePrefix {
        ScopePrefix(self.0.add(SCOPE, |writer| writer.uint(scope::DROPPED_ATTRIBUTES, count.into())))
    }

    /// Sets `schema_url`, of the scope and of the items in it.
    #[must_use]
    pub fn with_schema_url(self, url: &str) -> ScopePrefix {
        ScopePrefix(self.0.with_schema_url(SCOPE, url))
    }
}

macro_rules! prefix {
    ($($prefix:ident),+) => {$(
        impl $prefix {
            /// The encoded fields.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8] {
                &self.0.encoded
            }

            /// How many bytes they are.
            #[must_use]
            pub fn len(&self) -> usize {
                self.0.encoded.len()
            }

            /// Whether there are none.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.0.encoded.is_empty()
            }

            /// How many lists were written without contents because they were nested too deeply.
            #[must_use]
            pub fn cut_values(&self) -> u64 {
                self.0.cut
            }
        }

        /// Without the bytes.
        impl fmt::Debug for $prefix {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($prefix)).field("len", &self.len()).finish_non_exhaustive()
            }
        }
    )+};
}

prefix!(ResourcePrefix, ScopePrefix);

impl ScopePrefix {
    /// Whether the bytes are the same: usually those in the same place of memory.
    #[inline]
    pub(super) fn is(&self, other: &ScopePrefix) -> bool {
        let (a, b) = (&self.0.encoded, &other.0.encoded);
        (a.as_ptr() == b.as_ptr() && a.len() == b.len()) || a == b
    }
}
