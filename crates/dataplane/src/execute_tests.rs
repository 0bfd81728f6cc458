//! Where work runs, what waits, what is refused, and that one hung model leaves the others alone.
#![allow(clippy::unwrap_used)] // a test may panic

use crate::{
    error::{Code, Error},
    execute::{Limits, RUN_THREADS_MAX},
    inference::{
        VersionChoice,
        tests::{House, limits},
    },
    testing::{FloatCodec, call, call_until},
};
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;

const HANGS: &str = r#"{"hang_on": 99.0}"#;
const HANG: f32 = 99.0;

type Answer = Result<(i64, f32), Error>;

fn spawn(house: &Arc<House>, model: &'static str, x: f32) -> JoinHandle<Answer> {
    let house = Arc::clone(house);
    tokio::spawn(async move { house.ask(model, x).await })
}

/// Polls once.
async fn begin<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut *future).poll(context))).await
}

/// Looks until it is so; how long that takes does not matter.
async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn runs(house: &House, model: &str) -> (u64, u64) {
    let servables = house.plane.statistics().servables;
    let found = servables.iter().find(|servable| &*servable.model == model).unwrap();
    (found.runs_inline, found.runs_pooled)
}

#[tokio::test]
async fn a_class_begins_on_a_run_thread_and_moves_inline_when_it_is_seen_to_be_short() {
    let house = House::new(limits());
    house.serve("m", "{}");
    house.ask("m", 1.0).await.unwrap();
    assert_eq!(runs(&house, "m"), (0, 1));
    let mut asked = 1;
    while runs(&house, "m").0 == 0 && asked < 1_000 {
        house.ask("m", 1.0).await.unwrap();
        asked += 1;
    }
    assert_eq!(runs(&house, "m"), (1, asked - 1));
}

