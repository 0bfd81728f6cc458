//! The methods that take Examples, on a plane with a synthetic model in it.

use crate::support::{Answer, Client, Fixture, Models, framed, until, whole};
use dataplane::{
    error::Code,
    wire::tensorflow::{
        Example, Feature, Features, FloatList, feature,
        serving::{
            Class, ClassificationRequest, ClassificationResponse, ExampleList, InferenceTask, Input,
            ModelSpec, MultiInferenceRequest, MultiInferenceResponse, Regression, RegressionRequest,
            RegressionResponse,
            inference_result::Result::{ClassificationResult, RegressionResult},
            input::Kind,
            model_spec::VersionChoice,
        },
    },
};
use prost::Message;
use std::collections::BTreeMap;

const CLASSIFY: &str = "/tensorflow.serving.PredictionService/Classify";
const REGRESS: &str = "/tensorflow.serving.PredictionService/Regress";
const MULTI_INFERENCE: &str = "/tensorflow.serving.PredictionService/MultiInference";

/// The model hangs on it.
const HANG: f32 = 99.0;

/// A server where versions 1 and 2 of `m` answer for Examples, by default the second.
fn serving() -> (Fixture, Models) {
    let fixture = Fixture::start(|_| {});
    let models = Models::new(&fixture.plane);
    models.load_as(1, r#"{"examples": true, "hang_on": 99.0}"#);
    models.load_as(2, r#"{"examples": true, "a": 2.0, "b": 1.0}"#);
    models.publish(1, &[1, 2]);
    (fixture, models)
}

fn spec(model: &str, version_choice: Option<VersionChoice>, signature: &str) -> ModelSpec {
    ModelSpec { name: model.to_owned(), version_choice, signature_name: signature.to_owned() }
}

fn input(values: &[f32]) -> Input {
    let example = |&x: &f32| {
        let feature = Feature { kind: Some(feature::Kind::FloatList(FloatList { value: vec![x] })) };
        Example { features: Some(Features { feature: BTreeMap::from([("x".to_owned(), feature)]) }) }
    };
    Input { kind: Some(Kind::ExampleList(ExampleList { examples: values.iter().map(example).collect() })) }
}

fn classify(model_spec: ModelSpec, x: f32) -> ClassificationRequest {
    ClassificationRequest { model_spec: Some(model_spec), input: Some(input(&[x])) }
}

async fn ask(client: &mut Client, method: &str, request: &impl Message) -> Answer {
    client.call(method, &[], whole(framed(&request.encode_to_vec()))).await
}

#[tokio::test]
async fn a_classification_comes_from_the_version_asked_for() {
    let (fixture, _models) = serving();
    let mut client = Client::connect(fixture.grpc()).await;
    for (choice, version, score) in [
        (None, 2, 13.0),
        (Some(VersionChoice::Version(1)), 1, 5.0),
        (Some(VersionChoice::VersionLabel("stable".to_owned())), 2, 13.0),
    ] {
        let answer = ask(&mut client, CLASSIFY, &classify(spec("m", choice, "classify"), 6.0)).await;
        let response = ClassificationResponse::decode(answer.message()).unwrap();
        let rows = response.result.unwrap().classifications;
        let classes: Vec<_> =
            rows[0].classes.iter().map(|class| (class.label.as_str(), class.score)).collect();
        assert_eq!(classes, [("up", score), ("down", -score)]);
        assert_eq!(response.model_spec, Some(spec("m", Some(VersionChoice::Version(version)), "classify")));
    }
}

#[tokio::test]
async fn a_regression_has_a_number_for_each_example() {
    let (fixture, _models) = serving();
    let mut client = Client::connect(fixture.grpc()).await;
    let model_spec = Some(spec("m", None, "regress"));
    let request = RegressionRequest { model_spec, input: Some(input(&[1.0, 2.0, 3.0])) };
    let response = RegressionResponse::decode(ask(&mut client, REGRESS, &request).await.message()).unwrap();
    let values: Vec<f32> = response.result.unwrap().regressions.iter().map(|found| found.value).collect();
    assert_eq!(values, [3.0, 5.0, 7.0]);
}

#[tokio::test]
async fn several_tasks_are_answered_in_their_order_by_the_first_ones_version() {
    let (fixture, _models) = serving();
    let mut client = Client::connect(fixture.grpc()).await;
    let task = |choice, signature: &str| InferenceTask {
        model_spec: Some(spec("m", choice, signature)),
        method_name: format!("tensorflow/serving/{signature}"),
    };
    let first = Some(VersionChoice::Version(1));
    let tasks = vec![task(first, "regress"), task(Some(VersionChoice::Version(9)), "classify")];
    let request = MultiInferenceRequest { tasks, input: Some(input(&[6.0])) };
    let answer = ask(&mut client, MULTI_INFERENCE, &request).await;
    let results = MultiInferenceResponse::decode(answer.message()).unwrap().results;
    let version = Some(VersionChoice::Version(1));
    let specs: Vec<_> = results.iter().map(|result| result.model_spec.clone().unwrap()).collect();
    assert_eq!(specs, [spec("m", version.clone(), "regress"), spec("m", version, "classify")]);
    let Some(RegressionResult(regressed)) = &results[0].result else { panic!("{results:?}") };
    let Some(ClassificationResult(classified)) = &results[1].result else { panic!("{results:?}") };
    assert_eq!(regressed.regressions, [Regression { value: 5.0 }]);
    let class = |label: &str, score| Class { label: label.to_owned(), score };
    assert_eq!(classified.classifications[0].classes, [class("up", 5.0), class("down", -5.0)]);
}

#[tokio::test]
async fn refusals_come_in_the_words_and_the_order_of_tensorflow_serving() {
    let (fixture, _models) = serving();
    let mut client = Client::connect(fixture.grpc()).await;
    let no_spec = ClassificationRequest { model_spec: None, input: None };
    let cases = [
        (no_spec, 3, "Missing ModelSpec"),
        (classify(spec("", None, "lost"), 1.0), 3, "ModelSpec has no name specified."),
        (classify(spec("n", None, "lost"), 1.0), 5, "Servable not found for request: Latest(n)"),
        (classify(spec("m", None, "lost"), 1.0), 3, "No signature was found with the name: lost"),
        (classify(spec("m", None, ""), 1.0), 3, "No classification inputs found in SignatureDef: x"),
        (
            ClassificationRequest { input: None, ..classify(spec("m", None, "classify"), 1.0) },
            3,
            "Input is empty.",
        ),
    ];
    for (request, status, text) in cases {
        let answer = ask(&mut client, CLASSIFY, &request).await;
        assert_eq!((answer.status(), answer.text()), (status, text));
    }
    let answer = ask(&mut client, MULTI_INFERENCE, &MultiInferenceRequest::default()).await;
    assert_eq!((answer.status(), answer.text()), (3, "ModelSpec has no name specified."));
}

/// Answers so far of Classify on the model, by code.
fn counts(fixture: &Fixture) -> Vec<(Code, u64)> {
    let methods = fixture.plane.statistics().methods;
    let classify = methods.iter().filter(|row| row.method.name() == "classify:grpc");
    let counted = classify.flat_map(|row| row.by_code.iter().enumerate());
    counted
        .filter(|(_, count)| **count > 0)
        .map(|(code, count)| (Code::from_number(i32::try_from(code).unwrap()), *count))
        .collect()
}

#[tokio::test]
async fn a_deadline_ends_a_classification_that_takes_too_long() {
    let (fixture, models) = serving();
    let mut client = Client::connect(fixture.grpc()).await;
    let request = classify(spec("m", Some(VersionChoice::Version(1)), "classify"), HANG);
    let body = whole(framed(&request.encode_to_vec()));
    let answer = client.call(CLASSIFY, &[("grpc-timeout", "50m")], body).await;
    assert_eq!(answer.status(), 4);
    fixture.wait_empty().await;
    assert_eq!(fixture.plane.statistics().run_threads, 1, "the run itself goes on");
    models.release(1);
    until(|| fixture.plane.statistics().run_threads == 0).await;
}

#[tokio::test]
async fn a_classification_that_its_client_cancels_is_dropped_and_counted() {
    let (fixture, models) = serving();
    let mut client = Client::connect(fixture.grpc()).await;
    let request = classify(spec("m", Some(VersionChoice::Version(1)), "classify"), HANG);
    let body = whole(framed(&request.encode_to_vec()));
    let call = tokio::spawn(async move { client.call(CLASSIFY, &[], body).await });
    until(|| fixture.plane.statistics().run_threads == 1).await;
    call.abort();
    fixture.wait_empty().await;
    assert_eq!(counts(&fixture), [(Code::Cancelled, 1)]);
    models.release(1);
    until(|| fixture.plane.statistics().run_threads == 0).await;
}
