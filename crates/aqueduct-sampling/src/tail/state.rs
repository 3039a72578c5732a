//! What the sampler reads in a trace state.

use crate::{OtelTraceState, Randomness};

/// The `rv` of OpenTelemetry's member.
pub(super) fn explicit_randomness(state: &str) -> Option<Randomness> {
    OtelTraceState::parse(member(state, "ot")?).explicit_randomness()
}

/// The value of a list member of a W3C trace state.
pub(super) fn member<'a>(state: &'a str, key: &str) -> Option<&'a str> {
    state
        .split(',')
        .filter_map(|member| member.trim_matches([' ', '\t']).split_once('='))
        .find_map(|(name, value)| (name == key).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards against members whose names only end like it, or whose values are not what they should be.
    #[test]
    fn randomness_is_that_of_the_member_ot() {
        let given = explicit_randomness("a=b, ot=th:8;rv:0123456789abcd ,c=d");
        assert_eq!(given.map(Randomness::value), Some(0x0123456789abcd));
        for bad in
            ["", "ot=rv:123", "ot=rv:0123456789ABCD", "xot=rv:0123456789abcd", "ot=rv:0123456789abcd0", "ot"]
        {
            assert_eq!(explicit_randomness(bad), None, "{bad}");
        }
    }
}
