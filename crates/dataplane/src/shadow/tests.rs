//! Shadow traffic on real versions and threads: what is compared, what is dropped, and what never waits for it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test may panic

use super::{mirror::Mirrored, *};
use crate::{
    error::Code,
    execute::Limits,
    reaper::Reaper,
    runtime::{Head, synthetic},
    servable::Fittings,
    stats::Ledger,
    tensor::{DType, Data, Tensor},
    testing::write_version,
    traffic::{BUCKETS, Tolerance},
};
use std::{
    fs,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

const LONG: Duration = Duration::from_secs(30);
const PATIENT: ShadowOptions = ShadowOptions { patience: LONG, lateness_max: LONG, floor_every: LONG };
/// Every run may be without room.
const ALWAYS_DUE: ShadowOptions = ShadowOptions { floor_every: Duration::ZERO, ..PATIENT };
const EXACT: Tolerance = Tolerance { absolute: 0.0, relative: 0.0, top_1: false };

/// What makes a candidate with [`HANGS`] hang.
const HANG: f32 = 99.0;
const HANGS: &str = r#"{"hang_on": 99.0}"#;

/// Jobs that wait behind one that runs.
const QUEUED_MAX: u64 = 64;

/// Versions, and what runs them.
struct Stage {
    folder: TempDir,
    reaper: Reaper,
    executor: Executor,
    shadows: Shadows,
}

/// A candidate, and what is counted of it.
struct Cast {
    shadow: Arc<Shadow>,
    candidate: Arc<Slot>,
    tally: Arc<Tally>,
    path: PathBuf,
}

impl Stage {
    fn new(options: ShadowOptions) -> Self {
        let limits = Limits { io_threads: 2, in_flight_max: 16, queue_max: 4, runs_max: 1 };
        let executor = Executor::start(limits).unwrap();
        let shadows = Shadows::new(options, &executor);
        shadows.start().unwrap();
        Self { folder: TempDir::new().unwrap(), reaper: Reaper::start().unwrap(), executor, shadows }
    }

    fn slot(&self, name: &str, version: i64, json: &str) -> (Arc<Slot>, PathBuf) {
        let path = self.folder.path().join(name).join(version.to_string());
        write_version(&path, json).unwrap();
        let (model, name) = (synthetic::load(&path).unwrap(), Arc::from(name));
        let fittings = Fittings {
            lane: self.executor.lane(model.signatures().list().len(), model.runs_max()),
            rows: Ledger::default().open_version(&name, version, Vec::new()),
            name,
            version,
            incarnation: 0,
            batching: None,
            reaper: self.reaper.clone(),
        };
        (Slot::new(model, fittings), path)
    }

    /// Half plus two as the baseline, and this candidate.
    fn cast(&self, name: &str, candidate: &str) -> Cast {
        let (baseline, _) = self.slot(name, 1, "{}");
        let (candidate, path) = self.slot(name, 2, candidate);
        let tally = Arc::new(Tally::default());
        let mirroring = Mirroring { share: BUCKETS, tolerance: EXACT, tally: Arc::clone(&tally) };
        let shadow = self.shadows.open(&baseline, &candidate, mirroring).unwrap();
        Cast { shadow, candidate, tally, path }
    }
}

impl Cast {
    /// A request of one number that the baseline answered as it does.
    fn offer(&self, x: f32) {
        self.offer_outcome(x, Ok(vec![floats(&[0.5 * x + 2.0])]));
    }

    fn offer_outcome(&self, x: f32, outcome: Result<Vec<Tensor>, Error>) {
        self.shadow.offer(mirrored(x, outcome));
    }

    fn release(&self) {
        fs::write(self.path.join(synthetic::RELEASE_FILE), "").unwrap();
    }

    fn wait(&self, is_so: impl Fn(&ShadowReport) -> bool) -> ShadowReport {
        until(|| is_so(&self.tally.report()));
        self.tally.report()
    }

    fn wait_until_it_runs(&self) {
        until(|| self.candidate.in_flight() == 1);
    }

    fn shed(&self) -> Vec<(Shed, u64)> {
        self.tally.report().shed
    }
}

fn mirrored(x: f32, outcome: Result<Vec<Tensor>, Error>) -> Mirrored {
    let who = Who { request_id: x.to_string(), key: Some(7) };
    Mirrored { asked: Some(asked(&[x])), body_bytes: 0, outcome, is_cut: false, who }
}

/// Looks until it is so; how long that takes does not matter.
fn until(is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < 4 * LONG, "what was waited for did not come");
        thread::sleep(Duration::from_millis(1));
    }
}

