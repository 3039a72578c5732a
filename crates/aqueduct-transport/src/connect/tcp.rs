//! From a name and a port to a TCP connection.

use std::io;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout, timeout_at};

use super::Dial;
use crate::failure::Failure;

impl Dial {
    /// Looks the name up anew, since whoever moved a service changed its name's addresses, and tries every address
    /// until one answers. An address that swallows our packets gets no more than its share of the time.
    pub(super) async fn connect_tcp(&self, deadline: Instant) -> Result<TcpStream, Failure> {
        let addresses = match timeout_at(deadline, lookup_host((self.host.as_str(), self.port))).await {
            Err(_) => return Err(self.failure("the name lookup timed out")),
            Ok(Err(error)) => return Err(self.failure(&error.to_string())),
            Ok(Ok(addresses)) => addresses.collect::<Vec<_>>(),
        };
        let mut last = "the name has no address".to_owned();
        for (tried, address) in addresses.iter().enumerate() {
            let left = deadline.saturating_duration_since(Instant::now());
            // There is at least this one address left, and never more than a u32 can count.
            let share = left / u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
            match timeout(share, TcpStream::connect(address)).await {
                Err(_) => last = format!("{address} did not answer in {share:.1?}"),
                Ok(Err(error)) => last = format!("{address}: {error}"),
                Ok(Ok(stream)) => match self.tune(&stream) {
                    Err(error) => last = format!("{address}: {error}"),
                    Ok(()) => return Ok(stream),
                },
            }
        }
        Err(self.failure(&last))
    }

    fn tune(&self, stream: &TcpStream) -> io::Result<()> {
        // Nagle's algorithm holds the end of a request back until the peer has acknowledged its beginning: 40 ms.
        stream.set_nodelay(true)?;
        if let Some(idle) = self.tcp_keepalive {
            SockRef::from(stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(idle))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::net::TcpListener;

    use super::*;
    use crate::failure::FailureKind;

    fn dial(host: &str, port: u16) -> Dial {
        let timeout = Duration::from_secs(5);
        Dial { host: host.to_owned(), port, timeout, tcp_keepalive: Some(Duration::from_secs(30)) }
    }

    /// Guards the options whose lack shows only in production: 40 ms on every request, and connections that a
    /// firewall forgot.
    #[tokio::test]
    async fn sockets_are_tuned() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let dial = dial("127.0.0.1", listener.local_addr().expect("bound").port());
        let stream = dial.connect_tcp(Instant::now() + dial.timeout).await.expect("listening");
        assert!(stream.nodelay().expect("an option"));
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().expect("an option"));
        #[cfg(target_os = "linux")]
        assert_eq!(socket.tcp_keepalive_time().expect("an option"), Duration::from_secs(30));
    }

    /// Guards the connect time-out, whether the address is a hole or the time is already up.
    #[tokio::test]
    async fn connecting_ends_in_time() {
        let started = Instant::now();
        // TEST-NET-1 of RFC 5737: nobody is there, or there is no route.
        let failure = dial("192.0.2.1", 4317)
            .connect_tcp(started + Duration::from_millis(200))
            .await
            .expect_err("nobody");
        assert_eq!(failure.kind, FailureKind::Connect);
        assert_eq!(failure.message.matches("192.0.2.1:4317").count(), 1, "{failure}");
        assert!(started.elapsed() < Duration::from_secs(3));
    }
}
