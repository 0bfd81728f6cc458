//! Requests that the control plane must answer: the doors put them in, Python takes them out and answers.

use crate::error::Error;
use bytes::Bytes;
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// Requests that wait for the control plane's answer at once.
const PENDING_MAX: usize = 32;

/// A request that the control plane must answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminRequest {
    /// Names it in the answer.
    pub ticket: u64,
    /// `HandleReloadConfigRequest` for example.
    pub method: &'static str,
    /// The serialized request message.
    pub payload: Bytes,
    /// When the caller stops waiting.
    pub deadline: Option<Instant>,
}

/// The requests that wait.
#[derive(Debug, Default)]
pub struct AdminQueue {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct State {
    last_ticket: u64,
    queued: VecDeque<AdminRequest>,
    pending: HashMap<u64, oneshot::Sender<Result<Bytes, Error>>>,
}

impl AdminQueue {
    /// Puts a request in and waits for its answer; `RESOURCE_EXHAUSTED` when too many wait. Dropping the future
    /// takes it out again, or makes its answer go nowhere.
    pub async fn submit(
        self: &Arc<Self>,
        method: &'static str,
        payload: Bytes,
        deadline: Option<Instant>,
    ) -> Result<Bytes, Error> {
        let (ticket, answer) = self.put(method, payload, deadline)?;
        let _out_again = Ticket { queue: Arc::clone(self), number: ticket };
        let answer = match deadline {
            None => answer.await,
            Some(deadline) => tokio::time::timeout_at(deadline.into(), answer)
                .await
                .map_err(|_| Error::deadline_exceeded(format!("{method} was not answered in time")))?,
        };
        answer.unwrap_or_else(|_| Err(Error::unavailable("the server is stopping")))
    }

    fn put(
        &self,
        method: &'static str,
        payload: Bytes,
        deadline: Option<Instant>,
    ) -> Result<(u64, oneshot::Receiver<Result<Bytes, Error>>), Error> {
        let mut state = self.state();
        if state.pending.len() >= PENDING_MAX {
            return Err(Error::resource_exhausted(format!(
                "{PENDING_MAX} administrative requests wait already; try again later"
            )));
        }
        state.last_ticket += 1;
        let ticket = state.last_ticket;
        let (sender, receiver) = oneshot::channel();
        state.pending.insert(ticket, sender);
        state.queued.push_back(AdminRequest { ticket, method, payload, deadline });
        self.arrived.notify_all(); // who waits for another method sleeps on
        Ok((ticket, receiver))
    }

    /// The next request of this method, or none when `timeout` passes first. Blocks.
    #[must_use]
    pub fn next(&self, method: &str, timeout: Duration) -> Option<AdminRequest> {
        let is_asked = |request: &AdminRequest| request.method == method;
        let none = |state: &mut State| !state.queued.iter().any(is_asked);
        let (mut state, _) = self
            .arrived
            .wait_timeout_while(self.state(), timeout, none)
            .unwrap_or_else(PoisonError::into_inner);
        let index = state.queued.iter().position(is_asked)?;
        state.queued.remove(index)
    }

    /// Answers a request; whether somebody still waited for it.
    pub fn answer(&self, ticket: u64, answer: Result<Bytes, Error>) -> bool {
        let waiting = self.state().pending.remove(&ticket);
        waiting.is_some_and(|waiting| waiting.send(answer).is_ok())
    }

    fn forget(&self, ticket: u64) {
        let mut state = self.state();
        state.pending.remove(&ticket);
        state.queued.retain(|request| request.ticket != ticket);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes its request out when the caller goes, answered or not.
struct Ticket {
    queue: Arc<AdminQueue>,
    number: u64,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.queue.forget(self.number);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test may panic
mod tests {
    use super::*;
    use crate::error::Code;

    const METHOD: &str = "HandleReloadConfigRequest";

    #[tokio::test]
    async fn a_request_is_taken_once_and_its_answer_reaches_the_caller() {
        let queue = Arc::new(AdminQueue::default());
        let control = Arc::clone(&queue);
        let answering = tokio::task::spawn_blocking(move || {
            let request = control.next(METHOD, Duration::from_secs(30)).unwrap();
            assert!(control.next(METHOD, Duration::ZERO).is_none());
            assert!(control.answer(request.ticket, Ok(request.payload)));
            assert!(!control.answer(request.ticket, Ok(Bytes::new())));
        });
        let answer = queue.submit(METHOD, Bytes::from_static(b"hello"), None).await;
        assert_eq!(answer.unwrap(), "hello");
        answering.await.unwrap();
    }

    #[tokio::test]
    async fn a_request_whose_deadline_passes_leaves_nothing_behind() {
        let queue = Arc::new(AdminQueue::default());
        let error = queue.submit(METHOD, Bytes::new(), Some(Instant::now())).await.unwrap_err();
        assert_eq!(error.code, Code::DeadlineExceeded);
        assert!(queue.next(METHOD, Duration::ZERO).is_none());
        assert!(!queue.answer(1, Ok(Bytes::new())));
    }

    #[tokio::test]
    async fn who_asks_for_one_method_gets_no_other() {
        let queue = Arc::new(AdminQueue::default());
        let mut first = Box::pin(queue.submit("GetMetricsPage", Bytes::new(), None));
        assert!(futures_poll(&mut first).await.is_none());
        let mut second = Box::pin(queue.submit(METHOD, Bytes::new(), None));
        assert!(futures_poll(&mut second).await.is_none());
        assert_eq!(queue.next(METHOD, Duration::ZERO).map(|request| request.method), Some(METHOD));
        assert_eq!(queue.next(METHOD, Duration::ZERO), None);
        assert!(queue.next("GetMetricsPage", Duration::ZERO).is_some());
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once_and_takes_again_when_a_caller_has_gone() {
        let queue = Arc::new(AdminQueue::default());
        let mut waiting = Vec::new();
        for _ in 0..PENDING_MAX {
            let mut submit = Box::pin({
                let queue = Arc::clone(&queue);
                async move { queue.submit(METHOD, Bytes::new(), None).await }
            });
            assert!(futures_poll(&mut submit).await.is_none());
            waiting.push(submit);
        }
        let error = queue.submit(METHOD, Bytes::new(), None).await.unwrap_err();
        assert_eq!(error.code, Code::ResourceExhausted);
        drop(waiting.pop());
        let mut submit = Box::pin(queue.submit(METHOD, Bytes::new(), None));
        assert!(futures_poll(&mut submit).await.is_none());
    }

    /// Polls once.
    async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(context) {
                std::task::Poll::Ready(output) => Some(output),
                std::task::Poll::Pending => None,
            })
        })
        .await
    }
}
