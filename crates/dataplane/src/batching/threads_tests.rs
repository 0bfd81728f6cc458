//! What batching must not do to the threads that it does not own.
#![allow(clippy::unwrap_used)] // a test may panic

use super::{
    BatchingOptions,
    tests::{Hall, Rows, answer, call, limits, parameters},
};
use crate::{
    error::Error,
    inference::{Answered, Api, Call, Codec, Door, SignatureRun},
    signature::Signatures,
    tensor::Tensor,
};
use bytes::Bytes;
use std::{
    sync::{
        Arc, Barrier,
        mpsc::{self, Sender},
    },
    time::Duration,
};
use tokio::runtime::Handle;

/// For what must come at once.
const SOON: Duration = Duration::from_secs(10);

/// A request whose decoding does not end before all of them and the test have met.
#[derive(Debug)]
struct Stuck {
    rows: Rows,
    begun: Sender<()>,
    gate: Arc<Barrier>,
}

impl Codec for Stuck {
    type Run = SignatureRun;

    fn api(&self) -> Api {
        self.rows.api()
    }

    fn door(&self) -> Door {
        self.rows.door()
    }

    fn choose(&self, signatures: &Signatures) -> Result<Option<usize>, Error> {
        self.rows.choose(signatures)
    }

    fn decode(&mut self, signatures: &Signatures) -> Result<SignatureRun, Error> {
        self.begun.send(()).unwrap();
        self.gate.wait();
        self.rows.decode(signatures)
    }

    fn encode(
        self,
        answered: Answered<'_>,
        run: &SignatureRun,
        outputs: Vec<Tensor>,
    ) -> Result<Bytes, Error> {
        self.rows.encode(answered, run, outputs)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn small_requests_that_take_long_to_decode_leave_an_io_thread_to_the_sockets() {
    let io_threads = limits().io_threads;
    let hall = Hall::new(1);
    hall.serve("m", "{}", parameters());
    let (begun, begins) = mpsc::channel();
    let gate = Arc::new(Barrier::new(io_threads + 1));
    let ask = || {
        let (plane, begun, gate) = (Arc::clone(&hall.plane), begun.clone(), Arc::clone(&gate));
        let Call { target, codec: rows, message, body_bytes, deadline, caller } =
            call("m", Rows::new(&[1.0]));
        let codec = Stuck { rows, begun, gate };
        let call = Call { target, codec, message, body_bytes, deadline, caller };
        tokio::spawn(async move { plane.infer(call).await.answer })
    };
    let answers: Vec<_> = (0..io_threads).map(|_| ask()).collect();
    // This thread is none of the runtime's, whose timers would stand still where this is about.
    assert!((0..io_threads).all(|_| begins.recv_timeout(SOON).is_ok()));
    let (done, is_done) = mpsc::channel();
    tokio::spawn(async move { done.send(()) });
    let other = is_done.recv_timeout(SOON);
    gate.wait();
    assert_eq!(other, Ok(()), "every I/O thread decodes");
    for pending in answers {
        answer(pending).await.unwrap();
    }
}

#[tokio::test]
async fn nobody_is_woken_twice_for_one_moment_however_often_others_are_woken_before_it() {
    let hall = Hall::new(1);
    let waits = |micros| BatchingOptions { batch_timeout_micros: micros, ..parameters() };
    hall.serve("slow", "{}", waits(3_600_000_000));
    hall.serve("quick", "{}", waits(100));
    let slow = hall.ask("slow", &[1.0]).await;
    for _ in 0..30 {
        answer(hall.ask("quick", &[1.0]).await).await.unwrap();
    }
    let tasks = Handle::current().metrics().num_alive_tasks();
    assert!(tasks < 10, "{tasks} tasks");
    slow.abort();
}
