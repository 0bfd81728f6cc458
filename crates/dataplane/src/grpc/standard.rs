//! The services that every gRPC server has, as their own projects generate them: health and reflection.
//!
//! They stand beside the request path, not on it, so they use tonic's servers. What they may cost is bounded here.

use super::{
    answer::{self, AnswerBody},
    health::Health,
};
use crate::{error::Error, plane::Plane, server::Stage, wire};
use http::{Request, Response};
use std::{convert::Infallible, future::Future, pin::Pin, sync::Arc, time::Duration};
use tokio::{
    sync::{Semaphore, watch},
    time::timeout,
};
use tonic::{body::Body, codegen::Service};
use tonic_health::pb::health_server::HealthServer;
use tonic_reflection::{pb, server::Builder};

/// Requests to these services are a name or two long.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// Watchers of health at once, and clients of reflection at once; further ones are refused.
const STREAMS_MAX: usize = 1_024;

type Call = Box<dyn Fn(Request<Body>) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> + Send + Sync>;

/// Health and reflection.
pub(super) struct Standard {
    health: Call,
    reflection_v1: Call,
    reflection_v1alpha: Call,
    watchers: Arc<Semaphore>,
    reflections: Arc<Semaphore>,
    idle: Duration,
    stage: watch::Receiver<Stage>,
}

/// One of these services' methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StandardMethod {
    Check,
    Watch,
    ReflectionV1,
    ReflectionV1Alpha,
}

impl StandardMethod {
    pub(super) fn find(path: &str) -> Option<Self> {
        match path {
            "/grpc.health.v1.Health/Check" => Some(Self::Check),
            "/grpc.health.v1.Health/Watch" => Some(Self::Watch),
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo" => Some(Self::ReflectionV1),
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo" => Some(Self::ReflectionV1Alpha),
            _ => None,
        }
    }
}

impl Standard {
    /// `idle` is how long a request's bytes may pause; streams end when `stage` says that the server closes.
    pub(super) fn new(
        plane: Arc<Plane>,
        idle: Duration,
        stage: watch::Receiver<Stage>,
    ) -> Result<Self, Error> {
        let broken = |error| Error::internal(format!("The descriptors for reflection are broken: {error}"));
        let v1 = descriptors().build_v1().map_err(broken)?;
        let v1alpha = descriptors().build_v1alpha().map_err(broken)?;
        let health = HealthServer::new(Health::new(plane));
        Ok(Self {
            health: erase(health.max_decoding_message_size(MESSAGE_BYTES_MAX)),
            reflection_v1: erase(v1.max_decoding_message_size(MESSAGE_BYTES_MAX)),
            reflection_v1alpha: erase(v1alpha.max_decoding_message_size(MESSAGE_BYTES_MAX)),
            watchers: Arc::new(Semaphore::new(STREAMS_MAX)),
            reflections: Arc::new(Semaphore::new(STREAMS_MAX)),
            idle,
            stage,
        })
    }

    pub(super) async fn call(&self, method: StandardMethod, request: Request<Body>) -> Response<AnswerBody> {
        let (service, places) = match method {
            StandardMethod::Check => (&self.health, None),
            StandardMethod::Watch => (&self.health, Some(&self.watchers)),
            StandardMethod::ReflectionV1 => (&self.reflection_v1, Some(&self.reflections)),
            StandardMethod::ReflectionV1Alpha => (&self.reflection_v1alpha, Some(&self.reflections)),
        };
        let Ok(permit) = places.map(|places| Arc::clone(places).try_acquire_owned()).transpose() else {
            return answer::error(&Error::resource_exhausted(format!(
                "More than {STREAMS_MAX} clients watch health or use reflection"
            )));
        };
        match timeout(self.idle, service(request)).await {
            Ok(response) => answer::stream(response, permit, self.stage.clone()),
            Err(_) => {
                answer::error(&Error::deadline_exceeded("The request's message did not arrive in time"))
            }
        }
    }
}

impl std::fmt::Debug for Standard {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Standard").field("watchers", &self.watchers).finish_non_exhaustive()
    }
}

/// Everything that the server speaks, both versions of reflection included, whichever of them is asked.
fn descriptors() -> Builder<'static> {
    Builder::configure()
        .register_encoded_file_descriptor_set(wire::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(pb::v1::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(pb::v1alpha::FILE_DESCRIPTOR_SET)
        .include_reflection_service(false)
}

/// A generated server as a function.
fn erase<S>(service: S) -> Call
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    Box::new(move |request| {
        let called = service.clone().call(request);
        Box::pin(async move {
            let Ok(response) = called.await;
            response
        })
    })
}
