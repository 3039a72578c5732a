//! Names and paths.

use aqueduct_wire::Signal;

/// Every name and path leads back to its signal, and nothing else does.
#[test]
fn names_round_trip() {
    for (index, signal) in Signal::ALL.into_iter().enumerate() {
        assert_eq!(signal.index(), index);
        assert_eq!(signal.to_string().parse(), Ok(signal));
        assert_eq!(Signal::from_grpc_path(signal.grpc_path()), Some(signal));
        assert_eq!(Signal::from_http_path(signal.http_path()), Some(signal));
    }
    assert!("profiles".parse::<Signal>().is_err());
    assert_eq!(Signal::from_http_path("/v1/traces/"), None);
    assert_eq!(Signal::from_grpc_path("/v1/traces"), None);
}
