//! Tests of the choice of a proxy.

use std::collections::HashMap;

use proptest::prelude::*;

use super::exceptions::except;
use super::*;

/// Guards the rules that keep traffic off a proxy, or on it.
#[test]
fn no_proxy_rules() {
    for (rule, host, port, holds) in [
        ("*", "anything.example", 1, true),
        ("example.com", "example.com", 1, true),
        ("example.com", "a.b.example.com", 1, true),
        ("example.com", "notexample.com", 1, false),
        ("example.com", "example.com.evil", 1, false),
        ("Example.COM", "eXample.com.", 1, true),
        (".example.com", "a.example.com", 1, true),
        (".example.com", "example.com", 1, false),
        ("*.example.com", "a.example.com", 1, true),
        ("*.example.com", "example.com", 1, false),
        ("example.com:4317", "a.example.com", 4317, true),
        ("example.com:4317", "a.example.com", 4318, false),
        ("10.1.2.3", "10.1.2.3", 1, true),
        ("10.1.2.3", "110.1.2.3", 1, false),
        ("10.1.2.3:80", "10.1.2.3", 81, false),
        ("10.1.2.3:80", "10.1.2.3", 80, true),
        ("10.0.0.0/8", "10.255.0.1", 1, true),
        ("10.0.0.0/8", "11.0.0.1", 1, false),
        ("10.0.0.0/8", "10.example.com", 1, false),
        ("10.1.2.3/32", "10.1.2.3", 1, true),
        ("10.1.2.3/32", "10.1.2.2", 1, false),
        ("0.0.0.0/0", "8.8.8.8", 1, true),
        ("10.0.0.0/8", "::ffff:10.0.0.1", 1, true),
        ("fd00::/8", "fd12::1", 1, true),
        ("fd00::/8", "fe12::1", 1, false),
        ("::/0", "10.0.0.1", 1, false),
        ("fd00::1", "fd00:0::1", 1, true),
        ("[fd00::1]:80", "fd00::1", 80, true),
        ("[fd00::1]:80", "fd00::1", 81, false),
        ("10.0.0.0/99", "10.0.0.1", 1, false),
        (".", "example.com", 1, false),
        ("", "example.com", 1, false),
        ("nothing", "localhost", 1, true),
        ("nothing", "127.9.9.9", 1, true),
        ("nothing", "::1", 1, true),
    ] {
        assert_eq!(except(&[rule.to_owned()], host, port), holds, "{rule:?} for {host}:{port}");
    }
}

fn from(vars: &[(&str, &str)]) -> ProxyConfig {
    let vars: HashMap<&str, &str> = vars.iter().copied().collect();
    ProxyConfig::from_vars(|name| vars.get(name).map(|&value| value.to_owned()))
}

/// Guards which variable counts.
#[test]
fn variables() {
    assert_eq!(from(&[]), ProxyConfig::default());
    let config =
        from(&[("HTTP_PROXY", "a"), ("http_proxy", "b"), ("HTTPS_PROXY", " c "), ("https_proxy", "")]);
    assert_eq!((config.http.as_deref(), config.https.as_deref()), (Some("b"), Some("c")));
    let config = from(&[("ALL_PROXY", "all"), ("https_proxy", "own")]);
    assert_eq!((config.http.as_deref(), config.https.as_deref()), (Some("all"), Some("own")));
    let config = from(&[("HTTP_PROXY", "evil"), ("REQUEST_METHOD", "GET")]);
    assert_eq!(config.http, None);
    assert_eq!(from(&[("NO_PROXY", "a, b  c,,")]).no_proxy, ["a", "b", "c"]);
}

fn choose(endpoint: &str, proxy: &str) -> Result<Option<(String, u16, Option<String>)>, String> {
    let config = ProxyConfig { http: Some(proxy.to_owned()), https: None, no_proxy: Vec::new() };
    let place = Endpoint::http(endpoint).expect("valid");
    let proxy = Proxy::choose(&config, &place).map_err(|error| error.to_string())?;
    Ok(proxy.map(|proxy| (proxy.host, proxy.port, proxy.authorization)))
}

