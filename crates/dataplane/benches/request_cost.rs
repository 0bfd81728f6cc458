//! Where one request's time goes: `cargo bench --bench request_cost`.
//!
//! Each step is timed alone on the synthetic half-plus-two model, in this thread, with its allocations counted; the
//! whole path is timed inline and handed to a run thread. A further codec joins as one more call of
//! [`measure_codec`]. Also: what a hold on a version costs when several threads take it, what a publish costs with
//! many models, and what a split of a model's traffic costs each request.

// A benchmark may stop at what it did not expect; unsafe: a global allocator that counts can be made in no other way.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::cast_precision_loss, unsafe_code, missing_docs)]

use dataplane::{
    error::{Code, Error},
    execute::Limits,
    inference::{Answered, Call, Codec, Run, Target, VersionChoice},
    metrics::{CountedApi, Entry, Models},
    plane::{LoadRequest, Plane, Platform},
    reaper::Reaper,
    request_log::LogSettings,
    route::{ModelUpdate, RouteUpdate, Router},
    runtime::{Model, Placement, RunOptions, synthetic},
    servable::{Fittings, ServableId, Slot},
    stats::Ledger,
    testing::{FloatCodec, call, first_incarnations, traffic, write_version},
    traffic::{Caller, TrafficSettings, bucket_of},
};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes to the system's allocator unchanged; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const ITERATIONS: u32 = 20_000;
const ROUNDS: usize = 7;
const MODELS: usize = 10_000;

/// The median over rounds, and the allocations of one step.
fn report(name: &str, mut step: impl FnMut()) {
    let mut rounds = [Duration::ZERO; ROUNDS];
    let mut allocations = 0;
    for round in &mut rounds {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        let begun = Instant::now();
        for _ in 0..ITERATIONS {
            step();
        }
        *round = begun.elapsed();
        allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
    }
    rounds.sort_unstable();
    let median = rounds.get(ROUNDS / 2).copied().unwrap_or_default();
    let nanos = median.as_nanos() as f64 / f64::from(ITERATIONS);
    println!("{name:<44} {nanos:>10.1} ns  {:>6.1} allocations", allocations as f64 / f64::from(ITERATIONS));
}

fn main() {
    let folder = tempfile::TempDir::new().unwrap();
    write_version(folder.path(), "{}").unwrap();
    measure_routes(folder.path());
    let model = synthetic::load(folder.path()).unwrap();
    measure_codec("float codec", model.as_ref(), || FloatCodec::new(2.0));
    measure_path(folder.path());
    measure_counts(folder.path());
    measure_split(folder.path());
}

/// What it costs a request to be counted under TensorFlow Serving's names: to be compared with the whole path.
fn measure_counts(folder: &std::path::Path) {
    let counts = Models::default().open(&Arc::from("m"));
    let took = Duration::from_micros(123);
    report("count a run and a gRPC request", || {
        counts.record_run(CountedApi::Predict, black_box(took));
        counts.record_request(Entry::Grpc(CountedApi::Predict), black_box(Code::Ok), took);
    });
    let plane = loaded_plane(folder, limits());
    report("find whom to count for, as REST does", || drop(black_box(plane.counts("m"))));
}

/// What a split costs a request: the whole path without one, drawn by chance, by a key. The three take turns, so that
/// what else the machine does falls on all of them; the differences are medians over the rounds.
fn measure_split(folder: &std::path::Path) {
    report("bucket of a key of 16 bytes", || {
        black_box(bucket_of("digits-2-1", b"ada@example.org!"));
    });
    let with = |name| -> HeaderMap {
        [(HeaderName::from_static(name), HeaderValue::from_static("ada@example.org!"))].into_iter().collect()
    };
    let (keyed, keyless) = (with("x-routing-key"), with("x-something-other"));
    let half = || Some(traffic(2, 5_000));
    let sides = [
        ("no split", split_plane(folder, None), keyed.clone()),
        ("split by chance", split_plane(folder, half()), keyless),
        ("split by a key", split_plane(folder, half()), keyed),
    ];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut rounds: Vec<Vec<f64>> = vec![Vec::new(); sides.len()];
    for _ in 0..=ROUNDS {
        for ((_, plane, headers), nanos) in sides.iter().zip(&mut rounds) {
            nanos.push(runtime.block_on(ask_repeatedly(plane, headers)));
        }
    }
    let without = rounds.first().cloned().unwrap_or_default();
    for ((name, ..), nanos) in sides.iter().zip(&rounds) {
        // The first round learns how long a run takes.
        let pairs = nanos.iter().zip(&without).skip(1);
        let added = median(pairs.map(|(with, without)| with - without).collect());
        let own = median(nanos.iter().skip(1).copied().collect());
        println!("the whole path, {name:<27} {own:>10.1} ns  {added:>+8.1} ns");
    }
}

