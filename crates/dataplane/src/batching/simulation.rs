//! The scheduler in virtual time: any order of arrivals, cancellations, passing time and ends of runs. What must
//! hold is said here a second time, by looking only at what went in and what came out.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test may panic

use super::*;
use crate::batching::rules::Shaping;
use proptest::prelude::*;
use std::collections::{BTreeMap, HashSet};

const VERSIONS: usize = 3;
const KINDS: u8 = 2;
const PATIENCE: Duration = Duration::from_millis(20);
/// More than any rule's timeout, and than the patience.
const LONG: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
enum Step {
    Add { version: usize, kind: u8, rows: usize },
    Cancel(prop::sample::Index),
    Finish(prop::sample::Index),
    Pass(Duration),
}

fn step() -> impl Strategy<Value = Step> {
    let add = (0..VERSIONS, 0..KINDS, 0..12_usize);
    prop_oneof![
        6 => add.prop_map(|(version, kind, rows)| Step::Add { version, kind, rows }),
        2 => any::<prop::sample::Index>().prop_map(Step::Cancel),
        3 => any::<prop::sample::Index>().prop_map(Step::Finish),
        2 => (0..30_000_u64).prop_map(|micros| Step::Pass(Duration::from_micros(micros))),
    ]
}

/// Rules as parameters or the adaptive mode may make them, and the sizes that are allowed.
fn rules() -> impl Strategy<Value = (Rules, Shaping)> {
    let numbers = (1..10_usize, 1..10_usize, 0..3_u64, 1..5_usize, 1..4_usize);
    (numbers, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |((large, small, timeout, batches_max, running_max), splits, adaptive, listed)| {
            let (request_max, batch_max) =
                (large.max(small), if splits { small.min(large) } else { large.max(small) });
            let takes_any_size = adaptive && !listed;
            let rules = Rules {
                request_rows_max: if takes_any_size { usize::MAX } else { request_max },
                batch_rows_max: batch_max,
                splits,
                timeout: if adaptive { Duration::ZERO } else { Duration::from_millis(5 * timeout) },
                batches_max: if adaptive { usize::MAX } else { batches_max },
                timely_max: if adaptive { 1 } else { running_max },
                running_max,
            };
            let allowed_sizes = if listed { vec![request_max.div_ceil(2), request_max] } else { Vec::new() };
            (rules, Shaping { allowed_sizes, pads_inner: false })
        },
    )
}

/// One request as the world knows it.
struct Request {
    version: usize,
    kind: u8,
    rows: usize,
    came: Instant,
    ticket: Ticket<(usize, u8)>,
    /// The first rows of its parts that ran, and their ends.
    ran: BTreeMap<usize, usize>,
    parts_ran: usize,
    cancelled_parts: usize,
}

struct Run {
    number: u64,
    version: usize,
    begun: Instant,
}

/// The scheduler, and what was asked of it and what it did.
struct World {
    scheduler: Scheduler<(usize, u8), usize>,
    threads: Threads,
    rules: Vec<(Rules, Shaping)>,
    now: Instant,
    requests: Vec<Request>,
    running: Vec<Run>,
    /// Batches of each other version that began while a version could have run one and did not.
    overtaken: Vec<[usize; VERSIONS]>,
    /// The last request of each queue that began.
    last_begun: BTreeMap<(usize, u8), usize>,
}

impl World {
    fn new(threads: usize, rules: Vec<(Rules, Shaping)>) -> Self {
        let threads = Threads { count: threads, patience: PATIENCE };
        Self {
            scheduler: Scheduler::new(threads),
            threads,
            rules,
            now: Instant::now(),
            requests: Vec::new(),
            running: Vec::new(),
            overtaken: vec![[0; VERSIONS]; VERSIONS],
            last_begun: BTreeMap::new(),
        }
    }

    fn play(&mut self, step: &Step) {
        match step {
            Step::Add { version, kind, rows } => self.add(*version, *kind, *rows),
            Step::Cancel(index) if !self.requests.is_empty() => self.cancel(index.index(self.requests.len())),
            Step::Finish(index) if !self.running.is_empty() => self.finish(index.index(self.running.len())),
            Step::Pass(time) => self.pass(*time),
            Step::Cancel(_) | Step::Finish(_) => {}
        }
        self.begin_all();
    }

