//! From a name and a port to a TCP connection.

use std::io;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::Dial;
use super::race::race;
use crate::failure::Failure;

impl Dial {
    /// Looks the name up anew, since whoever moved a service changed its name's addresses, and connects to the first of
    /// the addresses that answers. Each connection prefers another one. If the lookup fails, the addresses of the
    /// last one are better than none: a name service may be out of order while the peer is not.
    pub(super) async fn connect_tcp(&self, deadline: Instant) -> Result<TcpStream, Failure> {
        let known = self.addresses.known();
        let patience = match known.is_empty() {
            true => deadline,
            // A name service that hangs leaves time for what it said last.
            false => deadline - deadline.saturating_duration_since(Instant::now()) / 2,
        };
        let found = match timeout_at(patience, self.resolver.resolve(&self.host, self.port)).await {
            Err(_) if known.is_empty() => return Err(self.failure("the name lookup timed out")),
            Ok(Err(error)) if known.is_empty() => return Err(self.failure(&error.to_string())),
            Err(_) | Ok(Err(_)) => known,
            Ok(Ok(found)) if found.is_empty() => return Err(self.failure("the name has no address")),
            Ok(Ok(found)) => found,
        };
        let addresses = self.addresses.plan(&found);
        let connect = async |address| {
            let stream = TcpStream::connect(address).await?;
            self.tune(&stream)?;
            Ok(stream)
        };
        match race(&addresses, deadline, connect).await {
            Ok(won) => {
                // Whoever lets packets vanish costs every connection a quarter of a second.
                let failed = won.failed.iter().map(|failed| failed.address);
                failed.chain(won.overtaken).for_each(|address| self.addresses.failed(address));
                Ok(won.stream)
            }
            Err(failed) => {
                failed.iter().for_each(|failed| self.addresses.failed(failed.address));
                self.addresses.all_failed();
                let reasons: Vec<String> =
                    failed.iter().map(|failed| format!("{}: {}", failed.address, failed.reason)).collect();
                Err(self.failure(&reasons.join("; ")))
            }
        }
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
    use std::net::SocketAddr;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use tokio::net::TcpListener;

    use super::super::{Resolve, Resolving, System};
    use super::*;
    use crate::config::{ClientConfig, Protocol};
    use crate::failure::FailureKind;

    fn dial(host: &str, port: u16) -> Dial {
        let config = ClientConfig::new(format!("http://{host}:{port}"), Protocol::HttpProtobuf);
        let place = crate::endpoint::Endpoint::http(&config.endpoint).expect("valid");
        let resolver = Arc::new(System) as Arc<dyn Resolve>;
        Dial::new(&config, &place, super::super::HTTP1, &resolver, &Arc::default()).expect("valid")
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

    /// A resolver that never answers.
    #[derive(Debug)]
    struct Silent;

    impl Resolve for Silent {
        fn resolve<'a>(&'a self, _: &'a str, _: u16) -> Resolving<'a> {
            Box::pin(std::future::pending())
        }
    }

    /// Guards the connect time-out against a name service that does not answer.
    #[tokio::test(start_paused = true)]
    async fn a_lookup_ends_in_time() {
        let dial = Dial { resolver: Arc::new(Silent), ..dial("collectors", 4317) };
        let started = Instant::now();
        let failure = dial.connect_tcp(started + dial.timeout).await.expect_err("no answer");
        assert_eq!(failure.message, "collectors:4317: the name lookup timed out");
        assert_eq!(started.elapsed(), dial.timeout);
    }

    /// A resolver that answers once.
    #[derive(Debug)]
    struct Once(Mutex<Option<SocketAddr>>);

    impl Resolve for Once {
        fn resolve<'a>(&'a self, _: &'a str, _: u16) -> Resolving<'a> {
            let answer = self.0.lock().expect("no panic").take();
            Box::pin(async move {
                match answer {
                    Some(address) => Ok(vec![address]),
                    None => std::future::pending().await,
                }
            })
        }
    }

    /// Guards against a name service that hangs while the peer is well: it has half of the time, and the rest is for the addresses it told last.
    #[tokio::test]
    async fn what_a_name_service_said_last_is_good_enough() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let once = Once(Mutex::new(Some(listener.local_addr().expect("bound"))));
        let dial = Dial { resolver: Arc::new(once), ..dial("collectors", 4317) };
        let connect = async || dial.connect_tcp(Instant::now() + Duration::from_millis(200)).await;
        assert!(connect().await.is_ok());
        assert!(connect().await.is_ok(), "nobody answers any more");
    }

    /// In the list, it stands for a lookup that fails.
    const NAME_SERVICE_DOWN: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);

    /// A resolver that answers from a list that the test changes.
    #[derive(Debug)]
    struct List(Mutex<Vec<SocketAddr>>);

    impl Resolve for List {
        fn resolve<'a>(&'a self, host: &'a str, _: u16) -> Resolving<'a> {
            assert_eq!(host, "collectors");
            Box::pin(async {
                match self.0.lock().expect("no panic").clone() {
                    list if list.contains(&NAME_SERVICE_DOWN) => Err(io::Error::other("no name service")),
                    list => Ok(list),
                }
            })
        }
    }

    /// Guards the spread over all addresses, the lookup at every connect and what happens without one, and that a
    /// refusing address costs nothing.
    #[tokio::test]
    async fn all_addresses_are_used() {
        let mut listeners = Vec::new();
        for _ in 0..2 {
            listeners.push(TcpListener::bind("127.0.0.1:0").await.expect("a free port"));
        }
        let closed = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let mut addresses: Vec<SocketAddr> =
            listeners.iter().map(|listener| listener.local_addr().expect("bound")).collect();
        addresses.push(closed.local_addr().expect("bound"));
        drop(closed);
        let list = Arc::new(List(Mutex::new(vec![NAME_SERVICE_DOWN])));
        let dial = Dial { resolver: list.clone(), ..dial("collectors", 4317) };
        let connect = async || {
            let stream = dial.connect_tcp(Instant::now() + dial.timeout).await;
            stream.map(|stream| stream.peer_addr().expect("connected"))
        };
        assert!(connect().await.expect_err("nothing is known").message.contains("no name service"));
        list.0.lock().expect("no panic").clone_from(&addresses);
        let mut reached = Vec::new();
        for _ in 0..6 {
            reached.push(connect().await.expect("two listen"));
        }
        for address in &addresses[..2] {
            assert!(reached.iter().filter(|reached| *reached == address).count() >= 2, "{reached:?}");
        }
        *list.0.lock().expect("no panic") = vec![addresses[0]];
        assert_eq!(connect().await.expect("it listens"), addresses[0]);
        *list.0.lock().expect("no panic") = vec![NAME_SERVICE_DOWN];
        assert_eq!(connect().await.expect("it is known"), addresses[0]);
        *list.0.lock().expect("no panic") = vec![addresses[2]];
        let failure = connect().await.expect_err("nobody listens");
        assert!(failure.message.contains(&addresses[2].to_string()), "{failure}");
        list.0.lock().expect("no panic").clear();
        assert!(connect().await.expect_err("no address").message.contains("no address"));
    }
}
