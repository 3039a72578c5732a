//! Limits and times of a server.

use aqueduct_wire::Limits;
use std::time::Duration;

/// What a body has to bring in each `body_timeout`: a client slower than this is taken for an attack.
pub(crate) const LEAST_PROGRESS: usize = 16 * 1024;

const MIB: usize = 1024 * 1024;

/// What a [`Server`](crate::Server) allows. The default is right for production.
///
/// Values outside of a field's range are moved to its nearest end. Times end at a year, which is as good as never.
#[doc(alias = "ServerConfig")]
#[doc(alias = "GRPCServerSettings")]
#[doc(alias = "HTTPServerSettings")]
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct ReceiverConfig {
    /// Largest request, as sent and again after inflating.
    ///
    /// Unit: bytes. Default 64 MiB, as the OTLP specification recommends; at most 2 GiB - 1. A larger request is
    /// answered `RESOURCE_EXHAUSTED` or 413, which no client retries. A request can never be larger than the
    /// [`ReceiveBudget`](crate::ReceiveBudget) either.
    #[doc(alias = "max_recv_msg_size_mib")]
    #[doc(alias = "max_request_body_size")]
    pub max_request_bytes: usize,
    /// Open connections. One more is closed as soon as it is accepted.
    ///
    /// Default 1024; at least 1. An idle HTTP/2 connection costs about 35 KiB and a file descriptor.
    pub max_connections: usize,
    /// Requests in progress on one HTTP/2 connection.
    ///
    /// Default 256; at least 1. Clients hold further requests back by themselves (`SETTINGS_MAX_CONCURRENT_STREAMS`).
    #[doc(alias = "max_concurrent_streams")]
    pub max_streams_per_connection: u32,
    /// Size of all headers of one request (HTTP/2: as RFC 9113, 6.5.2 counts).
    ///
    /// Unit: bytes. Default 16 KiB; at least 8 KiB, at most 16 MiB. Beyond it the answer is 431.
    pub max_header_list_bytes: u32,
    /// From the opening of a connection to the end of its first headers (HTTP/1.1: of each request's headers).
    ///
    /// Default 10 s. The connection is then closed.
    #[doc(alias = "read_header_timeout")]
    pub header_timeout: Duration,
    /// In each such span of time a body must bring at least 16 KiB or its end.
    ///
    /// Default 30 s. The request is then answered `DEADLINE_EXCEEDED` or 408.
    #[doc(alias = "read_timeout")]
    pub body_timeout: Duration,
    /// How long a connection may stay without a request.
    ///
    /// Default 5 min, long enough for clients that export once a minute. The connection is then closed: HTTP/2 with a `GOAWAY`
    /// first, so that no request is lost.
    #[doc(alias = "max_connection_idle")]
    pub idle_timeout: Duration,
    /// After how long a silence an HTTP/2 client is asked with a `PING` whether it is there. `None`: never.
    ///
    /// Default 60 s; at least 1 s. Costs one frame each way on a silent connection.
    pub keepalive_interval: Option<Duration>,
    /// How long it may take to answer that `PING`; the connection is then dropped.
    ///
    /// Default 20 s; at least 100 ms.
    pub keepalive_timeout: Duration,
    /// How far an HTTP/2 client may send ahead on one request.
    ///
    /// Unit: bytes. Default 1 MiB; from 64 KiB - 1 to 2 GiB - 1. See [`ReceiverConfig::connection_window_bytes`].
    #[doc(alias = "initial_window_size")]
    pub stream_window_bytes: u32,
    /// How far an HTTP/2 client may send ahead on one connection.
    ///
    /// Unit: bytes. Default 4 MiB; from 64 KiB - 1 to 2 GiB - 1. Received data is taken into the budget in the same turn of the task
    /// that read it, so what is read and in no budget is at most this, once for each thread of the runtime.
    pub connection_window_bytes: u32,
    /// Largest HTTP/2 frame that clients may send.
    ///
    /// Unit: bytes. Default 256 KiB; from 16 KiB to 16 MiB - 1. A request that comes in one frame is not copied, but a frame
    /// is buffered whole before anything of it is seen.
    #[doc(alias = "max_frame_size")]
    pub max_frame_bytes: u32,
    /// From which size on a body is inflated, converted and validated aside, on the server's worker threads or the runtime's blocking pool,
    /// rather than on the connection's task, so that other connections of that thread do not wait.
    ///
    /// Unit: bytes on the wire, of which a compressed one counts 16. Default 1 MiB: about half a millisecond of work.
    pub offload_bytes: usize,
    /// What a client is told to wait when its request was refused for want of budget.
    ///
    /// Default 1 s. (A handler that is overloaded gives its own figure.)
    pub retry_after: Duration,
    /// What one request may hold: depth of nested values and number of items.
    pub limits: Limits,
}

