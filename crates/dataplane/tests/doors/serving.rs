//! The serving methods on a plane with a model in it.

use crate::support::{Answer, Client, Fixture, Models, framed, soon, whole};
use bytes::Bytes;
use dataplane::{
    error::Error,
    wire::tensorflow::{
        DataType, TensorProto,
        serving::{
            GetModelMetadataRequest, GetModelMetadataResponse, GetModelStatusRequest, GetModelStatusResponse,
            ModelSpec, PredictRequest, PredictResponse, SignatureDefMap, model_spec::VersionChoice,
        },
    },
};
use prost::Message;
use std::{collections::BTreeMap, time::Duration};

const PREDICT: &str = "/tensorflow.serving.PredictionService/Predict";
const METADATA: &str = "/tensorflow.serving.PredictionService/GetModelMetadata";
const STATUS: &str = "/tensorflow.serving.ModelService/GetModelStatus";
const RELOAD: &str = "/tensorflow.serving.ModelService/HandleReloadConfigRequest";

/// A server where versions 1 and 2 of `m` answer, by default the second.
fn serving() -> (Fixture, Models) {
    let fixture = Fixture::start(|_| {});
    let models = Models::new(&fixture.plane);
    models.load(1);
    models.load(2);
    models.publish(1, &[1, 2]);
    (fixture, models)
}

fn spec(name: &str, version_choice: Option<VersionChoice>) -> ModelSpec {
    ModelSpec { name: name.to_owned(), version_choice, signature_name: String::new() }
}

fn predict(model_spec: impl Into<Option<ModelSpec>>) -> PredictRequest {
    let x = TensorProto { dtype: DataType::DtFloat.into(), float_val: vec![6.0], ..TensorProto::default() };
    PredictRequest {
        model_spec: model_spec.into(),
        inputs: BTreeMap::from([("x".to_owned(), x)]),
        output_filter: vec![],
    }
}

async fn ask(client: &mut Client, method: &str, request: &impl Message) -> Answer {
    client.call(method, &[], whole(framed(&request.encode_to_vec()))).await
}

#[tokio::test]
async fn predict_answers_by_number_by_label_and_by_default() {
    let (fixture, _models) = serving();
    let mut client = Client::connect(fixture.grpc()).await;
    for (choice, version) in [
        (None, 2),
        (Some(VersionChoice::Version(1)), 1),
        (Some(VersionChoice::VersionLabel("stable".to_owned())), 2),
    ] {
        let answer = ask(&mut client, PREDICT, &predict(spec("m", choice))).await;
        let response = PredictResponse::decode(answer.message()).unwrap();
        assert_eq!(response.outputs["y"].float_val, [5.0]);
        let spec = response.model_spec.unwrap();
        assert_eq!(spec.version_choice, Some(VersionChoice::Version(version)));
        assert_eq!((spec.name.as_str(), spec.signature_name.as_str()), ("m", "serving_default"));
    }
}

#[tokio::test]
async fn predict_refuses_in_tensorflow_servings_words() {
    let (fixture, _models) = serving();
    let mut client = Client::connect(fixture.grpc()).await;
    let label = |text: &str| Some(VersionChoice::VersionLabel(text.to_owned()));
    for (model_spec, status, text) in [
        (None, 3, "Missing ModelSpec"),
        (Some(spec("", None)), 3, "ModelSpec has no name specified."),
        (Some(spec("n", None)), 5, "Servable not found for request: Latest(n)"),
        (
            Some(spec("m", Some(VersionChoice::Version(9)))),
            5,
            "Servable not found for request: Specific(m, 9)",
        ),
        (Some(spec("m", label("none"))), 3, "Unrecognized servable version label: none"),
    ] {
        let answer = ask(&mut client, PREDICT, &predict(model_spec)).await;
        assert_eq!((answer.status(), answer.text()), (status, text));
    }
    let mut request = predict(spec("m", None));
    request.model_spec.as_mut().unwrap().signature_name = "none".to_owned();
    let answer = ask(&mut client, PREDICT, &request).await;
    assert_eq!((answer.status(), answer.text()), (9, "Serving signature key \"none\" not found."));
    let answer = client.call(PREDICT, &[], whole(framed(b"\xff"))).await;
    assert_eq!(answer.status(), 13);
}

