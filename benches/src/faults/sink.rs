//! The sink: takes requests, does with each what the script says, and counts the spans it has.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aqueduct_receiver::{
    Accept, Answer, Entry, Incoming, ReceiveBudget, ReceiverConfig, Reply, Server, Shutdown, ShutdownTrigger,
};
use aqueduct_wire::Chunk;
use aqueduct_wire::rpc::{Code, Status};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::sleep;

use super::door::Door;
use super::ids::Uniques;
use super::script::{Act, Director, Script};
use crate::Failure;

/// How far into the bytes that follow a reset comes: within a body of 512 spans.
const RESET_AFTER: usize = 20_000;

/// What a sink has counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Requests that arrived whole.
    pub requests: u64,
    /// Requests that were taken.
    pub taken: u64,
    /// Different spans taken.
    pub unique: u64,
    /// Spans taken that had been taken before.
    pub duplicates: u64,
    /// Spans whose id no producer has made.
    pub foreign: u64,
    /// What was done to how many requests, but for those that were taken and answered at once.
    pub faults: BTreeMap<String, u64>,
    /// Second by second since the beginning.
    pub seconds: Vec<Second>,
}

/// What one second brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Second {
    /// Requests that arrived whole.
    pub requests: u64,
    /// Requests that were taken.
    pub taken: u64,
}

/// Everything that requests change.
#[derive(Debug)]
struct Desk {
    director: Director,
    uniques: Uniques,
    tally: Tally,
    /// When the application began.
    began: Option<Instant>,
}

struct Sink {
    desk: Mutex<Desk>,
    door: Door,
    going_away: GoingAway,
}

/// Tells the connections of now to go, and later ones not.
#[derive(Clone)]
struct GoingAway(Arc<Mutex<(ShutdownTrigger, Shutdown)>>);

impl GoingAway {
    fn new() -> GoingAway {
        GoingAway(Arc::new(Mutex::new(ShutdownTrigger::new())))
    }

    fn current(&self) -> Shutdown {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    fn send(&self) {
        let mut pair = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *pair, ShutdownTrigger::new()).0.shut_down();
    }
}

impl Sink {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the door for a while.
    fn down_for(&self, time: Duration) {
        let door = self.door.clone();
        door.set_open(false);
        tokio::spawn(async move {
            sleep(time).await;
            door.set_open(true);
        });
    }
}

impl Desk {
    /// Decides about a request and counts it.
    fn take(&mut self, chunk: &Chunk) -> Act {
        let at = self.began.map_or(Duration::ZERO, |began| began.elapsed());
        let act = self.director.next(at);
        let second = at.as_secs() as usize;
        if second >= self.tally.seconds.len() {
            self.tally.seconds.resize(second + 1, Second::default());
        }
        self.tally.requests += 1;
        self.tally.seconds[second].requests += 1;
        if let Some(name) = act.name() {
            *self.tally.faults.entry(name.to_owned()).or_default() += 1;
        }
        if act.takes() {
            self.tally.taken += 1;
            self.tally.seconds[second].taken += 1;
            let spans = chunk.traces().into_iter().flat_map(|traces| traces.resource_spans());
            for scope in spans.flat_map(|resource| resource.scope_spans()) {
                for span in scope.spans() {
                    self.uniques.note(span.span_id());
                }
            }
        }
        act
    }
}

impl Accept for Sink {
    fn accept(&self, incoming: Incoming) -> Reply {
        let act = self.desk().take(&incoming.chunk);
        match act {
            Act::Take(Duration::ZERO) => Answer::Accepted.into(),
            Act::Take(after) => Reply::Later(Box::pin(async move {
                sleep(after).await;
                Answer::Accepted
            })),
            Act::Unavailable => Answer::Status(Status::new(Code::Unavailable, "not now")).into(),
            Act::Exhausted(delay) => {
                let status = Status::new(Code::ResourceExhausted, "too much").with_retry_delay(delay);
                Answer::Status(status).into()
            }
            Act::ServiceUnavailable(delay) => {
                let message = "the proxy knows no backend".to_owned();
                Answer::Http { status: 503, retry_after: Some(delay), message }.into()
            }
            Act::Swallow => Reply::Later(Box::pin(std::future::pending())),
            Act::ResetLater => {
                self.door.reset_after(RESET_AFTER);
                Answer::Accepted.into()
            }
            Act::Down(time) => {
                self.down_for(time);
                Answer::Disconnect.into()
            }
            Act::GoAway => {
                self.going_away.send();
                Answer::Accepted.into()
            }
        }
    }
}

/// Serves until standard input says `end` or ends. `begin` there is when the application begins.
pub(super) fn run(script: Script) -> Result<Tally, Failure> {
    Builder::new_current_thread().enable_all().build()?.block_on(serve(script))
}

async fn serve(script: Script) -> Result<Tally, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let door = Door::before(listener.local_addr()?)?;
    let desk = Desk {
        director: Director::new(script.clone()),
        uniques: Uniques::default(),
        tally: Tally::default(),
        began: None,
    };
    let going_away = GoingAway::new();
    let sink = Arc::new(Sink { desk: Mutex::new(desk), door: door.clone(), going_away: going_away.clone() });
    let budget = ReceiveBudget::new(1 << 30);
    let server = Server::new(ReceiverConfig::default(), budget, Arc::clone(&sink) as Arc<dyn Accept>);
    tokio::spawn(async move {
        while let Ok((stream, peer)) = listener.accept().await {
            let shutdown = going_away.current();
            tokio::spawn(server.serve_connection_until(stream, peer, Entry::Http, shutdown));
        }
    });
    super::say(&door.address)?;
    let mut lines = standard_input();
    while let Some(line) = lines.recv().await {
        match line.as_str() {
            "begin" => {
                sink.desk().began = Some(Instant::now());
                if let Some((from, until)) = script.down {
                    tokio::spawn(outage(door.clone(), from, until));
                }
            }
            "end" => break,
            other => return Err(format!("`{other}` is neither `begin` nor `end`").into()),
        }
    }
    let desk = sink.desk();
    let Uniques { unique, duplicates, foreign, .. } = desk.uniques;
    Ok(Tally { unique, duplicates, foreign, ..desk.tally.clone() })
}

async fn outage(door: Door, from: f64, until: f64) {
    sleep(Duration::from_secs_f64(from)).await;
    door.set_open(false);
    sleep(Duration::from_secs_f64(until - from)).await;
    door.set_open(true);
}

/// Lines of standard input, which only a thread can wait for.
fn standard_input() -> UnboundedReceiver<String> {
    let (sender, lines) = unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}
