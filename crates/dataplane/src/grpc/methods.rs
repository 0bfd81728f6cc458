//! The unary methods: which there are, and what answers them.

use super::{examples, metadata, model_status, multi_inference, predict, session_run};
use crate::{error::Error, examples::Task, plane::Plane, tensor_proto::TensorEncoding};
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
    fn call(
        &self,
        method: Self::Method,
        message: Bytes,
        deadline: Option<Instant>,
    ) -> impl Future<Output = Result<Bytes, Error>> + Send;
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

    async fn call(
        &self,
        method: ServingMethod,
        message: Bytes,
        deadline: Option<Instant>,
    ) -> Result<Bytes, Error> {
        match method {
            ServingMethod::Predict => predict::answer(&self.plane, message, self.encoding, deadline).await,
            ServingMethod::Classify => examples::answer(&self.plane, Task::Classify, message, deadline).await,
            ServingMethod::Regress => examples::answer(&self.plane, Task::Regress, message, deadline).await,
            ServingMethod::MultiInference => multi_inference::answer(&self.plane, message, deadline).await,
            ServingMethod::GetModelMetadata => metadata::answer(&self.plane, message),
            ServingMethod::GetModelStatus => model_status::answer(&self.plane, message),
            ServingMethod::HandleReloadConfigRequest => {
                self.plane.submit_admin("HandleReloadConfigRequest", message, deadline).await
            }
            ServingMethod::SessionRun => session_run::answer(&self.plane, message, deadline).await,
            ServingMethod::Profiler => Err(Error::unimplemented(
                "There is no profiler in this server; latencies are on the operators' port at /metrics",
            )),
        }
    }
}