#[tokio::test]
async fn status_lists_every_version_or_says_that_there_is_none() {
    let (fixture, _models) = serving();
    let mut client = Client::connect(fixture.grpc()).await;
    let answer = ask(&mut client, STATUS, &GetModelStatusRequest { model_spec: Some(spec("m", None)) }).await;
    let response = GetModelStatusResponse::decode(answer.message()).unwrap();
    let versions: Vec<_> = response.model_version_status.iter().map(|status| status.version).collect();
    assert_eq!(versions, [2, 1]);
    let answer = ask(&mut client, STATUS, &GetModelStatusRequest { model_spec: Some(spec("n", None)) }).await;
    assert_eq!((answer.status(), answer.text()), (5, "Could not find any versions of model n"));
}

#[tokio::test]
async fn metadata_is_every_signature_of_the_version_that_answers() {
    let (fixture, _models) = serving();
    let mut client = Client::connect(fixture.grpc()).await;
    let request = GetModelMetadataRequest {
        model_spec: Some(spec("m", None)),
        metadata_field: vec!["signature_def".to_owned()],
    };
    let answer = ask(&mut client, METADATA, &request).await;
    let response = GetModelMetadataResponse::decode(answer.message()).unwrap();
    let any = &response.metadata["signature_def"];
    assert_eq!(any.type_url, "type.googleapis.com/tensorflow.serving.SignatureDefMap");
    let signatures = SignatureDefMap::decode(any.value.as_slice()).unwrap().signature_def;
    assert_eq!(signatures.keys().collect::<Vec<_>>(), ["echo", "serving_default"]);
    let spec = response.model_spec.unwrap();
    assert_eq!((spec.version_choice, spec.signature_name.as_str()), (Some(VersionChoice::Version(2)), ""));
}

#[tokio::test]
async fn a_question_too_long_to_be_one_is_refused() {
    let (fixture, _models) = serving();
    let mut client = Client::connect(fixture.grpc()).await;
    let request = GetModelStatusRequest { model_spec: Some(spec(&"m".repeat(1_100_000), None)) };
    assert_eq!(ask(&mut client, STATUS, &request).await.status(), 8);
}

#[tokio::test]
async fn what_is_not_there_or_not_allowed_says_so() {
    let (fixture, _models) = serving();
    let mut client = Client::connect(fixture.grpc()).await;
    for (path, text) in [
        ("/tensorflow.ProfilerService/Profile", "There is no profiler in this server"),
        ("/tensorflow.ProfilerService/Terminate", "There is no profiler in this server"),
        ("/tensorflow.ProfilerService/Monitor", "There is no profiler in this server"),
        ("/tensorflow.serving.SessionService/SessionRun", "SessionRun is off"),
    ] {
        let answer = client.call(path, &[], whole(framed(b""))).await;
        assert!(answer.status() == 12 && answer.text().starts_with(text), "{path}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_reload_is_the_control_planes_to_answer() {
    let (fixture, _models) = serving();
    let plane = fixture.plane.clone();
    let control = tokio::task::spawn_blocking(move || {
        for answer in [Ok(Bytes::from_static(b"\x0a\x00")), Err(Error::failed_precondition("not now"))] {
            let request = plane.next_admin("HandleReloadConfigRequest", Duration::from_secs(30)).unwrap();
            assert_eq!(
                (request.method, request.payload.as_ref()),
                ("HandleReloadConfigRequest", &b"raw"[..])
            );
            assert!(request.deadline.is_some());
            plane.answer_admin(request.ticket, answer);
        }
    });
    let mut client = Client::connect(fixture.grpc()).await;
    let headers = [("grpc-timeout", "60S")];
    let answer = client.call(RELOAD, &headers, whole(framed(b"raw"))).await;
    assert_eq!(answer.message(), b"\x0a\x00");
    let answer = client.call(RELOAD, &headers, whole(framed(b"raw"))).await;
    assert_eq!((answer.status(), answer.text()), (9, "not now"));
    soon(control).await.unwrap();
}
