//! The value of the member `ot`.

use aqueduct_sampling::{MAX_OT_BYTES, OtelTraceState, Randomness, Threshold};
use proptest::prelude::*;

fn with(text: &str, threshold: Option<&str>) -> String {
    let mut state = OtelTraceState::parse(text);
    state.set_threshold(threshold.map(|text| text.parse().expect("a threshold")));
    state.to_string()
}

/// Guards what is kept, what is replaced, and in which order it comes out.
#[test]
fn th_is_replaced_and_all_else_kept() {
    for (before, threshold, after) in [
        ("", Some("8"), "th:8"),
        ("", None, ""),
        ("th:8", None, ""),
        ("th:8", Some("c"), "th:c"),
        ("rv:6e6d1a75832a2f", Some("0"), "th:0;rv:6e6d1a75832a2f"),
        ("a:b;th:8;rv:6e6d1a75832a2f;c:d", Some("e666"), "th:e666;rv:6e6d1a75832a2f;a:b;c:d"),
        ("th:8;th:4", Some("c"), "th:c"),
        ("th:XYZ;a:1", None, "a:1"),
        ("thx:1;rvx:2", Some("8"), "th:8;thx:1;rvx:2"),
        // Not ours to remove: it is as whoever wrote it left it.
        ("rv:short", Some("8"), "th:8;rv:short"),
        (";;a:1;;", Some("8"), "th:8;a:1"),
        ("a:1,evil=1;b:2", Some("8"), "th:8;b:2"),
        ("a:ü;b c;d:\n", Some("8"), "th:8"),
    ] {
        assert_eq!(with(before, threshold), after, "{before:?} with {threshold:?}");
    }
}

/// Guards what is understood.
#[test]
fn th_and_rv_are_read() {
    let state = OtelTraceState::parse("x:1;rv:00000000000001;th:c");
    assert_eq!(state.threshold().map(Threshold::adjusted_count), Some(4.0));
    assert_eq!(state.randomness(&[0xff; 16]), Randomness::new(1).expect("in range"));
    let state = OtelTraceState::parse("rv:00000000000001;rv:00000000000002;th:c;th:8");
    assert_eq!(state.explicit_randomness(), Randomness::new(1), "the first one counts");
    assert_eq!(state.threshold(), "c".parse().ok());
    let state = OtelTraceState::parse("th:C;rv:1");
    assert_eq!((state.threshold(), state.explicit_randomness()), (None, None));
    assert_eq!(state.randomness(&[0xff; 16]), Randomness::MAX);
    assert!(
        OtelTraceState::parse("th:8").threshold().is_some()
            && OtelTraceState::parse("th:").threshold().is_none()
    );
}

/// Guards `rv`: it is written once and never replaced.
#[test]
fn rv_is_never_replaced() {
    let (first, second) = (Randomness::new(1).expect("in range"), Randomness::new(2).expect("in range"));
    let mut state = OtelTraceState::parse("a:1");
    assert!(state.set_randomness(first) && !state.set_randomness(second));
    assert_eq!(state.to_string(), "rv:00000000000001;a:1");
    for there in ["rv:00000000000003", "rv:broken"] {
        let mut state = OtelTraceState::parse(there);
        assert!(!state.set_randomness(first));
        assert_eq!(state.to_string(), there);
    }
}

/// Guards the bound on both ways: too long a value says nothing, and what is added displaces what does not fit.
#[test]
fn a_value_has_at_most_256_bytes() {
    let full = format!("a:{};b:{}", "x".repeat(125), "y".repeat(126));
    assert_eq!(full.len(), MAX_OT_BYTES);
    assert_eq!(with(&full, None), full);
    let after = with(&full, Some("8"));
    assert_eq!(after, format!("th:8;a:{}", "x".repeat(125)));
    let long = format!("th:8;{full}");
    assert_eq!(OtelTraceState::parse(&long).threshold(), None);
    assert_eq!(with(&long, None), "");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Guards against any text: what comes out may stand in a header, is read as it was meant, and does not change once more.
    #[test]
    fn any_text_becomes_a_value_that_is_one(
        text in prop_oneof![".{0,300}", "(th:[0-9a-g]{0,16};|rv:[0-9a-f]{13,15};|[a-z]{1,3}:[0-9A-Z.,=]{0,9};){0,12}"],
        threshold in proptest::option::of(0..1_u64 << 56),
    ) {
        let threshold = threshold.map(|value| Threshold::new(value).expect("in range"));
        let mut state = OtelTraceState::parse(&text);
        state.set_threshold(threshold);
        let written = state.to_string();
        prop_assert!(written.len() <= MAX_OT_BYTES);
        prop_assert!(written.bytes().all(|byte| matches!(byte, b'!'..=b'~') && byte != b',' && byte != b'='));
        prop_assert_eq!(state.is_empty(), written.is_empty());
        let again = OtelTraceState::parse(&written);
        prop_assert_eq!(again.threshold(), threshold);
        prop_assert_eq!(again.explicit_randomness(), state.explicit_randomness());
        prop_assert_eq!(again.to_string(), written);
    }
}
