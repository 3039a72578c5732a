//! The `file` exporter: OTLP JSON lines (the OTLP file format: one request a line).

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use aqueduct::pipeline::{Attempt, Exporter};
use aqueduct::transport::{Failure, FailureKind, Outcome, Request};
use aqueduct::wire::json;
use bytes::{Bytes, BytesMut};

/// Appends each batch to a file as one line of OTLP/JSON.
#[derive(Debug)]
pub(crate) struct FileExporter {
    path: PathBuf,
    file: Arc<Mutex<File>>,
}

impl FileExporter {
    /// Opens the file and creates it if need be; what it holds is kept with `append` and cleared without.
    pub(crate) fn open(path: &Path, append: bool) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        if !append {
            file.set_len(0)?;
        }
        Ok(Self { path: path.to_owned(), file: Arc::new(Mutex::new(file)) })
    }
}

impl Exporter for FileExporter {
    fn send<'a>(&'a self, request: &'a Request) -> Attempt<'a> {
        let file = Arc::clone(&self.file);
        let (signal, bytes) = (request.signal(), joined(request.pieces()));
        Box::pin(async move {
            // Off the worker's thread: a slow disk must not hold up the other destinations.
            let written = tokio::task::spawn_blocking(move || {
                let mut line = Vec::new();
                json::write_line(signal, &bytes, &mut line)?;
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                append_whole(&mut file, &line)
            });
            match written.await {
                Ok(Ok(())) => Outcome::Delivered,
                Ok(Err(error)) => self.failed(&error.to_string()),
                Err(error) => self.failed(&error.to_string()),
            }
        })
    }
}

impl FileExporter {
    fn failed(&self, error: &str) -> Outcome {
        let failure = Failure::new(FailureKind::Io, format!("{}: {error}", self.path.display()));
        Outcome::Retry { after: None, failure }
    }
}

/// Writes a line or, when the disk is full half-way, takes back what was written: a retry must not leave a torn line.
fn append_whole(file: &mut File, line: &[u8]) -> io::Result<()> {
    let before = file.metadata()?.len();
    file.write_all(line).inspect_err(|_| {
        // If this fails too, the error of the write is the one to tell.
        let _ = file.set_len(before);
    })
}

fn joined(pieces: &[Bytes]) -> Bytes {
    if let [piece] = pieces {
        return piece.clone();
    }
    let mut joined = BytesMut::with_capacity(pieces.iter().map(Bytes::len).sum());
    for piece in pieces {
        joined.extend_from_slice(piece);
    }
    joined.freeze()
}
