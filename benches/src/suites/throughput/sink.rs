//! A sink that is no bottleneck: reads requests over HTTP/1.1, counts their bytes, and answers with success.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use crate::Failure;

/// Of one read: as much as a socket may have.
const ROOM: usize = 256 * 1024;
/// Heads of our requests are far shorter.
const LONGEST_HEAD: usize = 8 * 1024;
/// Each request gets this one.
pub(super) const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";

/// A sink with a thread for each connection, on the cores of the thread that started it. Dropped, it ends.
#[derive(Debug)]
pub(super) struct HttpSink {
    /// Where it listens.
    pub(super) address: SocketAddr,
    counts: Arc<Counts>,
    accepting: Option<JoinHandle<()>>,
}

/// Relaxed throughout: sums that are read when the senders have their answers.
#[derive(Debug, Default)]
struct Counts {
    bytes: AtomicU64,
    ends: AtomicBool,
}

impl HttpSink {
    pub(super) fn start() -> Result<HttpSink, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let counts = Arc::new(Counts::default());
        let shared = Arc::clone(&counts);
        let accepting = thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                if shared.ends.load(Ordering::Relaxed) {
                    return;
                }
                let counts = Arc::clone(&shared);
                // It ends with its client.
                thread::spawn(move || drop(serve(socket, &counts)));
            }
        });
        Ok(HttpSink { address, counts, accepting: Some(accepting) })
    }

    /// Bytes of bodies so far.
    pub(super) fn bytes(&self) -> u64 {
        self.counts.bytes.load(Ordering::Relaxed)
    }
}

impl Drop for HttpSink {
    fn drop(&mut self) {
        self.counts.ends.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts; if that is not possible it is left alone, and ends with the process.
        if TcpStream::connect(self.address).is_ok()
            && let Some(accepting) = self.accepting.take()
        {
            let _ = accepting.join();
        }
    }
}

fn serve(mut socket: TcpStream, counts: &Counts) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut room = vec![0; ROOM];
    let mut filled = 0;
    loop {
        let (head, length) = loop {
            if let Some(found) = head_of(&room[..filled])? {
                break found;
            }
            match socket.read(&mut room[filled..])? {
                0 => return Ok(()),
                read => filled += read,
            }
        };
        let there = (filled - head).min(length);
        room.copy_within(head + there..filled, 0);
        filled -= head + there;
        let mut left = length - there;
        while left > 0 {
            let most = left.min(ROOM);
            let read = socket.read(&mut room[..most])?;
            if read == 0 {
                return Ok(());
            }
            left -= read;
        }
        counts.bytes.fetch_add(length as u64, Ordering::Relaxed);
        socket.write_all(ANSWER)?;
    }
}

/// Where the head of a request ends and how long its body is; `None` if there is more to come.
fn head_of(bytes: &[u8]) -> io::Result<Option<(usize, usize)>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return if bytes.len() < LONGEST_HEAD { Ok(None) } else { Err(io::ErrorKind::InvalidData.into()) };
    };
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    Ok(Some((end + 4, length.ok_or(io::ErrorKind::InvalidData)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Guards the count, with requests large and small that arrive together and in pieces.
    #[test]
    fn bodies_are_counted() {
        let sink = HttpSink::start().unwrap();
        let mut client = TcpStream::connect(sink.address).unwrap();
        // A request that is overlooked is one whose answer never comes.
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        for length in [300_000, 10] {
            let before = sink.bytes();
            let head = format!("POST /v1/traces HTTP/1.1\r\nContent-Length: {length}\r\n\r\n");
            let request = [head.as_bytes(), &vec![7; length]].concat();
            client.write_all(&request.repeat(2)).unwrap();
            let (first, second) = request.split_at(30);
            client.write_all(first).unwrap();
            client.write_all(second).unwrap();
            let mut answers = vec![0; 3 * ANSWER.len()];
            client.read_exact(&mut answers).unwrap();
            assert_eq!(answers, ANSWER.repeat(3));
            assert_eq!(sink.bytes() - before, 3 * length as u64);
        }
    }

    /// Guards against a sink that counts nothing without saying so.
    #[test]
    fn a_request_without_a_length_is_an_error() {
        assert!(head_of(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
        assert_eq!(head_of(b"POST / HTTP/1.1\r\ncontent-length: 5").unwrap(), None);
        assert_eq!(head_of(b"POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\n12345").unwrap(), Some((38, 5)));
    }
}
