//! Each policy, and how their votes are put together.

use super::*;

fn one(kind: PolicyKind) -> Vec<Policy> {
    vec![Policy::new("it", kind)]
}

fn numbers(min_value: Option<i64>, max_value: Option<i64>, invert_match: bool) -> Vec<Policy> {
    one(PolicyKind::NumericAttribute { key: "n".into(), min_value, max_value, invert_match })
}

fn spans(count: u64) -> Vec<TestSpan> {
    (0..count).map(|serial| TestSpan::of(1).serial(serial)).collect()
}

const MS: u64 = 1_000_000;

#[test]
fn latency_is_from_the_first_start_to_the_last_end() {
    let at_least =
        |least| one(PolicyKind::Latency { threshold: Duration::from_millis(least), upper_threshold: None });
    let trace = || vec![TestSpan::of(1).times(300 * MS, 400 * MS), TestSpan::of(1).times(100 * MS, 200 * MS)];
    assert!(samples(&at_least(300), trace()));
    assert!(!samples(&at_least(301), trace()));
    let between = |above, most| {
        let (threshold, most) = (Duration::from_millis(above), Duration::from_millis(most));
        one(PolicyKind::Latency { threshold, upper_threshold: Some(most) })
    };
    assert!(samples(&between(299, 300), trace()));
    assert!(!samples(&between(300, 400), trace()), "above, not at");
    assert!(!samples(&between(100, 299), trace()));
}

#[test]
fn unknown_times_and_ends_before_starts_are_no_latency() {
    let any = one(PolicyKind::Latency { threshold: Duration::from_nanos(1), upper_threshold: None });
    assert!(!samples(&any, vec![TestSpan::of(1).times(0, 500 * MS)]));
    assert!(!samples(&any, vec![TestSpan::of(1).times(500 * MS, 0)]));
    assert!(!samples(&any, vec![TestSpan::of(1).times(u64::MAX, 1)]));
    assert!(samples(&any, vec![TestSpan::of(1).times(0, 500), TestSpan::of(1).times(1, 0)]));
}

#[test]
fn a_status_of_any_span_counts() {
    let list = one(PolicyKind::StatusCode { status_codes: vec![StatusCode::Error, StatusCode::Ok] });
    assert!(!samples(&list, spans(3)));
    for status in [StatusCode::Error, StatusCode::Ok] {
        assert!(samples(&list, vec![TestSpan::of(1), TestSpan::of(1).status(status)]));
    }
    assert_eq!(StatusCode::from_name("ERROR"), Some(StatusCode::Error));
    assert_eq!(StatusCode::from_name("Error"), None);
}

#[test]
fn texts_are_found_in_spans_and_resources() {
    let list = [text("it", "k", "a", false)];
    assert!(samples(&list, vec![TestSpan::of(1), TestSpan::of(1).with("k", Value::Text("a"))]));
    assert!(samples(
        &list,
        vec![TestSpan::of(1).resource("k", Value::Text("a")).with("k", Value::Text("b"))]
    ));
    for other in [Value::Text("ab"), Value::Text(""), Value::Int(0), Value::Other] {
        assert!(!samples(&list, vec![TestSpan::of(1).with("k", other).with("l", Value::Text("a"))]));
    }
    // An empty value would match what is no text.
    assert!(!samples(&[text("it", "k", "", false)], vec![TestSpan::of(1).with("k", Value::Text(""))]));
}

#[cfg(feature = "regex")]
#[test]
fn patterns_match_anywhere_unless_bound() {
    let list = |pattern: &str| {
        let matching = TextMatching::Regex;
        one(PolicyKind::StringAttribute {
            key: "k".into(),
            values: vec!["no".into(), pattern.into()],
            matching,
            invert_match: false,
        })
    };
    let span = || vec![TestSpan::of(1).with("k", Value::Text("/health/live"))];
    assert!(samples(&list("health"), span()));
    assert!(samples(&list("^/health/.*$"), span()));
    assert!(!samples(&list("^health"), span()));
    let error = Policies::new(&list("(")).unwrap_err();
    assert!(error.to_string().starts_with("policy `it`: `(` is no regular expression: "), "{error}");
}

