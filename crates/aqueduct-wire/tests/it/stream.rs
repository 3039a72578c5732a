//! Requests that arrive in pieces.

use crate::generate::Generator;
use crate::oracle::Request;
use aqueduct_wire::stream::{ReadError, ReadRecords, Records};
use aqueduct_wire::{Chunk, Invalid, InvalidKind, Limits, Signal, Summary, validate};
use bytes::Bytes;
use proptest::prelude::*;
use std::io::{self, Read};

/// Three requests one after the other, which is one request of several records.
fn body(signal: Signal, seed: u64) -> Vec<u8> {
    (0..3).flat_map(|n| Request::generate(signal, seed.wrapping_add(n)).encode()).collect()
}

/// Everything that comes out, or the first error.
fn stream(signal: Signal, limits: Limits, pieces: &[&[u8]]) -> Result<(Vec<Chunk>, Summary), Invalid> {
    let mut records = Records::new(signal, limits);
    let mut chunks = Vec::new();
    for piece in pieces {
        records.push(Bytes::copy_from_slice(piece));
        while let Some(chunk) = records.next_chunk()? {
            chunks.push(chunk);
        }
    }
    Ok((chunks, records.finish()?))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Guards the cutting: wherever the pieces end, the chunks are the same bytes in order, each valid by itself, and add up to what the
    /// whole holds.
    #[test]
    fn pieces_make_the_same_request(seed: u64, signal in prop::sample::select(&Signal::ALL[..]), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20)) {
        let body = body(signal, seed);
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len() + 1)).chain([0, body.len()]).collect();
        at.sort_unstable();
        let pieces: Vec<&[u8]> = at.windows(2).map(|ends| &body[ends[0]..ends[1]]).collect();
        let (chunks, summary) = stream(signal, Limits::NONE, &pieces).unwrap();
        prop_assert_eq!(summary, validate(signal, &body, &Limits::NONE).unwrap());
        for chunk in &chunks {
            prop_assert_eq!(validate(signal, chunk.bytes(), &Limits::NONE).unwrap().items, chunk.items());
        }
        let bytes: Vec<u8> = chunks.iter().flat_map(|chunk| chunk.bytes().to_vec()).collect();
        prop_assert_eq!(bytes, body);
    }

    /// Guards the verdict: a broken body is refused, in pieces as in one, and what came out before is its beginning.
    #[test]
    fn broken_bodies_are_refused_in_pieces_too(seed: u64, size in 1_usize..200, at: prop::sample::Index, bit in 0..8_u32) {
        let mut body = body(Signal::Traces, seed);
        if body.is_empty() {
            return Ok(());
        }
        let at = at.index(body.len());
        body[at] ^= 1 << bit;
        let pieces: Vec<&[u8]> = body.chunks(size).collect();
        match (stream(Signal::Traces, Limits::NONE, &pieces), validate(Signal::Traces, &body, &Limits::NONE)) {
            (Ok((_, summary)), Ok(whole)) => prop_assert_eq!(summary, whole),
            (Err(ours), Ok(_)) => prop_assert_eq!(ours.kind(), InvalidKind::Group),
            (Err(ours), Err(_)) => prop_assert!(ours.offset() <= body.len(), "{}", ours),
            (Ok(_), Err(whole)) => prop_assert!(false, "passes in pieces: {}", whole),
        }
    }
}

/// Guards that a record inside of one piece is a slice of it, and only the one across pieces is copied.
#[test]
fn whole_records_are_not_copied() {
    let record = Request::generate(Signal::Logs, 1).encode();
    let piece = Bytes::from([&record[..], &record[..], &record[..10]].concat());
    let mut records = Records::new(Signal::Logs, Limits::NONE);
    records.push(piece.clone());
    let first = records.next_chunk().unwrap().expect("two whole records");
    assert_eq!(first.bytes().as_ptr(), piece.as_ptr());
    assert_eq!(first.len(), 2 * record.len());
    assert!(records.next_chunk().unwrap().is_none());
    assert_eq!(records.held(), 10);
    records.push(Bytes::copy_from_slice(&record[10..]));
    assert_eq!(records.next_chunk().unwrap().expect("the third").bytes(), &record);
    assert_eq!(records.summary().records, records.finish().unwrap().records);
}

/// Guards memory against a peer that announces much and sends little: the length is held to the limit before anything is kept for it.
#[test]
fn an_announced_length_reserves_nothing() {
    let limits = Limits::default().with_max_record_bytes(1_000);
    // Field 1, length 1,001.
    let invalid = stream(Signal::Traces, limits, &[b"\x0a\xe9\x07"]).unwrap_err();
    assert_eq!(invalid.kind(), InvalidKind::RecordBytes);
    assert_eq!(invalid.limit().map(|limit| (limit.limit, limit.found)), Some((1_000, 1_001)));
    assert_eq!(invalid.to_string(), "record too long (1001, the limit is 1000) at byte 0");
    let (chunks, _) = stream(Signal::Traces, limits, &[b"\x0a\x02\x12", b"\x00"]).unwrap();
    assert_eq!(chunks.len(), 1);
}

