//! Any bytes, and damaged good messages, into every gRPC method: an answer or an error, and never a panic.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)] // a test may panic
#![allow(clippy::unnecessary_wraps)] // parts as messages have them

use dataplane::{
    execute::Limits,
    grpc::{
        Asked, Methods, ServingMethods,
        methods::ServingMethod::{
            self, Classify, GetModelMetadata, GetModelStatus, HandleReloadConfigRequest, MultiInference,
            Predict, Profiler, Regress, SessionRun,
        },
    },
    inference::Rules,
    plane::{LoadRequest, Plane, Platform},
    route::{ModelUpdate, RouteUpdate},
    testing::{first_incarnations, write_version},
    traffic::Caller,
    wire::tensorflow::{
        Example, Feature, Features, FloatList, NamedTensorProto, TensorProto, feature,
        serving::{
            ClassificationRequest, ExampleListWithContext, GetModelMetadataRequest, GetModelStatusRequest,
            InferenceTask, Input, ModelSpec, MultiInferenceRequest, PredictRequest, RegressionRequest,
            ReloadConfigRequest, SessionRunRequest, input::Kind,
        },
    },
};
use proptest::prelude::*;
use prost::Message;
use std::{collections::BTreeMap, sync::Arc, time::Instant};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const METHODS: [ServingMethod; 9] = [
    Predict,
    Classify,
    Regress,
    MultiInference,
    GetModelMetadata,
    GetModelStatus,
    HandleReloadConfigRequest,
    SessionRun,
    Profiler,
];

/// A plane where version 1 of `m` answers everything that a synthetic model can.
struct House {
    plane: Arc<Plane>,
    methods: ServingMethods,
    runtime: Runtime,
    _folder: TempDir,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_version(folder.path(), r#"{"examples": true}"#).unwrap();
        let limits = Limits { io_threads: 2, in_flight_max: 64, queue_max: 64, runs_max: 4 };
        let rules = Rules { session_run: true, ..Rules::default() };
        let plane = Arc::new(Plane::new(limits).unwrap().with_rules(rules));
        let request = LoadRequest {
            name: "m".to_owned(),
            version: 1,
            incarnation: 0,
            path: folder.path().to_owned(),
            platform: Platform::Synthetic,
            tags: Vec::new(),
            warmup: None,
            batching: None,
        };
        plane.load(&request).unwrap();
        let changed = ModelUpdate {
            name: "m".to_owned(),
            ready: first_incarnations(&[1]),
            default_version: Some(1),
            ..ModelUpdate::default()
        };
        plane.publish(&RouteUpdate { generation: 1, changed: vec![changed], removed: Vec::new() }).unwrap();
        let methods = ServingMethods::new(Arc::clone(&plane));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { plane, methods, runtime, _folder: folder }
    }

    /// Whether the method answered. A reload would wait for the control plane, so it has no time to.
    fn call(&self, method: ServingMethod, message: Vec<u8>) -> bool {
        let deadline = (method == HandleReloadConfigRequest).then(Instant::now);
        let asked = Asked { message: message.into(), deadline, caller: Caller::default() };
        let outcome = self.runtime.block_on(self.methods.call(method, asked));
        outcome.answer.is_ok()
    }
}

fn spec(signature: &str) -> Option<ModelSpec> {
    Some(ModelSpec { name: "m".to_owned(), signature_name: signature.to_owned(), ..ModelSpec::default() })
}

fn tensor() -> TensorProto {
    TensorProto { dtype: 1, float_val: vec![2.0], ..TensorProto::default() }
}

fn input() -> Option<Input> {
    let feature = Feature { kind: Some(feature::Kind::FloatList(FloatList { value: vec![1.0] })) };
    let features = Features { feature: BTreeMap::from([("x".to_owned(), feature)]) };
    let example = Example { features: Some(features) };
    let list = ExampleListWithContext { examples: vec![example.clone()], context: Some(example) };
    Some(Input { kind: Some(Kind::ExampleListWithContext(list)) })
}

fn tasks() -> Vec<InferenceTask> {
    let task = |name: &str| InferenceTask {
        model_spec: spec(name),
        method_name: format!("tensorflow/serving/{name}"),
    };
    vec![task("classify"), task("regress")]
}

/// A message that the method takes.
fn good(method: ServingMethod) -> Vec<u8> {
    match method {
        Predict => {
            let inputs = BTreeMap::from([("x".to_owned(), tensor())]);
            PredictRequest { model_spec: spec(""), inputs, output_filter: vec!["y".to_owned()] }
                .encode_to_vec()
        }
        Classify => ClassificationRequest { model_spec: spec("classify"), input: input() }.encode_to_vec(),
        Regress => RegressionRequest { model_spec: spec("regress"), input: input() }.encode_to_vec(),
        MultiInference => MultiInferenceRequest { tasks: tasks(), input: input() }.encode_to_vec(),
        GetModelMetadata => {
            let metadata_field = vec!["signature_def".to_owned()];
            GetModelMetadataRequest { model_spec: spec(""), metadata_field }.encode_to_vec()
        }
        GetModelStatus => GetModelStatusRequest { model_spec: spec("") }.encode_to_vec(),
        HandleReloadConfigRequest => ReloadConfigRequest::default().encode_to_vec(),
        SessionRun => SessionRunRequest {
            model_spec: spec(""),
            feed: vec![NamedTensorProto { name: "x".to_owned(), tensor: Some(tensor()) }],
            fetch: vec!["y".to_owned()],
            ..SessionRunRequest::default()
        }
        .encode_to_vec(),
        Profiler => Vec::new(),
    }
}

#[test]
fn the_messages_that_are_damaged_below_are_good_ones() {
    let house = House::new();
    let answered: Vec<_> = METHODS.into_iter().filter(|&method| house.call(method, good(method))).collect();
    assert_eq!(answered, [Predict, Classify, Regress, MultiInference, GetModelMetadata]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_answered_or_refused(messages in prop::collection::vec(any::<Vec<u8>>(), 16)) {
        let house = House::new();
        for message in messages {
            for method in METHODS {
                house.call(method, message.clone());
            }
        }
        prop_assert_eq!(house.plane.statistics().panics, 0);
    }

    /// Bytes are changed, a piece is cut out, and what is left is sent again and again behind itself.
    #[test]
    fn a_damaged_message_is_answered_or_refused(
        damages in prop::collection::vec(
            (prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4), any::<prop::sample::Index>(), 0..8_usize, 1..3_usize),
            16,
        ),
    ) {
        let house = House::new();
        for (changes, cut, length, times) in damages {
            for method in METHODS {
                let mut message = good(method);
                if !message.is_empty() {
                    for (index, byte) in &changes {
                        *index.get_mut(&mut message) = *byte;
                    }
                    let start = cut.index(message.len());
                    message.drain(start..(start + length).min(message.len()));
                }
                house.call(method, message.repeat(times));
            }
        }
        prop_assert_eq!(house.plane.statistics().panics, 0);
    }
}