#[cfg(not(feature = "regex"))]
#[test]
fn patterns_want_a_feature() {
    let matching = TextMatching::Regex;
    let list = one(PolicyKind::StringAttribute {
        key: "k".into(),
        values: vec!["a".into()],
        matching,
        invert_match: false,
    });
    assert_eq!(Policies::new(&list).unwrap_err().problem, PolicyProblem::NoRegex);
}

#[test]
fn numbers_are_compared_with_both_ends_included() {
    let with = |value| vec![TestSpan::of(1).with("n", value)];
    for (value, inside) in [(49, false), (50, true), (60, true), (61, false)] {
        assert_eq!(samples(&numbers(Some(50), Some(60), false), with(Value::Int(value))), inside, "{value}");
        assert_eq!(
            samples(&numbers(Some(50), Some(60), false), with(Value::Double(value as f64))),
            inside,
            "{value}"
        );
    }
    assert!(samples(&numbers(Some(50), None, false), with(Value::Double(f64::INFINITY))));
    assert!(samples(&numbers(None, Some(50), false), with(Value::Double(f64::NEG_INFINITY))));
    assert!(!samples(&numbers(Some(50), None, false), with(Value::Double(f64::NAN))));
    assert!(!samples(&numbers(Some(-5), Some(5), false), with(Value::Text("0"))));
}

#[test]
fn truths_are_compared() {
    let list = one(PolicyKind::BooleanAttribute { key: "b".into(), value: false, invert_match: false });
    assert!(samples(&list, vec![TestSpan::of(1).resource("b", Value::Bool(false))]));
    assert!(!samples(&list, vec![TestSpan::of(1).with("b", Value::Bool(true))]));
    assert!(!samples(&list, spans(1)));
}

#[test]
fn span_counts_include_both_ends() {
    let list = one(PolicyKind::SpanCount { min_spans: 2, max_spans: Some(3) });
    let sampled: Vec<_> = (1..5).map(|count| samples(&list, spans(count))).collect();
    assert_eq!(sampled, [false, true, true, false]);
    assert!(samples(&one(PolicyKind::SpanCount { min_spans: 2, max_spans: None }), spans(50)));
}

#[test]
fn trace_state_members_are_compared_whole() {
    let list = one(PolicyKind::TraceState { key: "k".into(), values: vec!["v".into(), "w".into()] });
    for (state, found) in
        [("k=v", true), ("a=b, k=w ,c=d", true), ("k=vv", false), ("kk=v", false), ("", false), ("k", false)]
    {
        assert_eq!(samples(&list, vec![TestSpan::of(1), TestSpan::of(1).state(state)]), found, "{state}");
    }
}

#[test]
fn a_rate_is_kept_and_a_burst_allowed() {
    let mut sampler =
        sampler(small(), &one(PolicyKind::RateLimiting { spans_per_second: 10, burst_capacity: None }));
    let start = Instant::now();
    let sampled = |sampler: &TailSampler<TestSpan>| sampler.stats().sampled_spans;
    for trace in 0..2000 {
        let now = start + Duration::from_millis(10 * trace);
        sampler.offer(TestSpan::of(trace), now, |_| {});
        sampler.drain(now, |_| {});
    }
    // Twenty at once, and ten for each of the twenty seconds.
    assert_eq!(sampled(&sampler), 20 + 199);
    for _ in 0..21 {
        sampler.offer(TestSpan::of(9999), start + seconds(1000), |_| {});
    }
    sampler.drain(start + seconds(1000), |_| {});
    assert_eq!(sampled(&sampler), 219, "a trace of more spans than the burst never passes");
}

#[test]
fn bytes_are_limited_too() {
    let kind = PolicyKind::BytesLimiting { bytes_per_second: 100, burst_capacity: Some(150) };
    let mut sampler = sampler(small(), &one(kind));
    let now = Instant::now();
    let mut verdicts = Vec::new();
    for (trace, held, at) in [(1, 100, 0), (2, 100, 0), (3, 50, 0), (4, 100, 1)] {
        sampler.offer(TestSpan::of(trace).held(held), now + seconds(at), |_| {});
        sampler.drain(now + seconds(at), |decided| verdicts.push(decided.verdict.is_sampled()));
    }
    assert_eq!(verdicts, [true, false, true, true]);
}

