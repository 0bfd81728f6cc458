//! The one path of an inference request, whatever method and door it came by: choose the version, choose what to
//! run, decode, run, encode.
//!
//! A door brings a [`Codec`], which knows its method and its wire and nothing of versions; this file knows versions
//! and nothing of wires. Decode, run and encode are three steps of their own, so that something may stand between
//! them.

use crate::{
    batching::{self, Arrived, Batcher, Means},
    error::{Code, Error},
    execute::{Executor, Prospect},
    lane::Class,
    metrics::CountedApi,
    request_log,
    route::Router,
    runtime::{GraphRun, Head, Model, RunOptions},
    servable::Handle,
    shadow::{Asked, is_mirrored, mirror},
    signature::{CLASSIFY_METHOD, PREDICT_METHOD, REGRESS_METHOD, Signature, Signatures},
    stats::{Gauges, Ledger, Method},
    tally::Tally,
    tensor::Tensor,
    traffic::{Asker, Caller, Key, Served},
};
use bytes::Bytes;
use std::{
    sync::Arc,
    time::{Duration, Instant},
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

/// The method that a request came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are the services' own
pub enum Api {
    Predict,
    Classify,
    Regress,
    MultiInference,
    SessionRun,
}

impl Api {
    /// Whether requests of one signature and size take about the same time. Not those that choose themselves what
    /// of a graph is run, nor those that run several signatures.
    fn is_predictable(self) -> bool {
        matches!(self, Self::Predict | Self::Classify | Self::Regress)
    }
}

/// What the operator lets requests do, beyond what every server answers or short of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// A signature is only run by a method that its `method_name` fits.
    pub check_method_names: bool,
    /// `SessionRun` is answered, and with it any operation of a graph can be run.
    pub session_run: bool,
}

impl Rules {
    /// Refuses a signature that Predict may not run.
    pub(crate) fn check_predict(self, signature: &Signature) -> Result<(), Error> {
        let methods = [PREDICT_METHOD, CLASSIFY_METHOD, REGRESS_METHOD];
        if !self.check_method_names || methods.contains(&signature.method_name.as_str()) {
            return Ok(());
        }
        Err(Error::internal(format!(
            "Expected prediction signature method_name to be one of {{{}}}. Was: {}",
            methods.join(", "),
            signature.method_name
        )))
    }
}

/// What the path found, for the answer's `model_spec`.
#[derive(Clone, Copy, Debug)]
pub struct Answered<'a> {
    /// The version that answered.
    pub version: i64,
    /// What it can be asked.
    pub signatures: &'a Signatures,
}

impl<'a> Answered<'a> {
    /// The signature that was run.
    pub fn signature(&self, run: &SignatureRun) -> Result<&'a Signature, Error> {
        self.signatures
            .get(run.signature)
            .ok_or_else(|| Error::internal("the signature that was run is not there"))
    }
}

/// What to run a signature on.
#[derive(Debug)]
pub struct Inputs {
    /// One tensor for each declared input, in the signature's (sorted) order.
    pub tensors: Vec<Tensor>,
    /// Which declared outputs to compute, as indexes into the signature's outputs.
    pub outputs: Vec<usize>,
}

/// What a request has a model do: decoded, checked, and not yet done.
pub trait Run: Send + 'static {
    /// Does it: the tensors asked for, in the order asked.
    fn run(&self, model: &dyn Model, options: RunOptions) -> Result<Vec<Tensor>, Error>;

    /// The same as what can be done for several requests at once; none when it cannot.
    fn batchable(&self) -> Option<&SignatureRun> {
        None
    }

    /// The same as what another version can be asked, too; none when it means this version's own graph.
    fn into_asked(self) -> Option<Asked>
    where
        Self: Sized,
    {
        None
    }
}

/// One signature on the tensors of one request.
#[derive(Debug)]
pub struct SignatureRun {
    /// Its index in `Signatures::list`.
    pub signature: usize,
    /// Tensors in, outputs asked for.
    pub inputs: Inputs,
}

impl Run for SignatureRun {
    fn run(&self, model: &dyn Model, options: RunOptions) -> Result<Vec<Tensor>, Error> {
        let Inputs { tensors, outputs } = &self.inputs;
        let answers = model.run(self.signature, tensors, outputs, options)?;
        if answers.len() == outputs.len() {
            Ok(answers)
        } else {
            Err(Error::unknown("Predict internal error"))
        }
    }

    fn batchable(&self) -> Option<&SignatureRun> {
        Some(self)
    }

    fn into_asked(self) -> Option<Asked> {
        let Self { signature, inputs: Inputs { tensors, outputs } } = self;
        Some(Asked { heads: vec![Head { signature, outputs }], inputs: tensors })
    }
}

