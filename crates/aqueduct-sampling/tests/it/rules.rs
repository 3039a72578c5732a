//! Patterns, predicates and rates by rule.

use aqueduct_sampling::{
    ComposableSampler, ConfigError, Intent, Kind, Pattern, Predicate, Rate, RuleSampler, Threshold, Value,
    ValueTest,
};
use proptest::prelude::*;

use crate::support::Span;

/// Guards each shape that a glob is compiled to.
#[test]
fn globs_match_the_whole_text() {
    for (glob, yes, no) in [
        ("GET /", &["GET /"][..], &["GET", "GET /x", "get /"][..]),
        ("", &[""], &["a"]),
        ("*", &["", "anything"], &[]),
        ("GET *", &["GET ", "GET /a"], &["GET", "XGET "]),
        ("*/health", &["/health", "GET /health"], &["/healthz"]),
        ("*health*", &["health", "/healthz"], &["heal"]),
        ("ab*ba", &["abba", "ab ba"], &["aba", "ab"]),
        ("a*b*c", &["abc", "a-b-b-c"], &["acb", "ab"]),
        ("v?", &["v1", "vü"], &["v", "v10"]),
        ("*/v?/*.json", &["api/v1/a.json", "/v2/.json"], &["api/v10/a.json", "api/v1/a.xml"]),
        ("a**b", &["ab", "axb"], &["a"]),
        ("\\*\\?", &["*?"], &["ab"]),
        ("a\\", &["a\\"], &["a"]),
    ] {
        let pattern = Pattern::glob(glob);
        assert!(yes.iter().all(|text| pattern.matches(text)), "{glob:?} {pattern:?}");
        assert!(!no.iter().any(|text| pattern.matches(text)), "{glob:?} {pattern:?}");
    }
}

/// As the definition says it, and slow.
fn slow(glob: &[char], text: &[char]) -> bool {
    match glob.split_first() {
        None => text.is_empty(),
        Some(('*', rest)) => (0..=text.len()).any(|taken| slow(rest, &text[taken..])),
        Some(('?', rest)) => !text.is_empty() && slow(rest, &text[1..]),
        Some((char, rest)) => text.first() == Some(char) && slow(rest, &text[1..]),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2_000, ..ProptestConfig::default() })]

    /// Guards every shape of glob against the definition.
    #[test]
    fn globs_are_as_defined(glob in "[abü*?]{0,8}", text in "[abü]{0,8}") {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        prop_assert_eq!(Pattern::glob(&glob).matches(&text), slow(&chars(&glob), &chars(&text)));
    }
}

/// Guards against a match that takes for ever.
#[test]
fn a_nasty_glob_ends() {
    let pattern = Pattern::glob(&"a*".repeat(40));
    assert!(!pattern.matches(&format!("{}b", "c".repeat(10_000))));
    assert!(!Pattern::glob(&format!("{}b", "a*?".repeat(40))).matches(&"a".repeat(5_000)));
}

#[cfg(feature = "regex")]
#[test]
fn regular_expressions_are_searched_for_and_bounded() {
    let pattern = Pattern::regex("^GET /users/[0-9]+$").expect("it compiles");
    assert!(pattern.matches("GET /users/12") && !pattern.matches("GET /users/me"));
    assert!(Pattern::regex("user").expect("it compiles").matches("GET /users/12"));
    for bad in ["(", "a{1000}{1000}{1000}"] {
        let error = Pattern::regex(bad).expect_err("no expression, or too large");
        assert!(matches!(&error, ConfigError::Pattern { pattern, .. } if pattern == bad), "{error}");
        assert!(error.to_string().contains(bad), "{error}");
    }
}

#[cfg(not(feature = "regex"))]
#[test]
fn regular_expressions_say_what_they_need() {
    let error = Pattern::regex("a").expect_err("not compiled in");
    assert!(error.to_string().contains("feature `regex`"), "{error}");
}