/// Guards the sums with lengths that no body has, where no limit stops them.
#[test]
fn a_length_beyond_all_memory_is_waited_for_in_vain() {
    let pieces: [&[u8]; 2] = [b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff", b"\x01\x12\x00"];
    let invalid = stream(Signal::Traces, Limits::NONE, &pieces).expect_err("it ends too early");
    assert_eq!((invalid.kind(), invalid.offset()), (InvalidKind::Truncated, 13));
}

/// Guards the limits of the body as a whole: they count through all chunks, and the place and the numbers of an error are those of the whole, wherever
/// the pieces end.
#[test]
fn limits_and_places_are_those_of_the_whole() {
    let record = b"\x0a\x0a\x12\x08\x12\x06\x1a\x04INFO";
    let body = record.repeat(3);
    for size in 1..=body.len() {
        let pieces: Vec<&[u8]> = body.chunks(size).collect();
        for limits in [Limits::default().with_max_items(2), Limits::default().with_max_items(1)] {
            let invalid = stream(Signal::Logs, limits, &pieces).expect_err("too many");
            assert_eq!(invalid, validate(Signal::Logs, &body, &limits).expect_err("too many"), "{size}");
        }
        let invalid =
            stream(Signal::Logs, Limits::default().with_max_bytes(30), &pieces).expect_err("too long");
        let limit = invalid.limit().map(|limit| (limit.limit, limit.found));
        assert_eq!((invalid.kind(), invalid.offset(), limit), (InvalidKind::Bytes, 24, Some((30, 36))));
        assert_eq!(
            stream(Signal::Logs, Limits::default().with_max_bytes(36), &pieces).expect("fits").1.items,
            3
        );
    }
}

/// Guards memory: what goes beyond the length of the whole is refused when it is announced, not when it has been gathered; and a record across pieces
/// ends in a buffer of its size.
#[test]
fn nothing_is_gathered_beyond_the_limits() {
    let limits = Limits::default().with_max_bytes(100_000);
    let mut records = Records::new(Signal::Logs, limits);
    records.push(Bytes::from_static(b"\x0a\x80\x80\x40"));
    let invalid = records.next_chunk().expect_err("1 MiB is announced");
    assert_eq!((invalid.kind(), records.held()), (InvalidKind::Bytes, 0));

    let content = vec![0x08; 3 << 20];
    let head = [&b"\x0a\x80\x80\xc0\x01"[..], &content].concat();
    let mut records = Records::new(Signal::Logs, Limits::NONE);
    for piece in head.chunks(100_000) {
        records.push(Bytes::copy_from_slice(piece));
        if let Err(invalid) = records.next_chunk() {
            // Fields 1 of a record that are no resource: what was gathered is refused as a whole, at its end.
            assert_eq!(invalid.kind(), InvalidKind::WireType);
            return;
        }
        assert!(records.held() <= head.len());
    }
    panic!("the record is not valid");
}

/// Guards what is good from an error behind it in the same piece: what comes out does not depend on where the pieces end.
#[test]
fn whole_records_before_a_broken_head_come_out() {
    let body = [&b"\x0a\x0a\x12\x08\x12\x06\x1a\x04INFO".repeat(2)[..], b"\x07"].concat();
    for size in 1..=body.len() {
        let mut records = Records::new(Signal::Logs, Limits::NONE);
        let mut items = 0;
        let failure = body.chunks(size).find_map(|piece| {
            records.push(Bytes::copy_from_slice(piece));
            loop {
                match records.next_chunk() {
                    Ok(Some(chunk)) => items += chunk.items(),
                    Ok(None) => return None,
                    Err(invalid) => return Some(invalid),
                }
            }
        });
        assert_eq!((failure.map(|invalid| invalid.offset()), items), (Some(24), 2), "{size}");
    }
}

/// Guards the end: within a record, within its head, and after an error, which stays one.
#[test]
fn an_end_within_a_record_is_an_error() {
    for cut in [1, 2, 3, 11] {
        let invalid = stream(Signal::Logs, Limits::NONE, &[&b"\x0a\x0a\x12\x08\x12\x06\x1a\x04INFO"[..cut]])
            .unwrap_err();
        assert_eq!((invalid.kind(), invalid.offset()), (InvalidKind::Truncated, cut));
    }
    let mut records = Records::new(Signal::Logs, Limits::NONE);
    records.push(Bytes::from_static(b"\x07"));
    let invalid = records.next_chunk().unwrap_err();
    records.push(Bytes::from_static(b"\x0a\x00"));
    assert_eq!(records.next_chunk().unwrap_err(), invalid);
    assert_eq!(records.finish().unwrap_err(), invalid);
}

/// Gives a byte at a time, is interrupted between, and fails at the end if it should.
struct Dribble<'a>(&'a [u8], bool, bool);