#[tokio::test]
async fn a_class_that_is_slow_never_runs_inline() {
    let house = House::new(limits());
    house.serve("m", r#"{"run_ms": 2}"#);
    for _ in 0..20 {
        house.ask("m", 1.0).await.unwrap();
    }
    assert_eq!(runs(&house, "m"), (0, 20));
}

#[tokio::test]
async fn with_one_io_thread_nothing_runs_inline() {
    let house = House::new(Limits { io_threads: 1, ..limits() });
    house.serve("m", "{}");
    for _ in 0..50 {
        house.ask("m", 1.0).await.unwrap();
    }
    assert_eq!(runs(&house, "m"), (0, 50));
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_what_waited_is_answered_when_the_model_recovers() {
    let house = Arc::new(House::new(Limits { runs_max: 2, queue_max: 3, ..limits() }));
    house.serve("m", HANGS);
    let hung: Vec<_> = (0..2).map(|_| spawn(&house, "m", HANG)).collect();
    until(|| house.plane.statistics().run_threads == 2).await;
    let waiting: Vec<_> = (0..3).map(|_| spawn(&house, "m", 2.0)).collect();
    until(|| house.plane.statistics().in_flight == 5).await;
    let error = house.ask("m", 2.0).await.unwrap_err();
    assert_eq!(error.code, Code::ResourceExhausted);
    assert_eq!(error.message, "3 requests wait for version 1 of m already; try again later");
    assert_eq!(house.plane.statistics().refused_overload, 1);
    house.release("m", 1);
    for request in hung.into_iter().chain(waiting) {
        request.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn too_many_requests_in_flight_are_refused_at_once() {
    let house = Arc::new(House::new(Limits { in_flight_max: 2, ..limits() }));
    house.serve("m", HANGS);
    house.serve("n", HANGS);
    let mut first = Box::pin(house.ask("m", HANG));
    assert!(begin(&mut first).await.is_pending());
    let mut second = Box::pin(house.ask("m", HANG));
    assert_eq!(
        begin(&mut second).await.map(|answer| answer.unwrap_err().code),
        Poll::Ready(Code::ResourceExhausted)
    );
    house.release("m", 1);
    first.await.unwrap();
    house.ask("m", 1.0).await.unwrap();
}

#[tokio::test]
async fn a_deadline_ends_the_wait_for_a_model_that_ignores_it_and_its_run_keeps_its_place() {
    let house = Arc::new(House::new(Limits { runs_max: 1, ..limits() }));
    house.serve("m", HANGS);
    let soon = || Instant::now() + Duration::from_millis(5);
    let late = house.plane.infer(call_until("m", FloatCodec::new(HANG), soon())).await.answer;
    assert_eq!(late.unwrap_err().code, Code::DeadlineExceeded);
    let statistics = house.plane.statistics();
    assert_eq!((statistics.in_flight, statistics.run_threads), (0, 1));
    let queued = house.plane.infer(call_until("m", FloatCodec::new(1.0), soon())).await.answer;
    assert_eq!(queued.unwrap_err().code, Code::DeadlineExceeded);
    assert_eq!(runs(&house, "m"), (0, 1));
    house.release("m", 1);
    house.ask("m", 1.0).await.unwrap();
}

#[tokio::test]
async fn a_caller_that_goes_away_takes_its_request_out_of_the_queue() {
    let house = Arc::new(House::new(Limits { runs_max: 1, queue_max: 1, ..limits() }));
    house.serve("m", HANGS);
    let hung = spawn(&house, "m", HANG);
    until(|| house.plane.statistics().run_threads == 1).await;
    let mut queued = Box::pin(house.ask("m", 1.0));
    assert!(begin(&mut queued).await.is_pending());
    drop(queued);
    let mut in_its_place = Box::pin(house.ask("m", 1.0));
    assert!(begin(&mut in_its_place).await.is_pending());
    house.release("m", 1);
    in_its_place.await.unwrap();
    hung.await.unwrap().unwrap();
    assert_eq!(runs(&house, "m"), (0, 2));
}

#[tokio::test]
async fn a_panic_in_a_job_is_an_internal_error_and_leaves_no_permit_behind() {
    let house = House::new(Limits { runs_max: 1, ..limits() });
    house.serve("m", r#"{"panic_on": 13.0}"#);
    for _ in 0..20 {
        assert_eq!(house.ask("m", 13.0).await.unwrap_err().code, Code::Internal);
    }
    house.ask("m", 1.0).await.unwrap();
    let statistics = house.plane.statistics();
    assert_eq!((statistics.panics, statistics.in_flight, statistics.run_threads), (20, 0, 0));
    house.publish("m", &[]);
    assert_eq!(house.unload("m", 1, Duration::ZERO), Ok(0));
}

/// Each hung version takes what it can get; the rule leaves a share free for whoever comes, however many hang.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn models_that_hang_leave_run_threads_and_places_in_flight_to_the_others() {
    const MODELS: [&str; 5] = ["a", "b", "c", "d", "e"];
    let tight = Limits { in_flight_max: 64, queue_max: 64, runs_max: 64, ..limits() };
    let house = Arc::new(House::new(tight));
    let mut hung = Vec::new();
    for model in MODELS {
        house.serve(model, HANGS);
        hung.extend((0..64).map(|_| spawn(&house, model, HANG)));
    }
    until(|| {
        house.plane.statistics().in_flight + hung.iter().filter(|task| task.is_finished()).count()
            == hung.len()
    })
    .await;
    house.serve("well", "{}");
    assert!(house.plane.statistics().in_flight > 2 * MODELS.len(), "the hung models have got something");
    for _ in 0..10 {
        house.ask("well", 1.0).await.unwrap();
    }
    for model in MODELS {
        house.release(model, 1);
    }
    for request in hung {
        let _ = request.await.unwrap();
    }
    assert_eq!(house.plane.statistics().in_flight, 0);
}

/// Runs that were predicted short and never end hold all I/O threads but one. Everything here comes through
/// sockets, so nothing but the server itself wakes its threads.
#[test]
fn short_runs_that_turn_out_to_hang_leave_somebody_to_watch_the_sockets() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(3).enable_all().build().unwrap();
    let house = Arc::new(House::new(Limits { io_threads: 3, ..limits() }));
    house.serve("m", HANGS);
    house.serve("well", "{}");
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(answer_floats(listener, Arc::clone(&house)));
    let mut client = Client::connect(address);
    while runs(&house, "m").0 == 0 {
        client.send(1.0);
        client.receive();
    }
    for hanging in 1..=2 {
        let mut hung = Client::connect(address);
        hung.send(HANG);
        while house.plane.statistics().in_flight < hanging {
            std::thread::yield_now();
        }
        for _ in 0..20 {
            let mut well = Client::connect(address);
            well.send(2.0);
            well.receive();
        }
    }
    house.release("m", 1);
    runtime.shutdown_background();
}

/// Reads floats and writes the answers; asks the model that hangs for those that are not 2.
async fn answer_floats(listener: tokio::net::TcpListener, house: Arc<House>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    loop {
        let (mut socket, _) = listener.accept().await.unwrap();
        let house = Arc::clone(&house);
        tokio::spawn(async move {
            while let Ok(x) = socket.read_f32().await {
                let model = if (x - 2.0).abs() < f32::EPSILON { "well" } else { "m" };
                let (_, y) = house.ask(model, x).await.unwrap();
                socket.write_f32(y).await.unwrap();
            }
        });
    }
}

struct Client(std::net::TcpStream);

impl Client {
    fn connect(address: std::net::SocketAddr) -> Self {
        let stream = std::net::TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self(stream)
    }

    fn send(&mut self, x: f32) {
        std::io::Write::write_all(&mut self.0, &x.to_be_bytes()).unwrap();
    }

    fn receive(&mut self) {
        std::io::Read::read_exact(&mut self.0, &mut [0; 4]).unwrap();
    }
}

#[test]
fn limits_that_are_zero_are_chosen_from_the_machine_and_absurd_ones_are_refused() {
    let asked = Limits { io_threads: 0, in_flight_max: 1, queue_max: 1, runs_max: 0 };
    let chosen = asked.resolved().unwrap();
    assert!(chosen.io_threads >= 2 && chosen.runs_max >= 4 && chosen.runs_max <= RUN_THREADS_MAX);
    for wrong in [
        Limits { io_threads: usize::MAX, ..asked },
        Limits { runs_max: usize::MAX, ..asked },
        Limits { in_flight_max: 0, ..asked },
    ] {
        assert_eq!(wrong.resolved().unwrap_err().code, Code::InvalidArgument);
    }
}

#[tokio::test]
async fn without_a_queue_a_busy_version_refuses_at_once() {
    let house = Arc::new(House::new(Limits { runs_max: 1, queue_max: 0, ..limits() }));
    house.serve("m", HANGS);
    let hung = spawn(&house, "m", HANG);
    until(|| house.plane.statistics().run_threads == 1).await;
    let refused = house.plane.infer(call("m", VersionChoice::Default, FloatCodec::new(1.0))).await.answer;
    assert_eq!(refused.unwrap_err().code, Code::ResourceExhausted);
    house.release("m", 1);
    hung.await.unwrap().unwrap();
}