impl Default for ReceiverConfig {
    fn default() -> ReceiverConfig {
        ReceiverConfig {
            max_request_bytes: 64 * MIB,
            max_connections: 1024,
            max_streams_per_connection: 256,
            max_header_list_bytes: 16 * 1024,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(300),
            keepalive_interval: Some(Duration::from_secs(60)),
            keepalive_timeout: Duration::from_secs(20),
            stream_window_bytes: 1 << 20,
            connection_window_bytes: 4 << 20,
            max_frame_bytes: 256 * 1024,
            offload_bytes: MIB,
            retry_after: Duration::from_secs(1),
            limits: Limits::DEFAULT,
        }
    }
}

impl ReceiverConfig {
    /// The smallest and the largest HTTP/2 window (RFC 9113, 6.9.2) that make sense here.
    const WINDOWS: (u32, u32) = (65_535, (1 << 31) - 1);

    /// As good as for ever, and far from where adding it to a point in time would overflow.
    const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

    /// Every field within its range.
    pub(crate) fn clamped(mut self) -> ReceiverConfig {
        self.max_request_bytes = self.max_request_bytes.min((1 << 31) - 1);
        self.max_connections = self.max_connections.max(1);
        self.max_streams_per_connection = self.max_streams_per_connection.max(1);
        self.max_header_list_bytes = self.max_header_list_bytes.clamp(8 * 1024, 16 << 20);
        for time in [
            &mut self.header_timeout,
            &mut self.body_timeout,
            &mut self.idle_timeout,
            &mut self.keepalive_timeout,
        ] {
            *time = (*time).min(Self::LONGEST);
        }
        self.keepalive_interval =
            self.keepalive_interval.map(|t| t.clamp(Duration::from_secs(1), Self::LONGEST));
        self.keepalive_timeout = self.keepalive_timeout.max(Duration::from_millis(100));
        self.stream_window_bytes = self.stream_window_bytes.clamp(Self::WINDOWS.0, Self::WINDOWS.1);
        self.connection_window_bytes = self.connection_window_bytes.clamp(Self::WINDOWS.0, Self::WINDOWS.1);
        self.max_frame_bytes = self.max_frame_bytes.clamp(1 << 14, (1 << 24) - 1);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards that absurd values are harmless, and that the defaults are what they say.
    #[test]
    fn values_are_moved_into_their_ranges() {
        let default = ReceiverConfig::default();
        assert_eq!(default.clone().clamped(), default);
        let mut absurd = default;
        absurd.max_request_bytes = usize::MAX;
        absurd.max_connections = 0;
        absurd.max_header_list_bytes = 0;
        absurd.max_frame_bytes = u32::MAX;
        absurd.stream_window_bytes = 0;
        absurd.idle_timeout = Duration::MAX;
        absurd.keepalive_interval = Some(Duration::ZERO);
        let clamped = absurd.clamped();
        assert_eq!((clamped.max_request_bytes, clamped.max_connections), ((1 << 31) - 1, 1));
        assert_eq!((clamped.max_header_list_bytes, clamped.max_frame_bytes), (8192, (1 << 24) - 1));
        assert_eq!(clamped.stream_window_bytes, 65_535);
        assert_eq!(clamped.idle_timeout, Duration::from_secs(31_536_000));
        assert_eq!(clamped.keepalive_interval, Some(Duration::from_secs(1)));
    }
}
