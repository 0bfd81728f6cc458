//! The unary methods: which there are, and what answers them.

use super::{examples, metadata, model_status, multi_inference, predict, session_run};
use crate::{
    error::Error, examples::Task, inference::Outcome, plane::Plane, tensor_proto::TensorEncoding,
    traffic::Caller,
};
use bytes::Bytes;
use std::{future::Future, sync::Arc, time::Instant};

/// A request for a model's metadata or status names a model and little else.
const QUESTION_BYTES_MAX: usize = 1024 * 1024;

/// A configuration of ten thousand models is about this long.
const CONFIGURATION_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What the transport calls: messages in, messages out.
pub trait Methods: Send + Sync + 'static {
    /// One method.
    type Method: Copy + Send + Sync + 'static;

    /// The method at this path, `/tensorflow.serving.PredictionService/Predict` for example.
    fn find(&self, path: &str) -> Option<Self::Method>;

    /// How long a request's message may be, where that is less than any message's limit.
    fn message_bytes_max(&self, method: Self::Method) -> usize;

    /// Answers a request with the answer's message. Dropping the future cancels what has not begun to run.
    fn call(&self, method: Self::Method, asked: Asked) -> impl Future<Output = Outcome> + Send;
}

/// A request of a unary method.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its message.
    pub message: Bytes,
    /// When its caller stops waiting.
    pub deadline: Option<Instant>,
    /// Who asks.
    pub caller: Caller,
}

/// TensorFlow Serving's services, answered by a [`Plane`].
#[derive(Debug)]
pub struct ServingMethods {
    plane: Arc<Plane>,
    encoding: TensorEncoding,
}

/// The methods of `PredictionService`, `ModelService` and `SessionService`, and TensorFlow's own `ProfilerService`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the names are the services' own
pub enum ServingMethod {
    Predict,
    Classify,
    Regress,
    MultiInference,
    GetModelMetadata,
    GetModelStatus,
    HandleReloadConfigRequest,
    SessionRun,
    /// Every method of the profiler, none of which is answered.
    Profiler,
}

impl ServingMethods {
    /// The methods that ask this plane.
    #[must_use]
    pub fn new(plane: Arc<Plane>) -> Self {
        Self { plane, encoding: TensorEncoding::default() }
    }

    /// The same, answering Predict with tensors encoded like this.
    #[must_use]
    pub fn with_encoding(self, encoding: TensorEncoding) -> Self {
        Self { encoding, ..self }
    }
}

impl Methods for ServingMethods {
    type Method = ServingMethod;

    fn find(&self, path: &str) -> Option<ServingMethod> {
        match path {
            "/tensorflow.serving.PredictionService/Predict" => Some(ServingMethod::Predict),
            "/tensorflow.serving.PredictionService/Classify" => Some(ServingMethod::Classify),
            "/tensorflow.serving.PredictionService/Regress" => Some(ServingMethod::Regress),
            "/tensorflow.serving.PredictionService/MultiInference" => Some(ServingMethod::MultiInference),
            "/tensorflow.serving.PredictionService/GetModelMetadata" => Some(ServingMethod::GetModelMetadata),
            "/tensorflow.serving.ModelService/GetModelStatus" => Some(ServingMethod::GetModelStatus),
            "/tensorflow.serving.ModelService/HandleReloadConfigRequest" => {
                Some(ServingMethod::HandleReloadConfigRequest)
            }
            "/tensorflow.serving.SessionService/SessionRun" => Some(ServingMethod::SessionRun),
            "/tensorflow.ProfilerService/Profile"
            | "/tensorflow.ProfilerService/Terminate"
            | "/tensorflow.ProfilerService/Monitor" => Some(ServingMethod::Profiler),
            _ => None,
        }
    }

    fn message_bytes_max(&self, method: ServingMethod) -> usize {
        match method {
            ServingMethod::GetModelMetadata | ServingMethod::GetModelStatus | ServingMethod::Profiler => {
                QUESTION_BYTES_MAX
            }
            ServingMethod::HandleReloadConfigRequest => CONFIGURATION_BYTES_MAX,
            _ => usize::MAX,
        }
    }

    async fn call(&self, method: ServingMethod, asked: Asked) -> Outcome {
        self.answer(method, asked).await.unwrap_or_else(|error| Outcome::of(Err(error)))
    }
}

impl ServingMethods {
    /// An error is one that came before any version was chosen.
    async fn answer(&self, method: ServingMethod, asked: Asked) -> Result<Outcome, Error> {
        match method {
            ServingMethod::Predict => predict::answer(&self.plane, asked, self.encoding).await,
            ServingMethod::Classify => examples::answer(&self.plane, Task::Classify, asked).await,
            ServingMethod::Regress => examples::answer(&self.plane, Task::Regress, asked).await,
            ServingMethod::MultiInference => multi_inference::answer(&self.plane, asked).await,
            ServingMethod::SessionRun => session_run::answer(&self.plane, asked).await,
            _ => self.answer_question(method, asked).await.map(|body| Outcome::of(Ok(body))),
        }
    }

    /// What is no inference.
    async fn answer_question(&self, method: ServingMethod, asked: Asked) -> Result<Bytes, Error> {
        let Asked { message, deadline, .. } = asked;
        match method {
            ServingMethod::GetModelMetadata => metadata::answer(&self.plane, message),
            ServingMethod::GetModelStatus => model_status::answer(&self.plane, message),
            ServingMethod::HandleReloadConfigRequest => {
                self.plane.submit_admin("HandleReloadConfigRequest", message, deadline).await
            }
            _ => Err(Error::unimplemented(
                "There is no profiler in this server; latencies are on the operators' port at /metrics",
            )),
        }
    }
}