fn floats(values: &[f32]) -> Tensor {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Tensor::new(DType::Float, vec![i64::try_from(values.len()).unwrap()], Data::Packed(bytes.into())).unwrap()
}

/// The output y of the default signature, which is the synthetic model's second.
fn asked(x: &[f32]) -> Asked {
    Asked { heads: vec![Head { signature: 1, outputs: vec![0] }], inputs: vec![floats(x)] }
}

#[test]
fn what_a_candidate_answers_otherwise_is_counted_and_the_worst_is_kept() {
    let stage = Stage::new(PATIENT);
    let cast = stage.cast("m", r#"{"a": 0.75}"#);
    for x in [0.0, 4.0, 8.0] {
        cast.offer(x);
    }
    let seen = cast.wait(|seen| seen.compared == 3);
    assert_eq!((seen.mirrored, seen.disagreed), (3, 2), "at 0 they agree");
    assert!(seen.shed.is_empty() && seen.incomparable.is_empty() && seen.failures.is_empty());
    assert!(!seen.run_quantiles.is_empty());
    let [output] = seen.outputs.as_slice() else { unreachable!("one output") };
    assert_eq!((output.signature.as_str(), output.output.as_str()), ("serving_default", "y"));
    assert_eq!((output.compared, output.disagreed, output.largest.0), (3, 2, 2.0));
    let worst = output.worst.iter().find(|sample| sample.request_id == "8").unwrap();
    assert_eq!((worst.baseline.as_str(), worst.candidate.as_str(), worst.key), ("6", "8", Some(7)));
    assert_eq!((worst.element, worst.inputs.as_str()), (Some(0), "x: float [1] = 8"));
}

#[test]
fn only_what_is_bad_on_one_side_alone_is_held_against_it() {
    let stage = Stage::new(PATIENT);
    let cast = stage.cast("m", r#"{"fail_on": 1.0, "panic_on": 3.0}"#);
    let failed = || Err(Error::invalid_argument("no"));
    cast.offer(1.0);
    cast.offer_outcome(1.0, failed());
    cast.offer_outcome(2.0, failed());
    cast.offer(3.0);
    cast.offer(f32::INFINITY);
    cast.offer_outcome(f32::INFINITY, Ok(vec![floats(&[1.0])]));
    let seen = cast.wait(|seen| seen.compared == 6);
    assert_eq!(seen.only_candidate, Bad { errors: 2, invalid_outputs: 1 });
    assert_eq!(seen.only_baseline, Bad { errors: 1, invalid_outputs: 0 });
    let failures: Vec<_> =
        seen.failures.iter().map(|failure| (failure.request_id.as_str(), failure.code)).collect();
    assert_eq!(failures, [("1", Code::InvalidArgument), ("3", Code::Internal)]);
    assert_eq!(seen.failures[0].inputs, "x: float [1] = 1");
    assert_eq!(stage.executor.panics(), 1);
}

#[test]
fn an_end_that_is_not_the_baselines_doing_proves_nothing() {
    let stage = Stage::new(PATIENT);
    let cast = stage.cast("m", "{}");
    cast.offer_outcome(1.0, Err(Error::resource_exhausted("full")));
    cast.offer_outcome(1.0, Err(Error::deadline_exceeded("late")));
    assert_eq!(cast.tally.report(), ShadowReport::default());
}

#[test]
fn what_cannot_be_asked_of_the_candidate_is_counted_with_the_reason() {
    let stage = Stage::new(PATIENT);
    let cast = stage.cast("m", "{}");
    cast.shadow.offer(Mirrored { asked: None, ..mirrored(1.0, Ok(Vec::new())) });
    let heads = vec![Head { signature: 9, outputs: Vec::new() }];
    let asked = Some(Asked { heads, inputs: Vec::new() });
    cast.shadow.offer(Mirrored { asked, ..mirrored(1.0, Ok(Vec::new())) });
    let seen = cast.wait(|seen| seen.incomparable.len() == 2);
    assert_eq!(seen.incomparable, [(Incomparable::NoSignature, 1), (Incomparable::Graph, 1)]);
}

#[test]
fn behind_a_run_that_hangs_so_many_wait_and_the_rest_is_dropped() {
    let stage = Stage::new(PATIENT);
    let cast = stage.cast("m", HANGS);
    cast.offer(HANG);
    cast.wait_until_it_runs();
    for _ in 0..QUEUED_MAX + 5 {
        cast.offer(1.0);
    }
    assert_eq!(cast.shed(), [(Shed::QueueFull, 5)]);
    assert_eq!(cast.candidate.in_flight(), 1, "what waits holds no version");
    cast.release();
    let seen = cast.wait(|seen| seen.compared == QUEUED_MAX + 1);
    assert_eq!((seen.mirrored, seen.shed), (QUEUED_MAX + 6, vec![(Shed::QueueFull, 5)]));
}

#[test]
fn a_run_that_is_overdue_stops_its_own_version_and_no_other() {
    let stage = Stage::new(ShadowOptions { patience: Duration::from_millis(1), ..PATIENT });
    let (hanging, other) = (stage.cast("m", HANGS), stage.cast("n", "{}"));
    hanging.offer(HANG);
    hanging.wait(|seen| seen.overdue == 1);
    hanging.offer(1.0);
    assert_eq!(hanging.shed(), [(Shed::CandidateHangs, 1)]);
    until(|| {
        other.offer(1.0); // a quick run may be overdue, too, on a machine that has much to do
        other.tally.report().compared >= 3
    });
    hanging.release();
    let seen = hanging.wait(|seen| seen.overdue == 0);
    assert_eq!((seen.overdue_ever, seen.compared), (1, 1));
}

#[test]
fn only_so_many_runs_may_be_overdue_at_once() {
    let stage = Stage::new(ShadowOptions { patience: Duration::from_millis(1), ..PATIENT });
    let casts: Vec<_> = (0..8).map(|number| stage.cast(&format!("m{number}"), HANGS)).collect();
    for cast in &casts {
        cast.offer(HANG);
        cast.wait(|seen| seen.overdue == 1);
    }
    let ninth = stage.cast("ninth", HANGS);
    ninth.offer(HANG);
    ninth.wait_until_it_runs();
    let last = stage.cast("last", "{}");
    for _ in 0..=QUEUED_MAX {
        last.offer(1.0);
    }
    assert_eq!(last.shed(), [(Shed::QueueFull, 1)]);
    casts[0].release();
    last.wait(|seen| seen.compared == QUEUED_MAX);
    casts.iter().chain([&ninth]).for_each(Cast::release);
}

#[test]
fn bytes_that_wait_are_bounded() {
    let stage = Stage::new(PATIENT);
    let cast = stage.cast("m", HANGS);
    cast.offer(HANG);
    cast.wait_until_it_runs();
    let sixteen_mib = Data::Packed(vec![0; 16 << 20].into());
    let large = Tensor::new(DType::UInt8, vec![16 << 20], sixteen_mib).unwrap();
    for _ in 0..5 {
        let asked = Some(Asked { inputs: vec![large.clone()], ..asked(&[]) });
        cast.shadow.offer(Mirrored { asked, ..mirrored(1.0, Ok(vec![floats(&[])])) });
    }
    assert_eq!(cast.shed(), [(Shed::TooManyBytes, 2)]);
    cast.release();
    let seen = cast.wait(|seen| seen.compared == 4);
    assert_eq!(seen.only_candidate.errors, 3, "it takes no bytes");
    until(|| stage.shadows.0.bytes() == 0);
}

#[test]
fn a_small_input_in_a_large_body_takes_as_many_bytes_as_the_body() {
    let stage = Stage::new(PATIENT);
    let cast = stage.cast("m", HANGS);
    cast.offer(HANG);
    cast.wait_until_it_runs();
    let body_bytes = 40 << 20;
    let offer = || cast.shadow.offer(Mirrored { body_bytes, ..mirrored(1.0, Ok(vec![floats(&[2.5])])) });
    offer();
    offer();
    assert_eq!(cast.shed(), [(Shed::TooManyBytes, 1)]);
    cast.release();
    cast.wait(|seen| seen.compared == 2);
    until(|| stage.shadows.0.bytes() == 0);
}

#[test]
fn what_was_cut_from_a_batch_does_not_keep_the_batch() {
    let stage = Stage::new(PATIENT);
    let cast = stage.cast("m", HANGS);
    cast.offer(HANG);
    cast.wait_until_it_runs();
    let batch = bytes::Bytes::from(vec![0; 4_096]);
    let row = Tensor::new(DType::Float, vec![1], Data::Packed(batch.slice(..4))).unwrap();
    cast.shadow.offer(Mirrored { is_cut: true, ..mirrored(1.0, Ok(vec![row])) });
    assert!(batch.is_unique());
    cast.release();
    cast.wait(|seen| seen.compared == 2);
}

#[test]
fn while_requests_wait_nothing_is_taken_in_and_what_waits_is_dropped() {
    let stage = Stage::new(PATIENT);
    let (hanging, cast) = (stage.cast("m", HANGS), stage.cast("n", "{}"));
    hanging.offer(HANG);
    hanging.wait_until_it_runs();
    cast.offer(1.0);
    let gauge = stage.executor.waiting();
    let waiting = crate::allowance::Allowance::take(&*gauge);
    cast.offer(1.0);
    assert_eq!(cast.shed(), [(Shed::RequestsWait, 1)]);
    hanging.release();
    cast.wait(|seen| seen.shed == [(Shed::RequestsWait, 2)]);
    drop(waiting);
    cast.offer(1.0);
    cast.wait(|seen| seen.compared == 1);
}

#[test]
fn a_machine_that_lets_the_worker_run_late_has_no_room() {
    // No machine is exactly on time.
    let stage = Stage::new(ShadowOptions { lateness_max: Duration::ZERO, ..PATIENT });
    let cast = stage.cast("m", "{}");
    for _ in 0..3 {
        cast.offer(1.0);
    }
    let seen = cast.wait(|seen| seen.shed == [(Shed::MachineBusy, 3)]);
    assert_eq!(seen.compared, 0);
}

#[test]
fn a_trial_that_had_no_run_for_long_gets_one_though_requests_wait_and_the_machine_is_busy() {
    let stage = Stage::new(ShadowOptions { lateness_max: Duration::ZERO, ..ALWAYS_DUE });
    let cast = stage.cast("m", "{}");
    let gauge = stage.executor.waiting();
    let _waiting = crate::allowance::Allowance::take(&*gauge);
    for number in 1..=3 {
        cast.offer(1.0);
        cast.wait(|seen| seen.compared == number);
    }
    assert_eq!(cast.shed(), []);
}

#[test]
fn a_worker_that_may_be_as_late_as_it_likes_never_is() {
    let stage = Stage::new(ShadowOptions { patience: Duration::MAX, lateness_max: Duration::MAX, ..PATIENT });
    let cast = stage.cast("m", "{}");
    cast.offer(1.0);
    cast.wait(|seen| seen.compared == 1);
}

#[test]
fn unloading_waits_for_the_run_under_way_and_for_nothing_that_is_queued() {
    let stage = Stage::new(PATIENT);
    let (running, queued) = (stage.cast("m", HANGS), stage.cast("n", "{}"));
    running.offer(HANG);
    running.wait_until_it_runs();
    queued.offer(1.0);
    assert_eq!(queued.candidate.retire(Instant::now()), 0);
    assert_eq!(running.candidate.retire(Instant::now()), 1);
    running.offer(1.0);
    running.release();
    let seen = running.wait(|seen| !seen.incomparable.is_empty());
    assert_eq!((seen.compared, seen.incomparable), (1, vec![(Incomparable::Unloaded, 1)]));
    queued.wait(|seen| seen.incomparable == [(Incomparable::Unloaded, 1)]);
}

#[test]
fn a_version_that_is_being_unloaded_casts_no_shadow() {
    let stage = Stage::new(PATIENT);
    let ((baseline, _), (candidate, _)) = (stage.slot("m", 1, "{}"), stage.slot("m", 2, "{}"));
    candidate.retire(Instant::now());
    let mirroring = Mirroring { share: 1, tolerance: EXACT, tally: Arc::default() };
    assert!(stage.shadows.open(&baseline, &candidate, mirroring).is_none());
}

#[test]
fn when_the_plane_ends_what_waits_is_dropped() {
    let stage = Stage::new(PATIENT);
    let cast = stage.cast("m", HANGS);
    cast.offer(HANG);
    cast.wait_until_it_runs();
    cast.offer(1.0);
    drop(stage.shadows);
    cast.offer(1.0);
    assert_eq!(cast.shed(), [(Shed::Stopping, 2)]);
    cast.release();
    cast.wait(|seen| seen.compared == 1);
}

#[test]
fn the_share_drawn_is_the_share_asked_for() {
    let stage = Stage::new(PATIENT);
    let ((baseline, _), (candidate, _)) = (stage.slot("m", 1, "{}"), stage.slot("m", 2, "{}"));
    let drawn = |share: u16| {
        let mirroring = Mirroring { share, tolerance: EXACT, tally: Arc::default() };
        let shadow = stage.shadows.open(&baseline, &candidate, mirroring).unwrap();
        (0..100_000).filter(|_| shadow.draws()).count()
    };
    assert_eq!((drawn(0), drawn(BUCKETS)), (0, 100_000));
    let tenth = drawn(1_000);
    assert!((9_400..10_600).contains(&tenth), "{tenth} is more than six deviations from 10,000");
}