/// Guards each condition, both ways, and that values of other types meet none.
#[test]
fn predicates_hold_for_what_they_say() {
    let span = Span {
        name: "GET /users",
        kind: Kind::Server,
        attributes: &[
            ("http.response.status_code", Value::Int(503)),
            ("ratio", Value::Double(0.5)),
            ("cached", Value::Bool(false)),
            ("user.tier", Value::Str("gold")),
        ],
        resource: &[("service.name", Value::Str("shop"))],
        ..Span::default()
    };
    let text = |text| ValueTest::Matches(Pattern::exact(text));
    let holds = [
        Predicate::name(Pattern::glob("GET *")),
        Predicate::kind(Kind::Server),
        Predicate::attribute("http.response.status_code", ValueTest::at_least(500.0)),
        Predicate::attribute("http.response.status_code", ValueTest::Between(503.0, 503.0)),
        Predicate::attribute("ratio", ValueTest::at_most(0.5)),
        Predicate::attribute("cached", ValueTest::Bool(false)),
        Predicate::attribute("cached", ValueTest::Exists),
        Predicate::attribute("user.tier", text("gold")),
        Predicate::resource("service.name", text("shop")),
        Predicate::all([]),
        Predicate::any([Predicate::kind(Kind::Client), Predicate::kind(Kind::Server)]),
    ];
    let fails = [
        Predicate::name(Pattern::glob("POST *")),
        Predicate::kind(Kind::Internal),
        Predicate::attribute("http.response.status_code", ValueTest::at_most(502.9)),
        Predicate::attribute("http.response.status_code", text("503")),
        Predicate::attribute("ratio", ValueTest::Between(f64::NAN, f64::NAN)),
        Predicate::attribute("cached", ValueTest::Bool(true)),
        Predicate::attribute("user.tier", ValueTest::Bool(true)),
        Predicate::attribute("service.name", ValueTest::Exists),
        Predicate::resource("user.tier", ValueTest::Exists),
        Predicate::any([]),
        Predicate::all([Predicate::kind(Kind::Client), Predicate::kind(Kind::Server)]),
    ];
    for predicate in holds {
        assert!(predicate.holds(&span), "{predicate:?}");
        assert!(!predicate.clone().negated().holds(&span), "not {predicate:?}");
    }
    for predicate in fails {
        assert!(!predicate.holds(&span), "{predicate:?}");
        assert!(predicate.clone().negated().holds(&span), "not {predicate:?}");
    }
}

fn rules() -> RuleSampler {
    let build = || {
        RuleSampler::new(0.25)?
            .with_rule(Predicate::name(Pattern::glob("*health*")), 0.0)?
            .with_rule(Predicate::name(Pattern::glob("GET *")), 0.5)?
            .with_rule(Predicate::name(Pattern::glob("GET /vip*")), 1.0)
    };
    build().expect("rates in range")
}

/// Guards the order of the rules, the default, and a rate of nothing.
#[test]
fn the_first_rule_counts() {
    let intent = |name| rules().intent(&Span { name, ..Span::default() });
    let keep = |text: &str| Intent::keep(text.parse().expect("a threshold"));
    assert_eq!(intent("GET /health"), Intent::DROP);
    assert_eq!(intent("GET /vip"), keep("8"), "the rule before it applies, too");
    assert_eq!(intent("POST /vip"), keep("c"));
    assert_eq!(Rate::new(1.0), Ok(Rate::ALWAYS));
    for rate in [-0.1, 1.1, f64::NAN, 1e-300] {
        let error = RuleSampler::new(rate).expect_err("out of range");
        assert!(matches!(error, ConfigError::Probability { field: "rate", .. }), "{error}");
        assert!(rules().with_rule(Predicate::all([]), rate).is_err());
    }
}

/// Guards items that have arrived: their threshold is raised or stays.
#[test]
fn arrived_items_keep_the_higher_threshold() {
    let keeps = |name, ot, id| {
        rules().keeps(&Span { name, ot, id, ..Span::default() }).map(|kept: Threshold| kept.to_string())
    };
    assert_eq!(keeps("GET /", "", u128::MAX).as_deref(), Some("8"));
    assert_eq!(keeps("GET /", "th:c", u128::MAX).as_deref(), Some("c"));
    assert_eq!(keeps("GET /", "th:4", u128::MAX).as_deref(), Some("8"));
    assert_eq!(keeps("GET /", "th:4", 0x50_0000_0000_0000), None);
    assert_eq!(keeps("health", "", u128::MAX), None);
}