    fn add(&mut self, version: usize, kind: u8, rows: usize) {
        let rules = self.rules[version].0;
        let payload = self.requests.len();
        let offer = Offer { version: version as u64, rules, kind: (version, kind), rows, payload };
        match self.scheduler.add(offer, self.now) {
            Ok(ticket) => self.requests.push(Request {
                version,
                kind,
                rows,
                came: self.now,
                ticket,
                ran: BTreeMap::new(),
                parts_ran: 0,
                cancelled_parts: 0,
            }),
            Err(Refusal::TooLarge { .. }) => assert!(rows > rules.request_rows_max),
            Err(Refusal::Full { batches, .. }) => assert!(batches >= rules.batches_max),
            Err(Refusal::TooLittleRoom { room, .. }) => assert!(rows.max(1) > room),
        }
        self.check_bounds(version, kind);
    }

    /// A queue never holds more rows than its batches may.
    fn check_bounds(&self, version: usize, kind: u8) {
        let rules = self.rules[version].0;
        let waiting =
            self.requests.iter().filter(|request| (request.version, request.kind) == (version, kind));
        let parts: usize = waiting.map(Request::parts_waiting).sum();
        assert!(parts <= rules.batches_max.saturating_mul(rules.batch_rows_max));
    }

    fn cancel(&mut self, index: usize) {
        let request = &mut self.requests[index];
        let waiting = request.parts_waiting();
        assert_eq!(self.scheduler.cancel(&request.ticket, self.now), waiting);
        request.cancelled_parts += waiting;
    }

    fn finish(&mut self, index: usize) {
        let run = self.running.swap_remove(index);
        self.scheduler.finish(run.number);
        self.scheduler.finish(run.number); // a second time changes nothing
    }

