//! What a request may cost at most.

/// Bounds that [`validate`](crate::validate) and [`stream`](crate::stream) hold a request to.
///
/// Structure is always checked; these are the limits that a deployment may want to move. What exceeds one is an
/// [`Invalid`](crate::Invalid) that says [which and by how much](crate::Invalid::limit), and where.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// How many `AnyValue`s may be nested in one another; an attribute's own value counts as 1.
    ///
    /// Unit: levels. Default 64. Lower it to refuse exotic data; above about 48 the fixed bound of
    /// [`MESSAGE_DEPTH`](crate::MESSAGE_DEPTH) nested messages is met first. Costs nothing.
    pub max_depth: usize,
    /// How many items (spans, data points, log records) one request may hold.
    ///
    /// Unit: items. Default 1,000,000. A span of two bytes is legal protobuf, so that a request of a few
    /// megabytes could otherwise make a receiver that builds objects allocate gigabytes. Costs nothing.
    pub max_items: u64,
    /// How many resource and scope records (`ResourceSpans`, `ScopeSpans` and those of the other signals) and metrics one request may
    /// hold, together.
    ///
    /// Unit: messages. Default 1,000,000. An empty one takes two bytes here, and what looks at a request by resources
    /// ([`fold`](crate::fold), [`group_by`](crate::group_by), a decoder) remembers up to 200 for each. Costs nothing.
    ///
    /// What else may be there many times (events, links, exemplars, elements of lists) is bounded by the length of the request alone:
    /// a decoder that builds objects takes some fifty times that for a request of empty ones.
    pub max_envelopes: u64,
    /// How many attributes one message may hold: a resource, scope, span, event, link, log record or data point, and a list of key-value
    /// pairs as a value. A message that is written in parts, which nobody does although protobuf allows it for those that occur once (resource, scope), is
    /// held to it part by part.
    ///
    /// Unit: attributes. Default 65,536; SDKs stop at 128 by default. For the same reason as [`Limits::max_items`]: an attribute
    /// can take two bytes here and a hundred in memory elsewhere.
    pub max_attributes: u64,
    /// How long a request may be, inflated.
    ///
    /// Unit: bytes. Default without limit: whoever reads or inflates the bytes has to bound them before they are here. For
    /// [`stream`](crate::stream), where nobody holds all of them, this is the place.
    pub max_bytes: usize,
    /// How long one record (`ResourceSpans`, `ResourceMetrics`, `ResourceLogs`) may be.
    ///
    /// Unit: bytes. Default 64 MiB. It is what [`stream`](crate::stream) may have to hold.
    pub max_record_bytes: usize,
}

impl Limits {
    /// The defaults, as a constant.
    pub const DEFAULT: Limits = Limits {
        max_depth: 64,
        max_items: 1_000_000,
        max_envelopes: 1_000_000,
        max_attributes: 65_536,
        max_bytes: usize::MAX,
        max_record_bytes: 64 << 20,
    };

    /// No limits but those that nobody can move.
    pub const NONE: Limits = Limits {
        max_depth: usize::MAX,
        max_items: u64::MAX,
        max_envelopes: u64::MAX,
        max_attributes: u64::MAX,
        max_bytes: usize::MAX,
        max_record_bytes: usize::MAX,
    };

    /// Sets [`Limits::max_depth`].
    #[must_use]
    pub const fn with_max_depth(mut self, levels: usize) -> Limits {
        self.max_depth = levels;
        self
    }

    /// Sets [`Limits::max_items`].
    #[must_use]
    pub const fn with_max_items(mut self, items: u64) -> Limits {
        self.max_items = items;
        self
    }

    /// Sets [`Limits::max_envelopes`].
    #[must_use]
    pub const fn with_max_envelopes(mut self, records: u64) -> Limits {
        self.max_envelopes = records;
        self
    }

    /// Sets [`Limits::max_attributes`].
    #[must_use]
    pub const fn with_max_attributes(mut self, attributes: u64) -> Limits {
        self.max_attributes = attributes;
        self
    }

    /// Sets [`Limits::max_bytes`].
    #[must_use]
    pub const fn with_max_bytes(mut self, bytes: usize) -> Limits {
        self.max_bytes = bytes;
        self
    }

    /// Sets [`Limits::max_record_bytes`].
    #[must_use]
    pub const fn with_max_record_bytes(mut self, bytes: usize) -> Limits {
        self.max_record_bytes = bytes;
        self
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::DEFAULT
    }
}
