//! What a request may cost at most.

/// Bounds that [`validate`](crate::validate) holds a request to.
///
/// Structure is always checked; these are the limits that a deployment may want to move. The size of a
/// request in bytes is not among them: whoever reads the bytes has to bound them before they are here.
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
}

impl Limits {
    /// The defaults, as a constant.
    pub const DEFAULT: Limits = Limits { max_depth: 64, max_items: 1_000_000 };

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
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::DEFAULT
    }
}
