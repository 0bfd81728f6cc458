//! One HTTP/2 stream as a task, given up when its client takes no more of the answer.
//!
//! A client can hold an answer in the server for as long as it likes by never opening its flow-control window;
//! its connection looks alive all the while. Nothing in an HTTP library limits that, so the task does.

use super::lifetime::{Activity, Call};
use hyper::rt::Executor;
use pin_project_lite::pin_project;
use std::{
    cell::Cell,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep};

thread_local! {
    /// Whether the stream that is being polled in this thread has its answer.
    static ANSWERED: Cell<bool> = const { Cell::new(false) };
}

/// Says that the stream being polled has a whole answer: what is left is the client's to take.
pub(super) fn answered() {
    ANSWERED.set(true);
}

/// Runs each stream as a task; it may wait `patience` for its client to take some of the answer.
#[derive(Clone, Debug)]
pub(super) struct StreamExecutor {
    pub(super) patience: Duration,
    pub(super) activity: Arc<Activity>,
}

impl<F> Executor<F> for StreamExecutor
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let call = self.activity.begin_call();
        let patience = self.patience;
        tokio::spawn(Stream { task: stream, patience, is_answered: false, stalled: None, _call: call });
    }
}

pin_project! {
    /// A stream; its future ends when it is done or stalled. Dropping it then resets the stream.
    struct Stream<F> {
        #[pin]
        task: F,
        patience: Duration,
        is_answered: bool,
        stalled: Option<Pin<Box<Sleep>>>,
        _call: Call,
    }
}

impl<F: Future<Output = ()>> Future for Stream<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        // When the timer woke this, the stream made no progress since it was set.
        if this.stalled.as_mut().is_some_and(|stalled| stalled.as_mut().poll(context).is_ready()) {
            return Poll::Ready(());
        }
        ANSWERED.set(*this.is_answered);
        let polled = this.task.poll(context);
        *this.is_answered = ANSWERED.get();
        if polled.is_pending() && *this.is_answered {
            let stalled = this.stalled.get_or_insert_with(|| Box::pin(sleep(*this.patience)));
            stalled.as_mut().reset(Instant::now() + *this.patience);
            // Polled so that it wakes this task; it cannot have passed yet.
            let _ = stalled.as_mut().poll(context);
        }
        polled
    }
}