/// Guards the forms of proxy URLs, and credentials with characters of all kinds.
#[test]
fn proxy_urls() {
    let peer = "http://collector.example:4318";
    let basic = |text: &str| Some(format!("Basic {text}"));
    for (url, host, port, authorization) in [
        ("http://proxy.example:3128", "proxy.example", 3128, None),
        ("proxy.example:3128/", "proxy.example", 3128, None),
        ("HTTP://proxy.example", "proxy.example", 80, None),
        ("http://[::1]:3128", "::1", 3128, None),
        // The example of RFC 7617 section 2.
        ("http://Aladdin:open%20sesame@p:1", "p", 1, basic("QWxhZGRpbjpvcGVuIHNlc2FtZQ==")),
        ("http://user@p:1", "p", 1, basic("dXNlcjo=")),
        ("http://u:p@ss@p:1", "p", 1, basic("dTpwQHNz")),
    ] {
        assert_eq!(choose(peer, url), Ok(Some((host.to_owned(), port, authorization))), "{url}");
    }
    assert_eq!(choose("https://collector.example", "http://proxy"), Ok(None));
    assert_eq!(choose("http://localhost:4318", "socks5://not-looked-at"), Ok(None));
}

/// Guards against going past a proxy that cannot be used, and against telling its password.
#[test]
fn proxies_that_are_refused() {
    for (url, says) in [
        ("https://user:hunter2@p", "TLS to the proxy"),
        ("socks5://user:hunter2@p:1080", "only http://"),
        ("http://user:hunter2@", "form"),
        ("http://user:hunter2@p:0", "form"),
        ("http://user:hunter2@p:99999", "form"),
        ("http://user:hunter2@p q:1", "form"),
    ] {
        let said = choose("http://collector.example:4318", url).expect_err(url);
        assert!(said.contains(says) && !said.contains("hunter2"), "{url}: {said}");
    }
}

/// Guards secrets in URLs: what may be a password, and a query, which may be a key.
#[test]
fn secrets_are_masked() {
    for (url, shown) in [
        ("http://collector:4318/v1/traces", "http://collector:4318/v1/traces"),
        ("https://user:hunter2@collector", "..@collector"),
        ("https://collector/v1/traces?api-key=hunter2", "https://collector/v1/traces?.."),
        ("https://user:hunter2@collector/?key=hunter2", "..@collector/?.."),
        ("https://user:hunter?2@collector/", ".."),
        ("https://collector/?mail=me@here&key=hunter2", ".."),
    ] {
        assert_eq!(masked(url), shown);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Guards against a panic on what somebody has in their environment, and against a network that is wider or
    /// narrower than its mask.
    #[test]
    fn any_rule(rule in "[*.:/\\[\\]a-c0-9]{0,20}", address in any::<[u8; 4]>(), base in any::<[u8; 4]>(), bits in 0_u8..=32) {
        let host = std::net::Ipv4Addr::from(address).to_string();
        let _ = except(&[rule], &host, 1);
        let rule = format!("{}/{bits}", std::net::Ipv4Addr::from(base));
        let masked = |bytes| u64::from(u32::from_be_bytes(bytes)) >> (32 - bits);
        prop_assume!(address[0] != 127);
        prop_assert_eq!(except(&[rule], &host, 1), masked(address) == masked(base));
    }

    /// Guards passwords against logs, and against a panic.
    #[test]
    fn any_url(url in "(http://)?[a-z:@%/ ]{0,20}hunter2[a-z:%/ ]{0,9}@[a-z:0-9]{0,9}") {
        let said = format!("{:?}", choose("http://collector.example:4318", &url).map(|_| ()));
        prop_assert!(!said.contains("hunter2"), "{}", said);
        let shown = format!("{:?}", ProxyConfig { http: Some(url), ..ProxyConfig::default() });
        prop_assert!(!shown.contains("hunter2"), "{}", shown);
    }
}
