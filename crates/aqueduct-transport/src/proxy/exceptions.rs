//! `NO_PROXY`: peers that are reached without a proxy. Pure.

use std::net::IpAddr;

/// Whether this peer is reached without a proxy.
pub(super) fn except(rules: &[String], host: &str, port: u16) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let address = host.parse::<IpAddr>().ok().map(|address| address.to_canonical());
    // A collector on this machine is not reached through another one.
    host == "localhost"
        || address.is_some_and(|address| address.is_loopback())
        || rules.iter().any(|rule| matches(rule, &host, address, port))
}

fn matches(rule: &str, host: &str, address: Option<IpAddr>, port: u16) -> bool {
    if rule == "*" {
        return true;
    }
    if let Some((base, bits)) = network(rule) {
        return address.is_some_and(|address| within(address, base, bits));
    }
    let (rule, only) = split_port(rule);
    if only.is_some_and(|only| only != port) {
        return false;
    }
    if let Ok(rule) = rule.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return address == Some(rule.to_canonical());
    }
    let rule = rule.trim_end_matches('.').to_ascii_lowercase();
    let (domain, itself) = match rule.strip_prefix("*.").or_else(|| rule.strip_prefix('.')) {
        Some(domain) => (domain, false),
        None => (rule.as_str(), true),
    };
    match host.strip_suffix(domain) {
        Some("") => itself,
        Some(before) => !domain.is_empty() && before.ends_with('.'),
        None => false,
    }
}

fn network(rule: &str) -> Option<(IpAddr, u8)> {
    let (base, bits) = rule.split_once('/')?;
    let base: IpAddr = base.parse().ok()?;
    let bits = bits.parse().ok()?;
    let width = if base.is_ipv4() { 32 } else { 128 };
    (bits <= width).then_some((base, bits))
}

fn within(address: IpAddr, base: IpAddr, bits: u8) -> bool {
    match (address, base) {
        (IpAddr::V4(address), IpAddr::V4(base)) => {
            let differ = address.to_bits() ^ base.to_bits();
            differ.checked_shr(32 - u32::from(bits)).unwrap_or(0) == 0
        }
        (IpAddr::V6(address), IpAddr::V6(base)) => {
            let differ = address.to_bits() ^ base.to_bits();
            differ.checked_shr(128 - u32::from(bits)).unwrap_or(0) == 0
        }
        _ => false,
    }
}

/// The rule and the port at its end, if there is one: `host:port` or `[::1]:port`, but not `::1`.
fn split_port(rule: &str) -> (&str, Option<u16>) {
    match rule.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => match port.parse() {
            Ok(port) => (host, Some(port)),
            Err(_) => (rule, None),
        },
        _ => (rule, None),
    }
}
