//! The load on a service: connections that each have one request under way.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use crate::Failure;

/// What is to be asked of a service.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drive {
    /// Where it is.
    pub to: SocketAddr,
    /// How many connections.
    pub connections: u32,
    /// For so long.
    pub seconds: f64,
    /// Requests a second by the clock over all connections; without it each asks again when it is answered.
    pub rate: Option<f64>,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Driven {
    /// Requests that were answered.
    pub requests: u64,
    /// From the first request to the last answer.
    pub seconds: f64,
    /// Of the time from the intended one to the answer.
    pub p99_us: f64,
}

pub(super) fn run(drive: &Drive) -> Result<Driven, Failure> {
    Builder::new_current_thread().enable_all().build()?.block_on(all(*drive))
}

async fn all(drive: Drive) -> Result<Driven, Failure> {
    let mut connections = JoinSet::new();
    let start = Instant::now();
    for number in 0..drive.connections {
        connections.spawn(one(drive, start, number));
    }
    let mut times = Histogram::<u64>::new(3)?;
    while let Some(connection) = connections.join_next().await {
        times.add(connection??)?;
    }
    Ok(Driven {
        requests: times.len(),
        seconds: start.elapsed().as_secs_f64(),
        p99_us: times.value_at_quantile(0.99) as f64 / 1e3,
    })
}

/// Nanoseconds of each request.
async fn one(drive: Drive, start: Instant, number: u32) -> Result<Histogram<u64>, Failure> {
    let mut stream = TcpStream::connect(drive.to).await?;
    stream.set_nodelay(true)?;
    let mut times = Histogram::new(3)?;
    let end = Duration::from_secs_f64(drive.seconds);
    let (mut answer, mut length) = (vec![0; 16 * 1024], None);
    for turn in 0_u64.. {
        let due = match drive.rate {
            Some(rate) => {
                let place = turn * u64::from(drive.connections) + u64::from(number);
                let due = start + Duration::from_secs_f64(place as f64 / rate);
                sleep_until(due.into()).await;
                due
            }
            None => Instant::now(),
        };
        if due.duration_since(start) >= end {
            break;
        }
        let id = (turn * 7919 + u64::from(number)) % 100_000_000;
        let request = format!(
            "GET /orders/{id:08} HTTP/1.1\r\nhost: shop.example\r\nuser-agent: aqueduct-bench\r\naccept: */*\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut read = 0;
        while length.is_none_or(|length| read < length) {
            let more = stream.read(&mut answer[read..]).await?;
            if more == 0 {
                return Err("the service has closed a connection".into());
            }
            read += more;
            if length.is_none() {
                length = whole(&answer[..read])?;
            }
        }
        times.record(due.elapsed().as_nanos() as u64)?;
    }
    Ok(times)
}

/// How long an answer is, once its head is there; all have the same length.
fn whole(answer: &[u8]) -> Result<Option<usize>, Failure> {
    let text = String::from_utf8_lossy(answer);
    let Some((head, _)) = text.split_once("\r\n\r\n") else { return Ok(None) };
    if !head.starts_with("HTTP/1.1 200") {
        return Err(format!("the service answers {head:?}").into());
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.ok_or("an answer without a length")?.parse()?;
    Ok(Some(head.len() + 4 + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the only thing that is read of an answer.
    #[test]
    fn answers_have_a_length() {
        assert_eq!(whole(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n").unwrap(), None);
        assert_eq!(whole(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab").unwrap(), Some(43));
        assert!(whole(b"HTTP/1.1 500 Oh\r\n\r\n").is_err());
    }
}