impl Read for Dribble<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if self.0.is_empty() && self.2 {
            return Err(io::Error::other("gone"));
        }
        self.0.read(&mut buffer[..1])
    }
}

/// Guards the reader: any `io::Read`, its errors, and that it ends after one.
#[test]
fn a_reader_brings_the_same_chunks() {
    let body = body(Signal::Metrics, 5);
    let chunks: Result<Vec<Chunk>, ReadError> =
        ReadRecords::new(Signal::Metrics, Dribble(&body, false, false), Limits::NONE).collect();
    assert_eq!(chunks.unwrap().iter().flat_map(|chunk| chunk.bytes().to_vec()).collect::<Vec<_>>(), body);

    let mut failing = ReadRecords::new(Signal::Metrics, Dribble(&body, false, true), Limits::NONE);
    let error = failing.by_ref().find_map(Result::err).expect("the source fails");
    assert_eq!(error.to_string(), "the body could not be read: gone");
    assert!(failing.next().is_none());

    let mut cut = ReadRecords::new(Signal::Metrics, &body[..body.len() - 1], Limits::NONE);
    let error = cut.by_ref().find_map(Result::err).expect("it ends too early");
    assert!(matches!(error, ReadError::Invalid(_)), "{error}");
    assert!(cut.next().is_none());
}

/// Guards the asynchronous form, with a source that is not ready each time it is asked first.
#[cfg(feature = "stream")]
#[test]
fn a_stream_brings_the_same_chunks() {
    use aqueduct_wire::stream::{StreamError, StreamRecords};
    use core::pin::Pin;
    use core::task::{Context, Poll, Waker};
    use futures_core::Stream;

    struct Pieces(Vec<Result<Bytes, &'static str>>, bool);

    impl Stream for Pieces {
        type Item = Result<Bytes, &'static str>;

        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            self.1 = !self.1;
            if self.1 { Poll::Pending } else { Poll::Ready(self.0.pop()) }
        }
    }

    fn all<E>(mut stream: impl Stream<Item = Result<Chunk, E>> + Unpin) -> Vec<Result<Chunk, E>> {
        let mut cx = Context::from_waker(Waker::noop());
        let mut all = Vec::new();
        loop {
            match Pin::new(&mut stream).poll_next(&mut cx) {
                Poll::Ready(Some(item)) => all.push(item),
                Poll::Ready(None) => return all,
                Poll::Pending => {}
            }
        }
    }

    let body = body(Signal::Traces, 9);
    let pieces = || body.chunks(1_000).rev().map(|piece| Ok(Bytes::copy_from_slice(piece)));
    let chunks = all(StreamRecords::new(Signal::Traces, Pieces(pieces().collect(), false), Limits::NONE));
    let bytes: Vec<u8> = chunks.into_iter().flat_map(|chunk| chunk.unwrap().into_bytes().to_vec()).collect();
    assert_eq!(bytes, body);

    let broken = Pieces([Err("gone")].into_iter().chain(pieces()).collect(), false);
    let chunks = all(StreamRecords::new(Signal::Traces, broken, Limits::NONE));
    assert!(matches!(chunks.last(), Some(Err(StreamError::Source("gone")))));
    assert_eq!(chunks.iter().filter(|chunk| chunk.is_err()).count(), 1);
}

/// Guards bodies with fields that nobody knows between the records: they pass with what stands beside them.
#[test]
fn unknown_fields_at_the_top_pass_through() {
    let mut generator = Generator(1);
    // Field 99: a varint, eight bytes, four bytes, a string.
    let unknown: [&[u8]; 4] = [b"\x98\x06\x96\x01", b"\x99\x0612345678", b"\x9d\x061234", b"\x9a\x06\x02no"];
    let record = Request::generate(Signal::Logs, generator.next()).encode();
    let body: Vec<u8> = unknown.iter().flat_map(|field| [&record[..], field].concat()).collect();
    for size in 1..40 {
        let pieces: Vec<&[u8]> = body.chunks(size).collect();
        let (chunks, summary) = stream(Signal::Logs, Limits::NONE, &pieces).unwrap();
        assert_eq!(chunks.iter().flat_map(|chunk| chunk.bytes().to_vec()).collect::<Vec<_>>(), body);
        assert_eq!(Ok(summary), validate(Signal::Logs, &body, &Limits::NONE));
    }
}