impl Run for GraphRun {
    fn run(&self, model: &dyn Model, options: RunOptions) -> Result<Vec<Tensor>, Error> {
        let answers = model.run_graph(self, options)?;
        if answers.len() == self.fetches.len() {
            Ok(answers)
        } else {
            Err(Error::unknown("SessionRun internal error"))
        }
    }
}

/// One request by its method and on its door's wire. `decode` and `encode` may be called on a run thread.
pub trait Codec: Send + 'static {
    /// What it becomes.
    type Run: Run;

    /// The method it came by.
    fn api(&self) -> Api;

    /// By which door it came.
    fn door(&self) -> Door;

    /// The signature that it is for, by its index: the first where it names several; none where it names none.
    /// What no decoding is needed to refuse, is refused here, in the method's own words.
    fn choose(&self, signatures: &Signatures) -> Result<Option<usize>, Error>;

    /// The value of the input (or the Example's feature) of this name, if that can be a routing key: one element, a
    /// string or an integer. Read before the version is chosen, so it is never looked for far.
    fn routing_key(&self, _input: &str) -> Option<Key> {
        None
    }

    /// The request's tensors, checked against what they are for.
    fn decode(&mut self, signatures: &Signatures) -> Result<Self::Run, Error>;

    /// How many Examples there were, once they are decoded, for methods whose Examples are counted.
    fn examples_counted(&self) -> Option<usize> {
        None
    }

    /// Request and answer as the gRPC service's messages, for the request log of `model`: of a door that brings and
    /// answers something else. None when they would be too long for it.
    fn messages(
        &self,
        _model: &str,
        _answered: Answered<'_>,
        _run: &Self::Run,
        _outputs: &[Tensor],
    ) -> Option<request_log::Messages> {
        None
    }

    /// The answer's body. `outputs` are what `run` came to.
    fn encode(self, answered: Answered<'_>, run: &Self::Run, outputs: Vec<Tensor>) -> Result<Bytes, Error>;
}

/// One request and its limits.
#[derive(Debug)]
pub struct Call<C> {
    /// What it asks for.
    pub target: Target,
    /// Its body.
    pub codec: C,
    /// Its body, where that is a message of the gRPC service, for the request log.
    pub message: Option<Bytes>,
    /// Size of its body on the wire; the path predicts from it how long the work will take.
    pub body_bytes: usize,
    /// When the caller stops waiting.
    pub deadline: Option<Instant>,
    /// Who asks.
    pub caller: Caller,
}

/// What became of a request.
#[derive(Debug)]
pub struct Outcome {
    /// The answer's body, or what went wrong.
    pub answer: Result<Bytes, Error>,
    /// Who answered; none where no version was chosen.
    pub served: Option<Served>,
}

impl Outcome {
    /// An answer that no version had a part in.
    #[must_use]
    pub fn of(answer: Result<Bytes, Error>) -> Self {
        Self { answer, served: None }
    }
}

/// What a request passes: the routes, the executor, and who counts.
#[derive(Debug)]
pub(crate) struct Path {
    pub(crate) routes: Router,
    pub(crate) executor: Executor,
    pub(crate) batcher: Batcher,
    pub(crate) ledger: Ledger,
    pub(crate) gauges: Arc<Gauges>,
}

impl Path {
    /// Answers one request and counts it, once, whatever becomes of it.
    pub(crate) async fn infer<C: Codec>(&self, call: Call<C>) -> Outcome {
        let method = Method { api: call.codec.api(), door: call.codec.door() };
        let mut tally = Tally::begin(&self.ledger, &self.gauges, method, call.deadline);
        let answer = self.answer(call, &mut tally).await;
        let code = answer.as_ref().err().map_or(Code::Ok, |error| error.code);
        Outcome { answer, served: tally.end(code) }
    }

    async fn answer<C: Codec>(&self, call: Call<C>, tally: &mut Tally<'_>) -> Result<Bytes, Error> {
        let Call { target, codec, message, body_bytes, deadline, caller } = call;
        let _in_flight = self.executor.admit()?;
        let handle = self
            .hold(&target, &caller, &codec)
            .inspect_err(|_| tally.rows = self.routes.rows(&target.model))?;
        drop(caller);
        tally.rows = Some(Arc::clone(handle.slot().rows()));
        let (version, assignment) = (handle.slot().version(), handle.assignment().cloned());
        tally.served = Some(Served { version, assignment });
        tally.signature = codec.choose(handle.model().signatures())?;
        let message = message.filter(|_| handle.log().is_some());
        if handle.slot().batching().is_some() {
            let means = Means { executor: &self.executor, batcher: &self.batcher };
            let arrived = Arrived { codec, message, body_bytes, deadline };
            return Box::pin(batching::answer(means, handle, arrived)).await;
        }
        let class = tally.signature.filter(|_| codec.api().is_predictable());
        let class = class.map_or(Class::UNKNOWN, |signature| Class::of(signature, body_bytes));
        let sent = Sent { codec, message, body_bytes };
        let job = move |handle: &Handle, options: RunOptions| work(handle, sent, options);
        self.executor.execute(handle, Prospect { class, deadline }, job).await
    }