/// Nanoseconds a request.
async fn ask_repeatedly(plane: &Plane, headers: &HeaderMap) -> f64 {
    let begun = Instant::now();
    for _ in 0..ITERATIONS {
        let caller = Caller::from(headers.clone());
        let call = Call { caller, ..call("m", VersionChoice::Default, FloatCodec::new(2.0)) };
        black_box(plane.infer(call).await).answer.unwrap();
    }
    begun.elapsed().as_nanos() as f64 / f64::from(ITERATIONS)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// A plane that serves versions 1 and 2 of `m`, 1 by default.
fn split_plane(folder: &std::path::Path, traffic: Option<TrafficSettings>) -> Arc<Plane> {
    let plane = loaded_plane(folder, limits());
    load(&plane, folder, 2);
    let ready = first_incarnations(&[1, 2]);
    let changed = vec![ModelUpdate { ready, traffic, ..update("m") }];
    plane.publish(&RouteUpdate { generation: 2, changed, removed: Vec::new() }).unwrap();
    plane
}

/// A plane that serves version 1 of `m`.
fn loaded_plane(folder: &std::path::Path, limits: Limits) -> Arc<Plane> {
    let plane = Arc::new(Plane::new(limits).unwrap());
    load(&plane, folder, 1);
    plane.publish(&RouteUpdate { generation: 1, changed: vec![update("m")], removed: Vec::new() }).unwrap();
    plane
}

fn load(plane: &Plane, folder: &std::path::Path, version: i64) {
    let request = LoadRequest {
        name: "m".to_owned(),
        version,
        incarnation: 0,
        path: folder.to_owned(),
        platform: Platform::Synthetic,
        tags: Vec::new(),
        warmup: None,
        batching: None,
    };
    plane.load(&request).unwrap();
}

/// Route, hold and release, alone and from several threads; publishes beside many models.
fn measure_routes(folder: &std::path::Path) {
    let (ledger, reaper) = (Ledger::default(), Reaper::start().unwrap());
    let names: Vec<String> = (0..MODELS).map(|index| format!("model-{index:05}")).collect();
    let slots: Vec<Arc<Slot>> = names.iter().map(|name| slot(folder, name, &ledger, &reaper)).collect();
    let router = Arc::new(Router::default());
    let find = |id: ServableId<'_>| {
        names.binary_search_by(|it| it.as_str().cmp(id.name)).ok().and_then(|at| slots.get(at).cloned())
    };
    let no_log = |_: &str, _: &LogSettings| Err(Error::internal("nothing is logged here"));
    let whole = RouteUpdate {
        generation: 1,
        changed: names.iter().map(|name| update(name)).collect(),
        removed: Vec::new(),
    };
    let begun = Instant::now();
    router.publish(&whole, &ledger, find, no_log).unwrap();
    println!("first publish of {MODELS} models{:>30.1} ms", begun.elapsed().as_secs_f64() * 1e3);
    let mut generation = 1;
    report(&format!("publish of 1 model beside {MODELS}"), || {
        generation += 1;
        let one = RouteUpdate { generation, changed: vec![update("model-05000")], removed: Vec::new() };
        router.publish(&one, &ledger, find, no_log).unwrap();
    });
    let slot = slots.first().unwrap();
    report("acquire and release a slot", || drop(black_box(slot.acquire())));
    let target = Target { model: "model-07777".to_owned(), version: VersionChoice::Default };
    report("route (resolve, acquire, release)", || drop(black_box(router.acquire(&target))));
    measure_contended(&router, &target);
}

