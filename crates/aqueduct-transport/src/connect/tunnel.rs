//! A tunnel through an HTTP proxy: CONNECT (RFC 9110 section 9.3.6).

use std::fmt;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::endpoint::Endpoint;

/// Longest head of an answer to CONNECT, in bytes.
const MAX_HEAD: usize = 16 << 10;

/// What to ask a proxy for.
#[derive(Clone)]
pub(super) struct Tunnel {
    target: String,
    request: Vec<u8>,
}

impl Tunnel {
    /// A tunnel to this place. `authorization` is the value of the header `proxy-authorization`.
    pub(super) fn new(place: &Endpoint, authorization: Option<String>) -> Self {
        let host = if place.host.contains(':') { format!("[{}]", place.host) } else { place.host.clone() };
        let target = format!("{host}:{}", place.port);
        let authorization = authorization
            .map_or_else(String::new, |authorization| format!("proxy-authorization: {authorization}\r\n"));
        let request = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n{authorization}\r\n");
        Self { target, request: request.into_bytes() }
    }

    /// Where it leads: `host:port`.
    pub(super) fn target(&self) -> &str {
        &self.target
    }

    /// Opens it on a connection to the proxy. The error says in words what went wrong.
    pub(super) async fn open(&self, proxy: &mut TcpStream) -> Result<(), String> {
        let lost = |error| format!("the connection to the proxy failed: {error}");
        proxy.write_all(&self.request).await.map_err(lost)?;
        let mut head = Vec::new();
        let mut room = vec![0; 1024];
        // What follows the head comes from the peer, which may speak first: it stays in the socket.
        loop {
            let seen = proxy.peek(&mut room).await.map_err(lost)?;
            if seen == 0 {
                return Err("the proxy closed the connection without a complete answer".to_owned());
            }
            let before = head.len();
            head.extend_from_slice(&room[..seen]);
            let end = end_of_head(&head, before);
            let mine = end.map_or(seen, |end| end - before);
            proxy.read_exact(&mut room[..mine]).await.map_err(lost)?;
            if let Some(end) = end {
                return verdict(&head[..end]);
            }
            if head.len() > MAX_HEAD {
                return Err(format!("the proxy's answer has a head of more than {MAX_HEAD} bytes"));
            }
        }
    }
}

/// Where the head ends, of which the first `known` bytes are known not to be all.
fn end_of_head(head: &[u8], known: usize) -> Option<usize> {
    const END: &[u8] = b"\r\n\r\n";
    let from = known.saturating_sub(END.len() - 1);
    head[from..].windows(END.len()).position(|window| window == END).map(|at| from + at + END.len())
}

/// What the answer means.
fn verdict(head: &[u8]) -> Result<(), String> {
    let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|&byte| byte == b' ');
    let version = words.next().unwrap_or_default();
    let status = words.next().and_then(|status| std::str::from_utf8(status).ok()?.parse::<u16>().ok());
    let (true, Some(status)) = (version.starts_with(b"HTTP/1."), status) else {
        return Err("what answers at the proxy's address does not speak HTTP/1".to_owned());
    };
    let why = match status {
        200..=299 => return Ok(()),
        407 => "it wants other credentials: http://user:password@proxy",
        403 | 405 => "it allows no tunnel to this host and port",
        502..=504 => "it cannot reach the peer",
        _ => "it gave no reason known to us",
    };
    Err(format!("the proxy refused the tunnel with HTTP status {status}: {why}"))
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The request may hold a password.
        f.debug_struct("Tunnel").field("target", &self.target).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards an end that comes in two parts, wherever it is cut.
    #[test]
    fn the_end_is_found_across_reads() {
        let head = b"HTTP/1.1 200 OK\r\nvia: x\r\n\r\nPRI";
        for known in 0..head.len() - 4 {
            assert_eq!(end_of_head(head, known), Some(head.len() - 3), "{known}");
        }
        assert_eq!(end_of_head(&head[..head.len() - 4], 0), None);
    }

    /// Guards the meaning of what proxies answer.
    #[test]
    fn answers() {
        for answer in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.0 200\r\n\r\n", "HTTP/1.1 299 \r\n\r\n"] {
            assert_eq!(verdict(answer.as_bytes()), Ok(()), "{answer}");
        }
        for (answer, says) in [
            ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "credentials"),
            ("HTTP/1.1 403 Forbidden\r\n\r\n", "no tunnel"),
            ("HTTP/1.1 503 Busy\r\n\r\n", "cannot reach"),
            ("HTTP/1.1 302 Found\r\nlocation: http://elsewhere\r\n\r\n", "status 302"),
            ("HTTP/1.1 20x OK\r\n\r\n", "does not speak HTTP"),
            ("SSH-2.0-OpenSSH\r\n\r\n", "does not speak HTTP"),
            ("\r\n\r\n", "does not speak HTTP"),
        ] {
            let said = verdict(answer.as_bytes()).expect_err(answer);
            assert!(said.contains(says), "{answer}: {said}");
        }
    }
}
