//! The standard health service, telling the truth: it reads the plane whenever it is asked and remembers nothing.

use crate::plane::Plane;
use std::{pin::Pin, sync::Arc};
use tokio_stream::{Stream, StreamExt, wrappers::WatchStream};
use tonic::{Request, Response, Status};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus, health_server,
};

/// The names that mean the server as a whole: none, and those that TensorFlow Serving registers, in both spellings.
const WHOLE_SERVER: [&str; 5] = [
    "",
    "tensorflow.serving.PredictionService",
    "tensorflow.serving.ModelService",
    "PredictionService",
    "ModelService",
];

/// `grpc.health.v1.Health`. A name is a service's, or else a model's.
#[derive(Debug)]
pub(super) struct Health {
    plane: Arc<Plane>,
}

impl Health {
    pub(super) fn new(plane: Arc<Plane>) -> Self {
        Self { plane }
    }
}

fn status(plane: &Plane, name: &str) -> ServingStatus {
    let serves = if WHOLE_SERVER.contains(&name) { Some(plane.healthy()) } else { plane.has_ready(name) };
    match serves {
        Some(true) => ServingStatus::Serving,
        Some(false) => ServingStatus::NotServing,
        None => ServingStatus::ServiceUnknown,
    }
}

fn respond(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

#[tonic::async_trait]
impl health_server::Health for Health {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let name = request.into_inner().service;
        match status(&self.plane, &name) {
            ServingStatus::ServiceUnknown => {
                Err(Status::not_found(format!("Neither a service nor a model: {name:?}")))
            }
            known => Ok(Response::new(respond(known))),
        }
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let name = request.into_inner().service;
        let plane = Arc::clone(&self.plane);
        let mut told = None;
        // The first item comes at once; the plane is read after the change is taken in, so none is missed.
        let changes = WatchStream::new(plane.changes()).filter_map(move |_| {
            let now = status(&plane, &name);
            (told.replace(now) != Some(now)).then(|| Ok(respond(now)))
        });
        Ok(Response::new(Box::pin(changes)))
    }
}