#[test]
fn the_salted_share_is_the_collectors() {
    let kind = |salt: &str, sampling_percentage| PolicyKind::Probabilistic {
        sampling_percentage,
        hash_salt: Some(salt.into()),
    };
    let share = |kind: PolicyKind| {
        let list = one(kind);
        (0..2000u64)
            .filter(|n| samples(&list, vec![TestSpan::of(n.wrapping_mul(0x9E37_79B9_7F4A_7C15))]))
            .count()
    };
    assert_eq!(
        (share(kind("a", 0.0)), share(kind("a", 100.0)), share(kind("a", f64::INFINITY))),
        (0, 2000, 2000)
    );
    let quarter = share(kind("default-hash-seed", 25.0));
    assert!((440..560).contains(&quarter), "{quarter}");
    assert_ne!(quarter, share(kind("another", 25.0)));
}

#[test]
fn and_wants_all_and_not_the_opposite() {
    let web = || text("web", "kind", "web", false);
    let both = [and("both", vec![errors(), web()])];
    let span =
        |status, kind| vec![TestSpan::of(1).status(status), TestSpan::of(1).with("kind", Value::Text(kind))];
    assert!(samples(&both, span(StatusCode::Error, "web")));
    assert!(!samples(&both, span(StatusCode::Error, "db")));
    assert!(!samples(&both, span(StatusCode::Ok, "web")));
    assert!(samples(&[not("none", errors())], span(StatusCode::Ok, "web")));
    assert!(!samples(&[not("none", errors())], span(StatusCode::Error, "web")));
    // Inside, an inverted match votes like any other.
    let not_web = || text("not web", "kind", "web", true);
    assert!(samples(&[and("both", vec![errors(), not_web()])], span(StatusCode::Error, "db")));
    assert!(!samples(&[and("both", vec![errors(), not_web()])], span(StatusCode::Error, "web")));
    // There, its objection is none against others.
    assert!(samples(&[and("both", vec![not_web()]), always()], span(StatusCode::Ok, "web")));
}

#[test]
fn precedence_is_drop_then_veto_then_sample_then_inverted() {
    let (match_, other) = (|| vec![TestSpan::of(1).with("k", Value::Text("a"))], || spans(1));
    let inverted = || text("inverted", "k", "a", true);
    let cause = |list: &[Policy], spans| {
        let decided = decide(list, spans);
        (decided.verdict.is_sampled(), decided.cause)
    };
    let by = |name: &str| Cause::Policy(name.into());
    let drops = || drop_all("drops", vec![text("a", "k", "a", false)]);
    assert_eq!(cause(&[always(), inverted(), drops()], match_()), (false, by("drops")));
    assert_eq!(cause(&[always(), inverted()], match_()), (false, by("inverted")));
    assert_eq!(cause(&[inverted(), always()], other()), (true, by("always")));
    assert_eq!(cause(&[inverted()], other()), (true, by("inverted")));
    assert_eq!(cause(&[inverted(), errors()], other()), (false, Cause::NoPolicy));
    assert_eq!(cause(&[inverted(), drops()], other()), (false, Cause::NoPolicy));
    assert_eq!(cause(&[drops(), always()], other()), (true, by("always")));
    assert_eq!(cause(&[], other()), (false, Cause::NoPolicy));
    // All that a drop policy holds must agree.
    let careful = drop_all("careful", vec![text("a", "k", "a", false), errors()]);
    assert!(samples(&[careful, always()], match_()));
}

#[test]
fn the_first_policy_that_votes_so_is_named() {
    let decided = decide(&[errors(), share("half", 100.0), always()], spans(2));
    assert_eq!(decided.cause, Cause::Policy("half".into()));
    let mut sampler =
        sampler(small(), &[errors(), share("half", 100.0), always(), drop_all("d", vec![errors()])]);
    let now = Instant::now();
    for (trace, status) in [(1, StatusCode::Ok), (2, StatusCode::Error)] {
        sampler.offer(TestSpan::of(trace).status(status), now, |_| {});
    }
    sampler.drain(now, |_| {});
    let counts: Vec<_> = sampler
        .stats()
        .policies
        .iter()
        .map(|p| (p.name.to_string(), p.sampled, p.not_sampled, p.dropped, p.decided_traces))
        .collect();
    let expected = [("errors", 0, 1, 0, 0), ("half", 1, 0, 0, 1), ("always", 1, 0, 0, 0), ("d", 0, 1, 1, 1)];
    let expected: Vec<_> = expected.map(|(name, a, b, c, d)| (name.to_owned(), a, b, c, d)).into();
    assert_eq!(counts, expected, "a drop ends the asking");
}

