//! One request while it waits for its batch and runs in it, and the answer that is put together from its parts.

use super::{
    rules::Shaping,
    tensors::{self, Form},
};
use crate::{error::Error, servable::Handle, tensor::Tensor};
use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};
use tokio::sync::oneshot;

/// What a request's parts came to, in the order of its rows; one part nearly always.
pub(super) type Pieces = Vec<Vec<Tensor>>;

/// A request that runs in a batch.
pub(crate) struct Pending {
    /// Keeps the version until the batch has run, also when the caller has gone.
    pub(super) handle: Arc<Handle>,
    pub(super) inputs: Vec<Tensor>,
    pub(super) came: Instant,
    pub(super) deadline: Option<Instant>,
    rows: usize,
    gathered: Mutex<Gathered>,
}

struct Gathered {
    /// Answers by their first row.
    pieces: Vec<(usize, Vec<Tensor>)>,
    rows: usize,
    /// None once it was answered.
    reply: Option<oneshot::Sender<Result<Pieces, Error>>>,
}

/// What a request brings.
pub(super) struct Brought {
    pub(super) handle: Arc<Handle>,
    pub(super) inputs: Vec<Tensor>,
    pub(super) rows: usize,
    pub(super) deadline: Option<Instant>,
}

impl Pending {
    /// The request, and where its answer comes.
    pub(super) fn new(brought: Brought) -> (Arc<Self>, oneshot::Receiver<Result<Pieces, Error>>) {
        let Brought { handle, inputs, rows, deadline } = brought;
        let (reply, answer) = oneshot::channel();
        let gathered = Mutex::new(Gathered { pieces: Vec::new(), rows: 0, reply: Some(reply) });
        (Arc::new(Self { handle, inputs, came: Instant::now(), deadline, rows, gathered }), answer)
    }

    /// Takes what some of its rows came to. The last of them answers the request, or the first that failed; what
    /// comes after that is dropped, so a request is answered once.
    pub(super) fn settle(&self, rows: &Range<usize>, outcome: Result<Vec<Tensor>, Error>) {
        let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Ok(tensors) => {
                gathered.rows += rows.len();
                gathered.pieces.push((rows.start, tensors));
                if gathered.rows < self.rows {
                    return;
                }
                let mut pieces = std::mem::take(&mut gathered.pieces);
                pieces.sort_by_key(|(first, _)| *first);
                gathered.answer(Ok(pieces.into_iter().map(|(_, tensors)| tensors).collect()));
            }
            Err(error) => gathered.answer(Err(error)),
        }
    }
}

impl Gathered {
    fn answer(&mut self, outcome: Result<Pieces, Error>) {
        if let Some(reply) = self.reply.take() {
            let _ = reply.send(outcome); // nobody waits any more: the answer is dropped
        }
    }
}

/// The whole answer: each output's pieces, one after the other.
pub(super) fn assemble(mut pieces: Pieces) -> Result<Vec<Tensor>, Error> {
    if pieces.len() <= 1 {
        return Ok(pieces.pop().unwrap_or_default());
    }
    let outputs = pieces.first().map_or(0, Vec::len);
    let column = |index: usize| -> Vec<Tensor> {
        pieces.iter().filter_map(|piece| piece.get(index).cloned()).collect()
    };
    (0..outputs).map(|index| join(&column(index))).collect()
}

fn join(tensors: &[Tensor]) -> Result<Tensor, Error> {
    let mut forms = tensors.iter().map(|tensor| Form::of(tensor, &Shaping::default()));
    let first = forms.next();
    if forms.all(|form| Some(&form) == first.as_ref()) {
        tensors::join(tensors)
    } else {
        Err(Error::internal(
            "Tensor concat operation failed: the parts of a split request have unlike shapes",
        ))
    }
}
