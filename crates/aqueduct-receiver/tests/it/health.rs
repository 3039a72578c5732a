//! grpc.health.v1.

use crate::rig::{Call, Rig, framed};
use aqueduct_receiver::RefuseReason;
use aqueduct_wire::rpc::Code;
use aqueduct_wire::rpc::health::{CHECK_PATH, ServingStatus, WATCH_PATH, encode_request, encode_response};

/// Guards the answers for the server as a whole, for its services, and for others; and that Watch says that it is not there,
/// upon which clients take the server for healthy.
#[tokio::test]
async fn checks_are_answered() {
    let rig = Rig::grpc().await;
    let client = rig.h2().await;
    for (serving, status) in [(true, ServingStatus::Serving), (false, ServingStatus::NotServing)] {
        rig.server.set_serving(serving);
        for service in ["", "opentelemetry.proto.collector.logs.v1.LogsService"] {
            let call = Call::raw(CHECK_PATH, &framed(&encode_request(service), false));
            let answer = call.send(&client).await;
            assert_eq!(answer.grpc(), (Code::Ok, String::new()));
            assert_eq!(answer.body, framed(&encode_response(status), false));
        }
    }
    let answer = Call::raw(CHECK_PATH, &framed(&encode_request("x.Y"), false)).send(&client).await;
    assert_eq!(answer.grpc(), (Code::NotFound, "unknown service".into()));
    let answer = Call::raw(CHECK_PATH, &framed(b"\xff", false)).send(&client).await;
    assert_eq!(answer.grpc().0, Code::InvalidArgument);
    let answer = Call::raw(WATCH_PATH, &framed(b"", false)).send(&client).await;
    assert_eq!(answer.grpc().0, Code::Unimplemented);
    assert_eq!(
        rig.refused(),
        [(RefuseReason::Invalid, 1), (RefuseReason::NotFound, 1), (RefuseReason::UnknownService, 1)]
    );
    assert_eq!(rig.stats().of(aqueduct_wire::Signal::Logs).requests, 0, "a check is no request");
    drop(client);
    rig.finish().await;
}
