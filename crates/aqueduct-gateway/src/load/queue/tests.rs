//! The generator's queue: due times, retries, expiry.

use super::*;

fn plan(items: u64) -> Rc<Plan> {
    let now = Instant::now();
    Rc::new(Plan {
        producer: 3,
        items,
        backoff: Backoff { initial: Duration::from_millis(100), cap: Duration::from_secs(5) },
        expiry: Duration::from_secs(10),
        timeout: Duration::from_secs(5),
        end: Cell::new(now + Duration::from_secs(60)),
        remaining: Cell::new(u64::MAX),
        next_sequence: Cell::new(0),
        stats: Arc::default(),
    })
}

const SECOND: Duration = Duration::from_secs(1);

/// Guards the closed loop: a request that waits for its retry keeps its place, so there are never more clients than ordered.
#[test]
fn a_waiting_request_keeps_its_place_in_a_closed_loop() {
    let plan = plan(2);
    let mut queue = Queue::new(Rc::clone(&plan), None, 2, 1);
    let now = Instant::now();
    let first = queue.next(now).expect("a place");
    let second = queue.next(now).expect("a place");
    assert_eq!((first.first, second.first), (0, 2));
    assert!(queue.next(now).is_none() && !queue.is_due(now));
    queue.settle(first, Attempt::Refused { after: None }, now);
    assert!(!queue.is_due(now), "its retry is not due yet and its place is taken");
    let again = queue.next(now + SECOND).expect("its retry");
    assert_eq!(again.first, 0);
    queue.settle(again, Attempt::Acknowledged, now + SECOND);
    assert_eq!(queue.next(now + SECOND).expect("a free place").first, 4);
    let stats = plan.stats();
    assert_eq!((stats.offered, stats.acknowledged, stats.retries, stats.refusals), (3, 1, 1, 1));
    assert_eq!(stats.census.ranges()[&3], [(0, 1)]);
}

/// Guards the open loop: refusals do not slow the schedule down, and latency counts from the intended time.
#[test]
fn an_open_loop_does_not_wait_for_retries() {
    let plan = plan(1);
    let now = Instant::now();
    let mut queue = Queue::new(Rc::clone(&plan), Some(Schedule::new(now, 10.0, 0, 1)), 1, 1);
    let first = queue.next(now).expect("due at once");
    assert!(!queue.is_due(now + SECOND), "one in flight at most");
    queue.settle(first, Attempt::Refused { after: Some(5 * SECOND) }, now + SECOND);
    let late = queue.next(now + SECOND).expect("the second request, due 0.9 s ago");
    assert_eq!(late.first, 1);
    queue.settle(late, Attempt::Acknowledged, now + SECOND);
    let latency = plan.stats().latency.max();
    assert!((Duration::from_millis(895)..Duration::from_millis(905)).contains(&latency), "{latency:?}");
    assert!(queue.retry_at().expect("the first request waits") >= now + 6 * SECOND);
}

/// Guards the accounting: what expires after refusals is refused, what may have arrived is unanswered, and nothing is counted twice.
#[test]
fn expiry_tells_refused_from_unanswered() {
    let plan = plan(1);
    let mut queue = Queue::new(Rc::clone(&plan), None, 3, 1);
    let now = Instant::now();
    let jobs: Vec<Job> = std::iter::from_fn(|| queue.next(now)).collect();
    assert_eq!(jobs.len(), 3);
    let too_late = Attempt::Refused { after: Some(11 * SECOND) };
    queue.settle(jobs[0], too_late, now);
    queue.settle(jobs[1], Attempt::Unknown, now);
    queue.settle(jobs[2], Attempt::Unsent, now);
    assert_eq!(plan.stats().refused, 1);
    let again = queue.next(now + SECOND).expect("a retry");
    let other = queue.next(now + SECOND).expect("a retry");
    queue.settle(again, too_late, now + SECOND);
    queue.settle(other, too_late, now + SECOND);
    let stats = plan.stats();
    assert_eq!((stats.offered, stats.refused, stats.unanswered), (3, 2, 1));
}

/// Guards the end of a run: nothing new begins, retries are still seen through, a request that never got back to the server
/// expires, and what the schedule could not place is reported.
#[test]
fn the_end_of_a_run() {
    let plan = plan(1);
    let now = Instant::now();
    let mut queue = Queue::new(Rc::clone(&plan), Some(Schedule::new(now, 1000.0, 0, 1)), 1, 1);
    let job = queue.next(now).expect("due at once");
    plan.end.set(now + SECOND);
    queue.settle(job, Attempt::Refused { after: Some(2 * SECOND) }, now);
    let after = now + SECOND + LAST_TICK;
    assert!(!queue.is_due(after) && queue.next(after).is_none());
    assert!(!queue.is_finished(after));
    assert_eq!(queue.backlog(after), 999);
    queue.expire_waiting(Some(after));
    assert!(!queue.is_finished(after), "its time is not over");
    queue.expire_waiting(Some(now + 10 * SECOND));
    assert!(queue.is_finished(after));
    assert_eq!(plan.stats().refused, 1);
}

/// Guards a run of a given number of requests: it ends with the last outcome, and retries do not count as requests.
#[test]
fn a_number_of_requests() {
    let plan = plan(1);
    plan.remaining.set(2);
    let now = Instant::now();
    let mut queue = Queue::new(Rc::clone(&plan), None, 8, 1);
    let jobs: Vec<Job> = std::iter::from_fn(|| queue.next(now)).collect();
    assert_eq!(jobs.len(), 2);
    queue.settle(jobs[0], Attempt::Acknowledged, now);
    queue.settle(jobs[1], Attempt::Refused { after: None }, now);
    assert!(!queue.is_finished(now));
    let again = queue.next(now + SECOND).expect("its retry");
    queue.settle(again, Attempt::Acknowledged, now + SECOND);
    assert!(queue.is_finished(now + SECOND) && queue.next(now + SECOND).is_none());
}
