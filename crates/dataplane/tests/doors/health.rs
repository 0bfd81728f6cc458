//! The standard health service and reflection.

use crate::support::{Answer, Client, Fixture, Models, framed, soon, whole};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use prost::Message;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus};

const CHECK: &str = "/grpc.health.v1.Health/Check";
const WATCH: &str = "/grpc.health.v1.Health/Watch";

fn request(service: &str) -> Bytes {
    framed(&HealthCheckRequest { service: service.to_owned() }.encode_to_vec())
}

fn status(message: &[u8]) -> ServingStatus {
    HealthCheckResponse::decode(message).unwrap().status()
}

async fn check(client: &mut Client, service: &str) -> Answer {
    client.call(CHECK, &[], whole(request(service))).await
}

async fn next_status(watch: &mut Incoming) -> ServingStatus {
    let data = soon(watch.frame()).await.unwrap().unwrap().into_data().unwrap();
    status(&data[5..])
}

#[tokio::test]
async fn the_whole_server_is_healthy_when_the_plane_says_so() {
    let fixture = Fixture::start(|_| {});
    let mut client = Client::connect(fixture.grpc()).await;
    let names = [
        "",
        "tensorflow.serving.PredictionService",
        "tensorflow.serving.ModelService",
        "PredictionService",
        "ModelService",
    ];
    for (healthy, expected) in [(false, ServingStatus::NotServing), (true, ServingStatus::Serving)] {
        fixture.plane.set_healthy(healthy);
        for name in names {
            assert_eq!(status(check(&mut client, name).await.message()), expected, "{name:?}");
        }
    }
}

#[tokio::test]
async fn a_name_that_is_neither_a_service_nor_a_model_is_not_found() {
    let fixture = Fixture::start(|_| {});
    let mut client = Client::connect(fixture.grpc()).await;
    assert_eq!(check(&mut client, "nobody").await.status(), 5);
    let mut watch = client.send(WATCH, &[], whole(request("nobody"))).await.unwrap().into_body();
    assert_eq!(next_status(&mut watch).await, ServingStatus::ServiceUnknown);
}

#[tokio::test]
async fn a_model_is_healthy_when_one_of_its_versions_answers() {
    let fixture = Fixture::start(|_| {});
    let models = Models::new(&fixture.plane);
    let mut client = Client::connect(fixture.grpc()).await;
    let mut watch = client.send(WATCH, &[], whole(request("m"))).await.unwrap().into_body();
    assert_eq!(next_status(&mut watch).await, ServingStatus::ServiceUnknown);

    models.publish(1, &[]);
    assert_eq!(next_status(&mut watch).await, ServingStatus::NotServing);
    models.load(1);
    models.publish(2, &[1]);
    assert_eq!(next_status(&mut watch).await, ServingStatus::Serving);
    assert_eq!(status(check(&mut client, "m").await.message()), ServingStatus::Serving);
    models.publish(3, &[]);
    assert_eq!(next_status(&mut watch).await, ServingStatus::NotServing);
}

#[tokio::test]
async fn a_watcher_is_told_of_every_change_and_of_nothing_else() {
    let fixture = Fixture::start(|_| {});
    let mut client = Client::connect(fixture.grpc()).await;
    let mut watch = client.send(WATCH, &[], whole(request(""))).await.unwrap().into_body();
    assert_eq!(next_status(&mut watch).await, ServingStatus::NotServing);
    fixture.plane.set_healthy(false);
    fixture.plane.set_healthy(true);
    assert_eq!(next_status(&mut watch).await, ServingStatus::Serving);
    fixture.plane.set_healthy(false);
    assert_eq!(next_status(&mut watch).await, ServingStatus::NotServing);
}

#[tokio::test]
async fn watchers_past_the_limit_are_refused_and_a_place_is_free_again_when_one_leaves() {
    let fixture = Fixture::start(|_| {});
    let first = Client::connect(fixture.grpc()).await;
    let second = Client::connect(fixture.grpc()).await;
    let mut watches = Vec::new();
    for index in 0..1_024 {
        let mut client = if index % 2 == 0 { first.clone() } else { second.clone() };
        watches.push(client.send(WATCH, &[], whole(request(""))).await.unwrap());
    }
    let mut client = second.clone();
    let refused = client.call(WATCH, &[], whole(request(""))).await;
    assert_eq!(refused.status(), 8);
    assert_eq!(check(&mut client, "").await.status(), 0, "checks are not watches");

    watches.pop();
    soon(async {
        while client.send(WATCH, &[], whole(request(""))).await.unwrap().headers().contains_key("grpc-status")
        {
        }
    })
    .await;
}

#[tokio::test]
async fn a_health_request_too_long_to_be_one_is_refused() {
    let fixture = Fixture::start(|_| {});
    let mut client = Client::connect(fixture.grpc()).await;
    let answer = check(&mut client, &"x".repeat(100_000)).await;
    assert_ne!(answer.status(), 0);
    fixture.plane.set_healthy(true);
    assert_eq!(status(check(&mut client, "").await.message()), ServingStatus::Serving);
}

/// A request of reflection for all services, and one for the file that holds a symbol, on this path.
async fn reflect(client: &mut Client, path: &str, request: impl Message) -> Bytes {
    let answer = client.call(path, &[], whole(framed(&request.encode_to_vec()))).await;
    answer.message().to_vec().into()
}

#[tokio::test]
async fn reflection_tells_every_service_in_both_of_its_versions() {
    use tonic_reflection::pb::{v1, v1alpha};
    let fixture = Fixture::start(|_| {});
    let mut client = Client::connect(fixture.grpc()).await;
    let expected = [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "tensorflow.serving.ModelService",
        "tensorflow.serving.PredictionService",
        "tensorflow.serving.SessionService",
    ];

    let ask = v1::server_reflection_request::MessageRequest::ListServices(String::new());
    let request = v1::ServerReflectionRequest { host: String::new(), message_request: Some(ask) };
    let path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    let said = v1::ServerReflectionResponse::decode(reflect(&mut client, path, request).await).unwrap();
    let Some(v1::server_reflection_response::MessageResponse::ListServicesResponse(list)) =
        said.message_response
    else {
        panic!("not a list")
    };
    let mut names: Vec<_> = list.service.iter().map(|service| service.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, expected);

    let symbol = "tensorflow.serving.PredictRequest".to_owned();
    let ask = v1alpha::server_reflection_request::MessageRequest::FileContainingSymbol(symbol);
    let request = v1alpha::ServerReflectionRequest { host: String::new(), message_request: Some(ask) };
    let path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
    let said = v1alpha::ServerReflectionResponse::decode(reflect(&mut client, path, request).await).unwrap();
    let Some(v1alpha::server_reflection_response::MessageResponse::FileDescriptorResponse(files)) =
        said.message_response
    else {
        panic!("not a file")
    };
    let file = prost_types::FileDescriptorProto::decode(files.file_descriptor_proto[0].as_slice()).unwrap();
    assert_eq!(file.package(), "tensorflow.serving");
}
