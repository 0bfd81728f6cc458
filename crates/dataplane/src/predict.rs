//! The one path of a Predict request: choose the version, find the signature, decode, run, encode.
//!
//! A door brings a [`Codec`], which knows its wire and nothing of versions; this file knows versions and nothing
//! of wires. Classify, Regress and `MultiInference` join here as further codecs.

use crate::{
    error::{Code, Error},
    execute::{Executor, Prospect},
    lane::Class,
    route::Router,
    runtime::{Model, RunOptions},
    servable::Handle,
    signature::{DEFAULT_SIGNATURE, Signature},
    stats::{Gauges, Ledger, Rows},
    tensor::Tensor,
};
use bytes::Bytes;
use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

/// Which version a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionChoice {
    /// Exactly this one.
    Version(i64),
    /// The one that this label names.
    Label(String),
    /// The model's default version.
    Default,
}

/// What a request asks for: `ModelSpec` or a REST path, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The model's name, as sent (an empty one is refused by the path).
    pub model: String,
    /// Which of its versions.
    pub version: VersionChoice,
}

/// The protocol that a request came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Door {
    /// gRPC.
    Grpc,
    /// REST.
    Rest,
}

/// What the path found, for the answer's `model_spec`.
#[derive(Clone, Copy, Debug)]
pub struct Answered<'a> {
    /// The version that answered.
    pub version: i64,
    /// The signature that was run; `serving_default` when none was named.
    pub signature: &'a Signature,
}

/// What to run a signature on.
#[derive(Debug)]
pub struct Inputs {
    /// One tensor for each declared input, in the signature's (sorted) order.
    pub tensors: Vec<Tensor>,
    /// Which declared outputs to compute, as indexes into the signature's outputs.
    pub outputs: Vec<usize>,
}

/// One request on its door's wire. `decode` and `encode` may be called on a run thread.
pub trait Codec: Send + 'static {
    /// By which door it came, for statistics.
    fn door(&self) -> Door;

    /// The signature it names; empty: the default one.
    fn signature_name(&self) -> &str;

    /// How this door words an unknown signature; `name` is never empty.
    fn unknown_signature(&self, name: &str) -> Error;

    /// The request's tensors, checked against the signature's names.
    fn decode(&mut self, signature: &Signature) -> Result<Inputs, Error>;

    /// The answer's body. `outputs` are the tensors of `indexes`, in that order.
    fn encode(self, answered: Answered<'_>, indexes: &[usize], outputs: Vec<Tensor>) -> Result<Bytes, Error>;
}

/// One request and its limits.
#[derive(Debug)]
pub struct Call<C> {
    /// What it asks for.
    pub target: Target,
    /// Its body.
    pub codec: C,
    /// Size of its body on the wire; the path predicts from it how long the work will take.
    pub body_bytes: usize,
    /// When the caller stops waiting.
    pub deadline: Option<Instant>,
}

/// What a request passes: the routes, the executor, and who counts.
#[derive(Debug)]
pub(crate) struct Path {
    pub(crate) routes: Router,
    pub(crate) executor: Executor,
    pub(crate) ledger: Ledger,
    pub(crate) gauges: Arc<Gauges>,
}

impl Path {
    /// Answers one request and counts it, once, whatever becomes of it.
    pub(crate) async fn predict<C: Codec>(&self, call: Call<C>) -> Result<Bytes, Error> {
        let mut tally = Tally::begin(self, call.codec.door());
        let outcome = self.answer(call, &mut tally).await;
        tally.code = outcome.as_ref().err().map_or(Code::Ok, |error| error.code);
        outcome
    }

    async fn answer<C: Codec>(&self, call: Call<C>, tally: &mut Tally<'_>) -> Result<Bytes, Error> {
        let Call { target, codec, body_bytes, deadline } = call;
        let _in_flight = self.executor.admit()?;
        let handle =
            self.routes.acquire(&target).inspect_err(|_| tally.rows = self.routes.rows(&target.model))?;
        tally.rows = Some(Arc::clone(handle.slot().rows()));
        let name = match codec.signature_name() {
            "" => DEFAULT_SIGNATURE,
            name => name,
        };
        let found = handle.model().signatures().find(name);
        let (index, _) = found.ok_or_else(|| codec.unknown_signature(name))?;
        tally.signature = Some(index);
        let prospect = Prospect { class: Class::of(index, body_bytes), deadline };
        let job = move |handle: &Handle, options: RunOptions| work(handle, index, codec, options);
        self.executor.execute(handle, prospect, job).await
    }
}

/// A request's work on the version it holds: decode, run, encode.
fn work<C: Codec>(handle: &Handle, index: usize, mut codec: C, options: RunOptions) -> Result<Bytes, Error> {
    let model = handle.model();
    let signature = model
        .signatures()
        .list()
        .get(index)
        .ok_or_else(|| Error::internal("the signature that was found is not there"))?;
    let inputs = codec.decode(signature)?;
    let outputs = run(model, index, &inputs, options)?;
    codec.encode(Answered { version: handle.slot().version(), signature }, &inputs.outputs, outputs)
}

/// One run of the signature with this index: one tensor for each output that was asked for.
pub(crate) fn run(
    model: &dyn Model,
    index: usize,
    inputs: &Inputs,
    options: RunOptions,
) -> Result<Vec<Tensor>, Error> {
    let outputs = model.run(index, &inputs.tensors, &inputs.outputs, options)?;
    if outputs.len() == inputs.outputs.len() {
        Ok(outputs)
    } else {
        Err(Error::unknown("Predict internal error"))
    }
}

/// Counts one request when it is dropped: a future that is dropped before its end was cancelled by the client.
struct Tally<'a> {
    path: &'a Path,
    door: Door,
    begun: Instant,
    /// None while no version or model that is here is known.
    rows: Option<Arc<Rows>>,
    signature: Option<usize>,
    code: Code,
}

impl<'a> Tally<'a> {
    fn begin(path: &'a Path, door: Door) -> Self {
        Self { path, door, begun: Instant::now(), rows: None, signature: None, code: Code::Cancelled }
    }
}

impl Drop for Tally<'_> {
    fn drop(&mut self) {
        let rows = self.rows.as_ref().unwrap_or_else(|| self.path.ledger.unknown());
        rows.record(self.signature, self.door, self.code, self.begun.elapsed());
        if self.code == Code::ResourceExhausted {
            self.path.gauges.refused_overload.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
#[path = "predict_tests.rs"]
pub(crate) mod tests;
