//! The file format.

use crate::oracle::Request;
use aqueduct_wire::json::{JsonLines, LineErrorKind, write_line};
use aqueduct_wire::{Limits, Signal};
use std::io::{self, BufReader, Read};

const LOG: &str = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"severityText":"INFO"}]}]}]}"#;

/// Guards both directions: what was written reads as the same requests, in order, through a reader of small steps.
#[test]
fn what_was_written_is_read() {
    for signal in Signal::ALL {
        let requests: Vec<Request> = (0..20).map(|seed| Request::generate(signal, seed)).collect();
        let mut file = Vec::new();
        for request in &requests {
            write_line(signal, &request.encode(), &mut file).unwrap();
        }
        assert_eq!(file.iter().filter(|byte| **byte == b'\n').count(), requests.len());
        let lines = JsonLines::new(signal, BufReader::with_capacity(7, &file[..]), Limits::default());
        let read: Vec<Request> =
            lines.map(|chunk| Request::decode(signal, chunk.unwrap().bytes()).unwrap()).collect();
        assert!(read == requests, "{signal}");
    }
}

/// Guards the rest of a file from a bad line, and the number that says which it was.
#[test]
fn a_bad_line_costs_itself() {
    let file = format!("{LOG}\n\n  \r\nnot json\n{LOG}\n{{\"resourceLogs\":[1]}}\n{LOG}");
    let mut lines = JsonLines::new(Signal::Logs, file.as_bytes(), Limits::default());
    let mut seen = Vec::new();
    while let Some(line) = lines.next() {
        seen.push((lines.line(), line.is_ok()));
        if let Err(error) = line {
            assert_eq!(error.line(), lines.line());
            assert!(error.to_string().starts_with(&format!("line {}: ", lines.line())), "{error}");
        }
    }
    assert_eq!(seen, [(1, true), (4, false), (5, true), (6, false), (7, true)]);
}

/// Guards memory: a line beyond the limit is passed over without being held, and the next one is read. The limit itself is allowed, with and without an end.
#[test]
fn a_line_beyond_the_limit_is_passed_over() {
    let long = LOG.replace("INFO", &"x".repeat(100_000));
    let file = format!("{LOG}\n{long}\n{LOG}\n{long}");
    let lines =
        JsonLines::new(Signal::Logs, BufReader::with_capacity(100, file.as_bytes()), Limits::default());
    let lines: Vec<_> = lines.with_max_line_bytes(LOG.len()).collect();
    assert_eq!(lines.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true, false]);
    for error in lines.into_iter().filter_map(Result::err) {
        assert!(matches!(error.kind(), LineErrorKind::TooLong { limit } if *limit == LOG.len()), "{error}");
    }
    assert_eq!(
        JsonLines::new(Signal::Logs, LOG.as_bytes(), Limits::default())
            .with_max_line_bytes(LOG.len())
            .count(),
        1
    );
}

/// Guards the end by a failure: it is told once.
#[test]
fn a_failure_to_read_ends_it() {
    struct Failing;

    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("gone"))
        }
    }

    let source = BufReader::new(LOG.as_bytes().chain(&b"\n"[..]).chain(Failing));
    let lines: Vec<_> = JsonLines::new(Signal::Logs, source, Limits::default()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1].as_ref().unwrap_err().to_string(), "reading failed after line 1: gone");
}

/// Guards the limits of each line's request, and the writer against bytes that are none.
#[test]
fn limits_and_broken_bytes() {
    let limits = Limits::default().with_max_items(0);
    let error = JsonLines::new(Signal::Logs, LOG.as_bytes(), limits).next().unwrap().unwrap_err();
    assert!(matches!(error.kind(), LineErrorKind::Invalid(_)), "{error}");
    let mut file = Vec::new();
    assert!(write_line(Signal::Logs, b"\x0a\x05", &mut file).is_err());
    assert!(file.is_empty());
}