fn measure_contended(router: &Arc<Router>, target: &Target) {
    let threads = thread::available_parallelism().map_or(2, usize::from);
    let begun = Instant::now();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| (0..ITERATIONS).for_each(|_| drop(black_box(router.acquire(target)))));
        }
    });
    let nanos = begun.elapsed().as_nanos() as f64 / f64::from(ITERATIONS);
    println!("{:<44} {nanos:>10.1} ns", format!("route, by {threads} threads at once, each"));
}

/// Decode, run and encode of one codec on one model.
fn measure_codec<C: Codec>(name: &str, model: &dyn Model, codec: impl Fn() -> C) {
    let signatures = model.signatures();
    let options = RunOptions { placement: Placement::Caller, timeout: None };
    report(&format!("{name}: make the request"), || drop(black_box(codec())));
    report(&format!("{name}: make and choose"), || drop(black_box(codec().choose(signatures))));
    report(&format!("{name}: make and decode"), || drop(black_box(codec().decode(signatures))));
    let ready = codec().decode(signatures).unwrap();
    let run = || ready.run(model, options).unwrap();
    report(&format!("{name}: run"), || drop(black_box(run())));
    let answered = Answered { version: 1, signatures };
    report(&format!("{name}: make, run and encode"), || {
        drop(black_box(codec().encode(answered, &ready, run())));
    });
}

/// The whole path: inline once the class is known to be short, and by a run thread.
fn measure_path(folder: &std::path::Path) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for (name, io_threads) in [("the whole path, inline", 3), ("the whole path, by a run thread", 1)] {
        let plane = loaded_plane(folder, Limits { io_threads, ..limits() });
        let ask = || -> Call<FloatCodec> { call("m", VersionChoice::Default, FloatCodec::new(2.0)) };
        runtime.block_on(async {
            tokio::spawn(async move {
                for _ in 0..1_000 {
                    plane.infer(ask()).await.answer.unwrap();
                }
                report_async(name, || plane.infer(ask())).await;
            })
            .await
            .unwrap();
        });
    }
}

async fn report_async<F: Future>(name: &str, mut step: impl FnMut() -> F) {
    let (before, begun) = (ALLOCATIONS.load(Ordering::Relaxed), Instant::now());
    for _ in 0..ITERATIONS {
        black_box(step().await);
    }
    let nanos = begun.elapsed().as_nanos() as f64 / f64::from(ITERATIONS);
    let allocations = (ALLOCATIONS.load(Ordering::Relaxed) - before) as f64 / f64::from(ITERATIONS);
    println!("{name:<44} {nanos:>10.1} ns  {allocations:>6.1} allocations");
}

fn limits() -> Limits {
    Limits { io_threads: 3, in_flight_max: 1_000, queue_max: 100, runs_max: 2 }
}

fn update(name: &str) -> ModelUpdate {
    ModelUpdate {
        name: name.to_owned(),
        ready: dataplane::testing::first_incarnations(&[1]),
        default_version: Some(1),
        labels: vec![("stable".to_owned(), 1)],
        ..ModelUpdate::default()
    }
}

fn slot(folder: &std::path::Path, name: &str, ledger: &Ledger, reaper: &Reaper) -> Arc<Slot> {
    let model = synthetic::load(folder).unwrap();
    let name: Arc<str> = Arc::from(name);
    let fittings = Fittings {
        rows: ledger.open_version(&name, 1, Vec::new()),
        name,
        version: 1,
        incarnation: 0,
        lane: dataplane::lane::Lane::new(1, dataplane::lane::Width { runs_max: 1, queue_max: 1 }),
        batching: None,
        reaper: reaper.clone(),
    };
    Slot::new(model, fittings)
}