    /// Lets time pass as the live part does: it asks again whenever it was told to.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(wake) = self.scheduler.wake_at().filter(|wake| *wake <= end) {
            assert!(wake >= self.now, "told to wake in the past");
            let had = (self.running.len(), self.now);
            self.now = wake;
            self.begin_all();
            assert!((self.running.len(), self.now) != had, "told to wake for nothing, again and again");
        }
        self.now = end;
    }

    fn begin_all(&mut self) {
        while let Some(formed) = self.scheduler.next(self.now) {
            self.check_batch(&formed);
            self.begin(&formed);
        }
        self.check_nothing_idles();
    }

    fn check_batch(&self, formed: &Formed<(usize, u8), usize>) {
        let (version, kind) = *formed.kind;
        let (rules, shape) = &self.rules[version];
        let rows: usize = formed.parts.iter().map(|part| part.rows.len()).sum();
        let weight: usize = formed.parts.iter().map(|part| part.rows.len().max(1)).sum();
        assert!(weight <= rules.batch_rows_max || formed.parts.len() == 1, "a batch is too large");
        let size = shape.size_for(rows);
        assert!(
            shape.allowed_sizes.is_empty() || shape.allowed_sizes.contains(&size),
            "{size} is not allowed"
        );
        for part in &formed.parts {
            let request = &self.requests[part.payload];
            assert_eq!(
                (request.version, request.kind),
                (version, kind),
                "a batch mixes what must not be mixed"
            );
            assert_eq!(request.cancelled_parts, 0, "what was taken back runs");
            assert!(!request.ran.contains_key(&part.rows.start), "rows run twice");
        }
        let order: Vec<usize> = formed.parts.iter().map(|part| part.payload).collect();
        assert!(order.is_sorted(), "a batch is out of order");
        assert!(
            self.last_begun.get(&*formed.kind).is_none_or(|last| *last <= order[0]),
            "a queue is out of order"
        );
    }

    fn begin(&mut self, formed: &Formed<(usize, u8), usize>) {
        let (version, _) = *formed.kind;
        for part in &formed.parts {
            let request = &mut self.requests[part.payload];
            request.ran.insert(part.rows.start, part.rows.end);
            request.parts_ran += 1;
        }
        self.last_begun.insert(*formed.kind, formed.parts[formed.parts.len() - 1].payload);
        self.check_turn(version);
        self.running.push(Run { number: formed.number, version, begun: self.now });
        let rules = self.rules[version].0;
        assert!(self.timely(None) <= self.threads.count, "more run than there are threads");
        assert!(self.timely(Some(version)) <= rules.timely_max);
        assert!(self.running.iter().filter(|run| run.version == version).count() <= rules.running_max);
    }

    /// While a version could run a batch, each other version begins at most one before it.
    fn check_turn(&mut self, begun: usize) {
        for version in (0..VERSIONS).filter(|version| *version != begun) {
            let is_eligible = self.has_due(version) && self.may_run(version);
            let count = &mut self.overtaken[version][begun];
            *count = if is_eligible { *count + 1 } else { 0 };
            assert!(*count <= 1, "version {begun} had two turns while {version} had none");
        }
        self.overtaken[begun] = [0; VERSIONS];
    }

    /// When no more is to begin, everything that is left waits for a thread, for its version's share or for time.
    fn check_nothing_idles(&mut self) {
        let has_thread = self.timely(None) < self.threads.count;
        for version in 0..VERSIONS {
            let is_eligible = self.may_run(version) && self.has_due(version);
            assert!(!(has_thread && is_eligible), "version {version} idles");
            if !is_eligible {
                self.overtaken[version] = [0; VERSIONS];
            }
        }
    }

    fn may_run(&self, version: usize) -> bool {
        let rules = self.rules[version].0;
        let running = self.running.iter().filter(|run| run.version == version).count();
        self.timely(Some(version)) < rules.timely_max && running < rules.running_max
    }

    /// Whether a request of this version has waited for as long as a batch may stay open.
    fn has_due(&self, version: usize) -> bool {
        let rules = self.rules[version].0;
        let due = |request: &Request| request.parts_waiting() > 0 && request.came + rules.timeout <= self.now;
        self.requests.iter().any(|request| request.version == version && due(request))
    }

    fn timely(&self, version: Option<usize>) -> usize {
        let counts = |run: &&Run| {
            run.begun + PATIENCE > self.now && version.is_none_or(|version| run.version == version)
        };
        self.running.iter().filter(counts).count()
    }

    /// Ends every run and lets time pass until nothing is left; then everything has run exactly once.
    fn settle(&mut self) {
        let parts: usize = self.requests.iter().map(|request| request.ticket.parts()).sum();
        for _ in 0..=parts {
            self.pass(LONG);
            while !self.running.is_empty() {
                self.finish(0);
            }
            self.begin_all();
        }
        assert!(self.scheduler.is_empty(), "something is left over: {:?}", self.scheduler);
        for request in &self.requests {
            assert_eq!(request.parts_waiting(), 0, "a request is lost");
            if request.cancelled_parts == 0 {
                let ends: Vec<usize> = request.ran.values().copied().collect();
                let begins: Vec<usize> = request.ran.keys().copied().collect();
                assert_eq!(begins[0], 0);
                assert_eq!(begins[1..], ends[..ends.len() - 1], "rows are missing between parts");
                assert_eq!(ends[ends.len() - 1], request.rows);
            }
        }
        let tickets: HashSet<u64> = self.requests.iter().map(|request| request.ticket.request).collect();
        assert_eq!(tickets.len(), self.requests.len());
    }
}

