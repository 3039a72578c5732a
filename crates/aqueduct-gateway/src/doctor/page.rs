//! A page of `/metrics`, fetched and read.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// How long connecting, and each part of the answer, may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// A longer answer is none of a gateway's.
const LONGEST: u64 = 64 << 20;

/// One sample: a name, its labels, its value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample {
    pub(super) name: String,
    labels: Vec<(String, String)>,
    pub(super) value: f64,
}

impl Sample {
    /// The value of a label; empty without it.
    pub(super) fn label(&self, name: &str) -> &str {
        self.labels.iter().find(|(label, _)| label == name).map_or("", |(_, value)| value)
    }
}

/// Fetches `path` of the admin endpoint at this URL: status and body.
///
/// # Errors
/// In words, with what to do.
pub(super) fn fetch(url: &str, path: &str) -> Result<String, String> {
    let place = url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/');
    if place.contains("://") || place.contains('/') || place.is_empty() {
        return Err(format!("--url {url}: expected http://HOST:PORT, the address of an admin endpoint"));
    }
    let failed = |error: io::Error| {
        format!(
            "{url}: {error}: is a gateway running there? Its log says `admin listens on ..`, its configuration \
             `service.telemetry.metrics`"
        )
    };
    let (status, body) = ask(place, path).map_err(failed)?;
    if status == 200 {
        Ok(body)
    } else {
        Err(format!("{url}{path}: answered {status}: no gateway's admin endpoint"))
    }
}

fn ask(place: &str, path: &str) -> io::Result<(u16, String)> {
    let address = place.to_socket_addrs()?.next().ok_or(io::ErrorKind::NotFound)?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {place}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(LONGEST).read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| io::Error::other("no HTTP answer"))?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok((status.ok_or_else(|| io::Error::other("no HTTP answer"))?, body.to_owned()))
}

/// Reads Prometheus text (exposition format 0.0.4). Lines that are none of it are left out.
pub(super) fn samples(text: &str) -> Vec<Sample> {
    text.lines().filter(|line| !line.starts_with('#')).filter_map(sample).collect()
}

fn sample(line: &str) -> Option<Sample> {
    let name_ends = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(name_ends);
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            rest = rest.trim_start_matches([',', ' ']);
            if let Some(after) = rest.strip_prefix('}') {
                rest = after;
                break;
            }
            let (label, value) = rest.split_once("=\"")?;
            let (value, after) = quoted(value)?;
            labels.push((label.to_owned(), value));
            rest = after;
        }
    }
    let value = rest.split_ascii_whitespace().next()?.parse().ok()?;
    Some(Sample { name: name.to_owned(), labels, value })
}

/// The text up to the closing quote, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards values, labels and their escapes, and what is no sample.
    #[test]
    fn samples_are_read() {
        let text = "# HELP a_total Of {things}.\n# TYPE a_total counter\na_total 3\n\
                    b{x=\"1\",y=\"a \\\"b\\\\c\\nd}, e\"} +Inf\nc{} 2.5e3 1700000000\nbroken{x=\"1 4\nnone\nd x\n";
        let found = samples(text);
        assert_eq!(
            found.iter().map(|sample| sample.name.as_str()).collect::<Vec<_>>(),
            ["a_total", "b", "c"]
        );
        assert_eq!((found[0].value, found[1].value, found[2].value), (3.0, f64::INFINITY, 2_500.0));
        assert_eq!(
            (found[1].label("x"), found[1].label("y"), found[1].label("z")),
            ("1", "a \"b\\c\nd}, e", "")
        );
    }

    /// Guards a question that cannot be asked.
    #[test]
    fn an_address_is_needed() {
        for url in ["https://127.0.0.1:1", "http://127.0.0.1:1/metrics", "http://", ""] {
            let message = fetch(url, "/metrics").expect_err("no address");
            assert!(message.contains("expected http://HOST:PORT"), "{message}");
        }
    }
}
