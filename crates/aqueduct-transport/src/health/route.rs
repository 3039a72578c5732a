//! Which way to find out comes next: the state machine of checks. No I/O.

/// A way to find out how a gRPC peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Check,
    Ping,
    EmptyExport,
}

/// The parts of the health protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Check,
    Watch,
}

/// What the peer has said that it does not implement.
///
/// It is not asked for that again until the client has opened another connection, behind which may be another server, or
/// another version of it. (gRPC proposal A17 keeps it for the life of a connection as well.)
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lacks {
    /// The number of connections opened until then.
    check: Option<u64>,
    watch: Option<u64>,
}

impl Lacks {
    /// Notes that the peer does not implement this, `connects` connections having been opened until now.
    pub(super) const fn learn(&mut self, method: Method, connects: u64) {
        match method {
            Method::Check => self.check = Some(connects),
            Method::Watch => self.watch = Some(connects),
        }
    }

    pub(super) fn lacks(&self, method: Method, connects: u64) -> bool {
        let at = match method {
            Method::Check => self.check,
            Method::Watch => self.watch,
        };
        at == Some(connects)
    }

    /// The ways of one check, in turn: the next one is taken while they tell nothing. `pings` tells whether they are
    /// allowed.
    pub(super) fn ways(&self, connects: u64, pings: bool) -> impl Iterator<Item = Way> + use<> {
        let check = (!self.lacks(Method::Check, connects)).then_some(Way::Check);
        let ping = pings.then_some(Way::Ping);
        [check, ping, Some(Way::EmptyExport)].into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ways(lacks: Lacks, connects: u64, pings: bool) -> Vec<Way> {
        lacks.ways(connects, pings).collect()
    }

    /// Guards the order of the ways, the memory for UNIMPLEMENTED, and its end.
    #[test]
    fn what_is_not_implemented_is_not_asked_for_again() {
        let mut lacks = Lacks::default();
        assert_eq!(ways(lacks, 0, true), [Way::Check, Way::Ping, Way::EmptyExport]);
        lacks.learn(Method::Check, 1);
        assert_eq!(ways(lacks, 1, true), [Way::Ping, Way::EmptyExport]);
        assert_eq!(ways(lacks, 1, false), [Way::EmptyExport]);
        // Another connection, perhaps to another server.
        assert_eq!(ways(lacks, 2, false), [Way::Check, Way::EmptyExport]);
    }

    /// Guards servers that have one of the two calls only: our own receiver has no watch.
    #[test]
    fn the_methods_are_remembered_apart() {
        let mut lacks = Lacks::default();
        lacks.learn(Method::Watch, 1);
        assert!(lacks.lacks(Method::Watch, 1) && !lacks.lacks(Method::Check, 1));
        assert_eq!(ways(lacks, 1, true)[0], Way::Check);
    }
}
