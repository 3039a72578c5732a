//! The messages of the protocol against known bytes and hostile ones.

use super::health::ServingStatus;
use super::*;
use core::time::Duration;

/// Guards the numbers and names of the gRPC specification, and reading either.
#[test]
fn codes() {
    for (number, code) in Code::ALL.into_iter().enumerate() {
        assert_eq!(code.as_u32() as usize, number);
        assert_eq!(Code::from_u32(number as u32), code);
        assert_eq!(code.as_str().to_lowercase().parse(), Ok(code));
        assert_eq!(number.to_string().parse(), Ok(code));
    }
    assert_eq!(Code::from_u32(17), Code::Unknown);
    assert_eq!("17".parse::<Code>(), Err(UnknownCode));
    assert_eq!("".parse::<Code>(), Err(UnknownCode));
    assert_eq!(Code::Unavailable.as_u32(), 14);
}

/// Guards that full success is an empty body, and the layout of a partial one.
#[test]
fn export_responses() {
    assert!(ExportResponse::FULL.encode().is_empty());
    let partial = ExportResponse { rejected: 300, message: "no".to_owned() };
    assert_eq!(partial.encode(), [0x0a, 7, 0x08, 0xac, 0x02, 0x12, 2, b'n', b'o']);
    assert_eq!(ExportResponse::decode(&partial.encode()), Ok(partial));
    // `partial_success` present and empty is full success.
    assert!(ExportResponse::decode(&[0x0a, 0]).unwrap().is_full());
    // A negative count is nothing rejected; unknown fields of any wire type are skipped.
    let odd = [0x0a, 11, 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0x1d, 0, 0, 0, 0];
    assert!(ExportResponse::decode(&odd).unwrap().is_full());
    for wrong in
        [&[0x0a, 1][..], &[0x08, 1], &[0x0a, 2, 0x12, 5], &[0x0a, 3, 0x12, 1, 0xff], &[0x0a, 2, 0x0a, 0]]
    {
        assert!(ExportResponse::decode(wrong).is_err(), "{wrong:x?}");
    }
}

/// Guards the bytes of `Status` with `RetryInfo` against what Go's and Java's runtimes write.
#[test]
fn status_golden() {
    let status = Status::new(Code::Unavailable, "busy").with_retry_delay(Duration::new(2, 5));
    let mut golden = vec![0x08, 14, 0x12, 4, b'b', b'u', b's', b'y', 0x1a, 50, 0x0a, 40];
    golden.extend_from_slice(b"type.googleapis.com/google.rpc.RetryInfo");
    golden.extend_from_slice(&[0x12, 6, 0x0a, 4, 0x08, 2, 0x10, 5]);
    assert_eq!(status.encode(), golden);
    assert_eq!(Status::decode(&golden), Ok(status));
    assert_eq!(Status::decode(&[]), Ok(Status::new(Code::Ok, "")));
}

/// Guards that details of other types are stepped over, even if their value is no message at all.
#[test]
fn unknown_details_are_skipped() {
    let mut bytes = Status::new(Code::Internal, "x").encode();
    let mut any = Vec::new();
    put_bytes(&mut any, 1, b"type.googleapis.com/google.rpc.DebugInfo");
    put_bytes(&mut any, 2, &[0xff; 5]);
    put_bytes(&mut bytes, 3, &any);
    assert_eq!(Status::decode(&bytes), Ok(Status::new(Code::Internal, "x")));
    put_bytes(&mut bytes, 3, &Status::new(Code::Ok, "").with_retry_delay(Duration::ZERO).encode()[2..]);
    assert_eq!(Status::decode(&bytes).unwrap().retry_delay, Some(Duration::ZERO));
}

/// Guards the numbers of the health protocol.
#[test]
fn health_messages() {
    assert!(health::encode_request("").is_empty());
    assert_eq!(health::encode_request("a.B"), [0x0a, 3, b'a', b'.', b'B']);
    assert_eq!(health::decode_request(&[0x0a, 3, b'a', b'.', b'B']).unwrap(), "a.B");
    for (number, status) in [
        ServingStatus::Unknown,
        ServingStatus::Serving,
        ServingStatus::NotServing,
        ServingStatus::ServiceUnknown,
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(status as usize, number);
        assert_eq!(health::decode_response(&health::encode_response(status)), Ok(status));
    }
    assert_eq!(health::decode_response(&[0x08, 99]), Ok(ServingStatus::Unknown));
    assert!(health::decode_response(&[0x0a, 0]).is_err());
}