#[test]
fn a_composite_shares_its_rate_by_order() {
    let web = || text("web", "kind", "web", false);
    let composite = Composite::new(100, vec![always(), errors(), web()])
        .with_policy_order(["errors", "web", "always"])
        .with_rate_allocation("errors", 50)
        .with_rate_allocation("web", 25);
    let mut sampler = sampler(small().with_decision_cache(0, 0), &one(PolicyKind::Composite(composite)));
    let start = Instant::now();
    let mut run = |span: TestSpan, count: u64, at: Duration| {
        let mut sampled = 0;
        for trace in 0..count {
            let span = TestSpan { trace, ..span.clone() };
            sampler.offer(span, start + at, |_| {});
            sampler.drain(start + at, |decided| sampled += u32::from(decided.verdict.is_sampled()));
        }
        sampled
    };
    let (error, web) =
        (TestSpan::of(0).status(StatusCode::Error), TestSpan::of(0).with("kind", Value::Text("web")));
    assert_eq!(run(error.clone(), 80, Duration::ZERO), 50);
    assert_eq!(run(web.clone(), 80, Duration::ZERO), 25);
    // What is not listed gets a third, and all together no more than a hundred.
    assert_eq!(run(TestSpan::of(0), 80, Duration::from_millis(999)), 25);
    assert_eq!(run(TestSpan::of(0), 80, seconds(1)), 33);
    assert_eq!(run(error, 80, seconds(1)), 50);
    assert_eq!(run(web, 80, seconds(1)), 17);
}

#[test]
fn bad_policies_are_explained() {
    let error = |list: &[Policy]| Policies::new(list).unwrap_err().to_string();
    assert_eq!(
        error(&[always(), always()]),
        "policy `always`: another policy has this name: rename one of them"
    );
    assert_eq!(error(&[Policy::new("", PolicyKind::AlwaysSample)]), "policy ``: it has no name: give it one");
    assert_eq!(error(&[and("a", vec![])]), "policy `a`: and_sub_policy is empty: give at least one");
    assert_eq!(
        error(&[and("a", vec![not("b", drop_all("c", vec![always()]))])]),
        "policy `a > b > c`: drop is for the top only: use not inside other policies"
    );
    for bad in [-1.0, f64::NAN] {
        assert!(error(&[share("s", bad)]).contains("the least is 0"));
    }
    assert!(error(&one(PolicyKind::StatusCode { status_codes: vec![] })).contains("status_codes is empty"));
    assert!(error(&numbers(None, None, false)).contains("min_value and max_value is empty"));
    assert!(error(&numbers(Some(2), Some(1), false)).contains("the least value is above the greatest"));
    assert!(
        error(&one(PolicyKind::SpanCount { min_spans: 2, max_spans: Some(1) })).contains("number of spans")
    );
    let latency = PolicyKind::Latency { threshold: seconds(2), upper_threshold: Some(seconds(2)) };
    assert!(error(&one(latency)).contains("duration"));
    let composite = |composite| error(&one(PolicyKind::Composite(composite)));
    let two = || Composite::new(10, vec![always(), errors()]);
    assert!(composite(Composite::new(10, vec![])).contains("composite_sub_policy is empty"));
    assert!(composite(two().with_policy_order(["always"])).contains("policy_order leaves out `errors`"));
    assert!(composite(two().with_policy_order(["x"])).contains("policy_order names `x`"));
    assert!(composite(two().with_policy_order(["always", "always"])).contains("policy_order names `always`"));
    assert!(composite(two().with_rate_allocation("x", 5)).contains("rate_allocation names `x`"));
    let deep = (0..20).fold(always(), |inner, _| not("n", inner));
    assert!(error(&[deep]).ends_with("nested more than 16 deep: flatten them"));
}