    /// A hold on the version that answers.
    fn hold<C: Codec>(&self, target: &Target, caller: &Caller, codec: &C) -> Result<Handle, Error> {
        self.routes.acquire_for(target, &Asker { caller, input: &|name| codec.routing_key(name) })
    }
}

/// A request before decode.
pub(crate) struct Sent<C> {
    pub(crate) codec: C,
    pub(crate) message: Option<Bytes>,
    pub(crate) body_bytes: usize,
}

/// A request's work on the version it holds: decode, run, encode.
fn work<C: Codec>(handle: &Handle, sent: Sent<C>, options: RunOptions) -> Result<Bytes, Error> {
    answer_alone(handle, sent.decode(handle)?, options)
}

impl<C: Codec> Sent<C> {
    /// Its tensors.
    pub(crate) fn decode(self, handle: &Handle) -> Result<Decoded<C>, Error> {
        let Self { mut codec, message, body_bytes } = self;
        let run = codec.decode(handle.model().signatures())?;
        Ok(Decoded { codec, message, body_bytes, run })
    }
}

/// Runs a request by itself and makes its answer.
pub(crate) fn answer_alone<C: Codec>(
    handle: &Handle,
    decoded: Decoded<C>,
    options: RunOptions,
) -> Result<Bytes, Error> {
    match run_counted(handle, &decoded.codec, &decoded.run, options) {
        Ok(outputs) => encode(handle, decoded, outputs),
        Err(error) => Err(fail(handle, decoded, error)),
    }
}

/// A request whose run failed: its shadow is told, too.
pub(crate) fn fail<C: Codec>(handle: &Handle, decoded: Decoded<C>, error: Error) -> Error {
    let Decoded { run, body_bytes, .. } = decoded;
    mirror(handle, run, body_bytes, Err(&error));
    error
}

/// A request between decode and encode.
pub(crate) struct Decoded<C: Codec> {
    pub(crate) codec: C,
    pub(crate) message: Option<Bytes>,
    pub(crate) body_bytes: usize,
    pub(crate) run: C::Run,
}

/// Does a request's run by itself, and counts it.
fn run_counted<C: Codec>(
    handle: &Handle,
    codec: &C,
    run: &C::Run,
    options: RunOptions,
) -> Result<Vec<Tensor>, Error> {
    let begun = Instant::now();
    begin_run(handle);
    let outcome = run.run(handle.model(), options);
    end_run(handle, codec, run, &outcome, begun.elapsed());
    outcome
}

/// Says that a request's model begins to run.
pub(crate) fn begin_run(handle: &Handle) {
    if let Some(assignment) = handle.assignment() {
        assignment.begin_run();
    }
}

/// Counts a run, and shows what it came to to the trial that the request belongs to.
pub(crate) fn end_run<C: Codec>(
    handle: &Handle,
    codec: &C,
    run: &C::Run,
    outcome: &Result<Vec<Tensor>, Error>,
    took: Duration,
) {
    if let Some(assignment) = handle.assignment() {
        match outcome {
            Ok(outputs) => assignment.observe(handle, run.batchable(), outputs),
            Err(_) => assignment.fail_run(),
        }
    }
    if outcome.is_ok() {
        count_run(handle, codec, took);
    }
}

fn count_run<C: Codec>(handle: &Handle, codec: &C, took: Duration) {
    let counts = handle.slot().rows().counts();
    if let Some(api) = CountedApi::of(codec.api()) {
        counts.record_run(api, took);
    }
    if let Some(examples) = codec.examples_counted() {
        counts.record_examples(examples);
    }
}

/// The answer's body, what the request log keeps, and what its shadow is given. A tensor's copy shares its elements.
pub(crate) fn encode<C: Codec>(
    handle: &Handle,
    decoded: Decoded<C>,
    outputs: Vec<Tensor>,
) -> Result<Bytes, Error> {
    let Decoded { codec, message, body_bytes, run } = decoded;
    let answered = Answered { version: handle.slot().version(), signatures: handle.model().signatures() };
    let mirrored = is_mirrored(handle).then(|| outputs.clone());
    let answer = match handle.log() {
        None => codec.encode(answered, &run, outputs),
        Some(log) => log.encode(codec, message, answered, &run, outputs),
    };
    if let Some(outputs) = mirrored {
        mirror(handle, run, body_bytes, Ok(outputs));
    }
    answer
}

#[cfg(test)]
#[path = "inference_tests.rs"]
pub(crate) mod tests;
