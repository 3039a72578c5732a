//! The headers' table, without any connection.

use super::*;
use http::header::ACCEPT;

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for &(name, value) in pairs {
        map.append(name, HeaderValue::from_static(value));
    }
    map
}

fn read(
    path: &str,
    pairs: &[(&'static str, &'static str)],
    speaks: Speaks,
) -> Result<Head, (Style, Refusal)> {
    Head::read(&Method::POST, path, &headers(pairs), speaks)
}

fn refused(path: &str, pairs: &[(&'static str, &'static str)], speaks: Speaks) -> (Style, RefuseReason) {
    let (style, refusal) = read(path, pairs, speaks).expect_err("must be refused");
    (style, refusal.reason)
}

/// Guards that media types are compared as RFC 9110 says: any case, parameters aside, nothing but the whole name.
#[test]
fn media_types() {
    let path = Signal::Logs.grpc_path();
    for name in ["application/grpc", "application/grpc+proto", "Application/gRPC; charset=x"] {
        let head = read(path, &[("content-type", name)], Speaks::Both).expect("is gRPC");
        assert_eq!(head.asked, Asked::Export(Signal::Logs));
        assert_eq!((head.style, head.encoding), (Style::Grpc, Encoding::Identity));
    }
    for name in ["application/grpc-web", "application/grpc+json", "application/grpcx"] {
        assert_eq!(
            refused(path, &[("content-type", name)], Speaks::Both),
            (Style::Grpc, RefuseReason::ContentType)
        );
    }
    let head = read("/v1/traces", &[("content-type", "APPLICATION/X-PROTOBUF ;a=b")], Speaks::Both)
        .expect("is HTTP");
    assert_eq!(head.style, Style::Http(Format::Protobuf));
    for name in ["", "text/plain", "application/protobuf", "application/x-protobufs"] {
        let answer = refused("/v1/traces", &[("content-type", name)], Speaks::Both);
        assert_eq!(answer, (Style::Http(Format::Protobuf), RefuseReason::ContentType), "{name}");
    }
}

/// Guards that a request is answered in JSON if and only if it says it is JSON.
#[cfg(feature = "json")]
#[test]
fn json_is_answered_in_json() {
    let json = ("content-type", "application/json; charset=utf-8");
    let head = read("/v1/metrics", &[json], Speaks::Http).expect("is JSON");
    assert_eq!(head.style, Style::Http(Format::Json));
    assert_eq!(refused("/", &[json], Speaks::Http), (Style::Http(Format::Json), RefuseReason::NotFound));
    assert_eq!(refused("/", &[], Speaks::Http), (Style::Http(Format::Protobuf), RefuseReason::NotFound));
}

/// Guards the order of the checks: what is asked for comes before how.
#[test]
fn path_then_method_then_type_then_encoding() {
    let no = HeaderMap::new();
    let refuse = |method: Method, path: &str| {
        Head::read(&method, path, &no, Speaks::Http).expect_err("refused").1.reason
    };
    assert_eq!(refuse(Method::GET, "/v1/spans"), RefuseReason::NotFound);
    assert_eq!(refuse(Method::GET, "/v1/traces/"), RefuseReason::NotFound);
    assert_eq!(refuse(Method::PUT, "/v1/traces"), RefuseReason::Method);
    assert_eq!(refuse(Method::POST, "/v1/traces"), RefuseReason::ContentType);
    let both = [("content-type", "text/plain"), ("content-encoding", "br")];
    assert_eq!(refused("/v1/traces", &both, Speaks::Http).1, RefuseReason::ContentType);
}

/// Guards doubled and layered headers, which two readers could understand in two ways.
#[test]
fn doubled_headers() {
    let proto = ("content-type", "application/x-protobuf");
    let reason = |pairs: &[(&'static str, &'static str)]| refused("/v1/traces", pairs, Speaks::Http).1;
    assert_eq!(reason(&[proto, proto]), RefuseReason::DuplicateHeader);
    let gzip = ("content-encoding", "gzip");
    assert_eq!(reason(&[proto, gzip, gzip]), RefuseReason::ContentEncoding);
    assert_eq!(reason(&[proto, ("content-encoding", "gzip, gzip")]), RefuseReason::ContentEncoding);
    assert_eq!(reason(&[proto, ("content-encoding", "")]), RefuseReason::ContentEncoding);
    let grpc = ("content-type", "application/grpc");
    let reason =
        |pairs: &[(&'static str, &'static str)]| refused(Signal::Logs.grpc_path(), pairs, Speaks::Grpc).1;
    assert_eq!(reason(&[grpc, grpc]), RefuseReason::DuplicateHeader);
    assert_eq!(
        reason(&[grpc, ("grpc-encoding", "gzip"), ("grpc-encoding", "gzip")]),
        RefuseReason::DuplicateHeader
    );
    assert_eq!(reason(&[grpc, ("grpc-encoding", "snappy")]), RefuseReason::ContentEncoding);
}

/// Guards which door speaks what.
#[test]
fn doors() {
    let grpc = [("content-type", "application/grpc")];
    let proto = [("content-type", "application/x-protobuf"), (ACCEPT.as_str(), "*/*")];
    assert!(read(Signal::Traces.grpc_path(), &grpc, Speaks::Grpc).is_ok());
    assert!(read(Signal::Traces.grpc_path(), &grpc, Speaks::Both).is_ok());
    assert_eq!(refused(Signal::Traces.grpc_path(), &grpc, Speaks::Http).1, RefuseReason::NotFound);
    assert_eq!(refused("/v1/traces", &grpc, Speaks::Http).1, RefuseReason::ContentType);
    assert!(read("/v1/traces", &proto, Speaks::Both).is_ok());
    assert_eq!(refused("/v1/traces", &proto, Speaks::Grpc).1, RefuseReason::ContentType);
    assert_eq!(refused("/v1/traces", &grpc, Speaks::Both).1, RefuseReason::NotFound);
    let head = read(health::CHECK_PATH, &grpc, Speaks::Grpc).expect("health is served");
    assert_eq!(head.asked, Asked::Health);
}

/// Guards that what is sent back is short and on one line.
#[test]
fn messages_do_not_repeat_attacks() {
    let long = "x".repeat(10_000);
    assert_eq!(shown(&long).len(), 83);
    assert_eq!(shown("a\r\nb"), "a??b");
    assert_eq!(shown(&"é".repeat(80)), "é".repeat(80));
}