impl Request {
    fn parts_waiting(&self) -> usize {
        self.ticket.parts() - self.parts_ran - self.cancelled_parts
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn whatever_comes_in_whatever_order_is_run_once_or_taken_back(
        threads in 1..4_usize,
        rules in prop::collection::vec(rules(), VERSIONS),
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut world = World::new(threads, rules);
        for step in &steps {
            world.play(step);
        }
        world.settle();
    }
}

fn plain() -> Rules {
    Rules {
        request_rows_max: 4,
        batch_rows_max: 4,
        splits: false,
        timeout: Duration::from_millis(5),
        batches_max: 2,
        timely_max: 8,
        running_max: 8,
    }
}

fn world(threads: usize, rules: Rules) -> World {
    World::new(threads, vec![(rules, Shaping::default()); VERSIONS])
}

fn sizes(world: &World) -> Vec<usize> {
    world.requests.iter().map(|request| request.parts_ran).collect()
}

#[test]
fn a_batch_waits_for_its_timeout_or_until_it_is_full() {
    let mut world = world(1, plain());
    world.play(&Step::Add { version: 0, kind: 0, rows: 2 });
    assert_eq!(sizes(&world), [0]);
    world.play(&Step::Pass(Duration::from_micros(4_999)));
    assert_eq!(sizes(&world), [0]);
    world.play(&Step::Pass(Duration::from_micros(1)));
    assert_eq!(sizes(&world), [1]);
    world.finish(0);
    world.play(&Step::Add { version: 0, kind: 0, rows: 4 });
    assert_eq!(sizes(&world), [1, 1]);
}

#[test]
fn a_full_queue_says_how_full() {
    let mut scheduler = Scheduler::new(Threads { count: 1, patience: PATIENCE });
    let offer = |rows| Offer { version: 1, rules: plain(), kind: 0_u8, rows, payload: () };
    let now = Instant::now();
    assert!(scheduler.add(offer(3), now).is_ok());
    assert!(scheduler.add(offer(3), now).is_ok());
    let refusal = scheduler.add(offer(3), now).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "The batch scheduling queue to which this task was submitted is full; \
         currently 2 batches enqueued and max_enqueued_batches is 2"
    );
    assert!(scheduler.add(offer(1), now).is_ok(), "it fits into the open batch");
    let refusal = scheduler.add(offer(5), now).unwrap_err();
    assert_eq!(refusal.to_string(), "Task size 5 is larger than maximum input batch size 4");
}

#[test]
fn a_large_request_is_split_and_refused_whole_when_its_parts_do_not_fit() {
    let rules = Rules { request_rows_max: 20, splits: true, ..plain() };
    let mut scheduler = Scheduler::new(Threads { count: 3, patience: PATIENCE });
    let offer = |rows| Offer { version: 1, rules, kind: 0_u8, rows, payload: rows };
    let now = Instant::now();
    assert!(scheduler.add(offer(3), now).is_ok());
    let refusal = scheduler.add(offer(6), now).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "The batch scheduling queue to which this task was submitted is full; task size is 6 but scheduling \
         capacity is only 5 (num_enqueued_batches=1, max_enqueued_batches=2, open_batch_size=3, \
         max_execution_batch_size=4)"
    );
    assert_eq!(scheduler.add(offer(5), now).unwrap().parts(), 2);
    let mut parts = || {
        let formed = scheduler.next(now).unwrap();
        formed.parts.iter().map(|part| (part.rows.start, part.rows.end)).collect::<Vec<_>>()
    };
    assert_eq!((parts(), parts()), (vec![(0, 3), (0, 1)], vec![(1, 5)]));
}

#[test]
fn in_the_adaptive_mode_a_batch_is_what_waited_while_the_one_before_ran() {
    let rules = Rules {
        timeout: Duration::ZERO,
        batches_max: usize::MAX,
        timely_max: 1,
        batch_rows_max: 99,
        ..plain()
    };
    let mut world = world(4, rules);
    for _ in 0..4 {
        world.play(&Step::Add { version: 0, kind: 0, rows: 1 });
    }
    assert_eq!((sizes(&world), world.running.len()), (vec![1, 0, 0, 0], 1));
    world.finish(0);
    world.begin_all();
    assert_eq!((sizes(&world), world.running.len()), (vec![1, 1, 1, 1], 1));
}

#[test]
fn a_batch_that_hangs_gives_its_thread_back_after_a_while_and_its_version_keeps_to_its_share() {
    let rules = Rules { timeout: Duration::ZERO, running_max: 2, ..plain() };
    let mut world = world(1, rules);
    for version in [0, 0, 0, 1] {
        world.play(&Step::Add { version, kind: 0, rows: 4 });
    }
    assert_eq!(sizes(&world), [1, 0, 0, 0], "one thread, and it hangs");
    world.play(&Step::Pass(PATIENCE));
    world.play(&Step::Pass(PATIENCE));
    assert_eq!(sizes(&world), [1, 1, 0, 1], "two of the version's own batches hang, the other's ran");
    world.play(&Step::Pass(LONG));
    assert_eq!(sizes(&world), [1, 1, 0, 1]);
}
