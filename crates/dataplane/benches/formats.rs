//! What formats cost: `cargo bench -p understudy-dataplane --bench formats`.
//!
//! REST: parse, run and format share of a request for an image and for rows of features, beside `serde_json` and a
//! copy of the same bytes. gRPC: a tensor read from and written to its message, typed and packed, beside the generated message's way and
//! a copy.
//! Compression of an answer. Everything in this thread, without a network; the fastest of several rounds, so only
//! ratios within one run mean something. Lines are tab separated for benchmarks/formats.py: what, microseconds,
//! bytes; what follows a `#` is for people.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::cast_precision_loss, missing_docs)] // a benchmark

use bytes::Bytes;
use dataplane::{
    budget::Budget,
    inference::{Codec, Rules},
    rest::{
        predict_request::{Form, RestPredict},
        predict_response,
    },
    runtime::{Model, Placement, RunOptions, synthetic},
    tensor::{DType, Data, Tensor},
    tensor_proto::{self, TensorEncoding},
    tensor_wire::{self, Written},
    testing::write_version,
    wire::tensorflow::TensorProto,
};
use flate2::{Compression, write::GzEncoder};
use prost::Message;
use std::{
    hint::black_box,
    io::Write,
    sync::Arc,
    time::{Duration, Instant},
};

const ROUNDS: usize = 15;
const OPTIONS: RunOptions = RunOptions { placement: Placement::Caller, timeout: None };

/// The fastest of several rounds, told with the bytes it went over.
fn report<T>(what: &str, bytes: usize, mut work: impl FnMut() -> T) {
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        black_box(work());
        best = best.min(begun.elapsed());
    }
    let micros = best.as_secs_f64() * 1e6;
    println!("{what}\t{micros:.1}\t{bytes}\t# {:.0} MB/s", bytes as f64 / micros);
}

/// A fixed sequence without pattern, between 0 and 1.
#[allow(clippy::cast_possible_truncation)] // floats are wanted
fn unit(index: usize) -> f32 {
    let mixed = (index as u64).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((mixed ^ mixed >> 29) as f64 / u64::MAX as f64) as f32
}

fn tensor(shape: &[i64]) -> Tensor {
    let count = dataplane::tensor::element_count(shape).unwrap();
    let bytes: Vec<u8> = (0..count).flat_map(|index| unit(index).to_le_bytes()).collect();
    Tensor::new(DType::Float, shape.to_vec(), Data::Packed(bytes.into())).unwrap()
}

fn packed(tensor: &Tensor) -> &Bytes {
    match tensor.data() {
        Data::Packed(bytes) => bytes,
        Data::Strings(_) => unreachable!("a tensor of floats"),
    }
}

fn rest(name: &str, shape: &[i64], model: &dyn Model) {
    let sent = tensor(shape);
    let answer = predict_response::write(Form::Rows, &[("y", &sent)]).unwrap();
    let body = String::from_utf8(answer).unwrap().replacen("predictions", "instances", 1);
    let body = Bytes::from(body);
    let budget = Budget::new(1 << 30, Arc::default());
    let decode = || {
        let mut codec =
            RestPredict::parse(body.clone(), budget.charge(0).unwrap(), Rules::default()).unwrap();
        codec.decode(model.signatures()).unwrap()
    };
    let (index, inputs) = (decode().signature, decode().inputs);
    let run = || model.run(index, &inputs.tensors, &inputs.outputs, OPTIONS).unwrap();
    let outputs = run();
    let named: Vec<_> = outputs.iter().map(|tensor| ("y", tensor)).collect();
    let format = || predict_response::write(Form::Rows, &named).unwrap();
    report(&format!("{name} parse"), body.len(), decode);
    report(&format!("{name} run"), packed(&sent).len(), run);
    report(&format!("{name} format"), format().len(), format);
    report(&format!("{name} parse by serde_json"), body.len(), || {
        serde_json::from_slice::<serde_json::Value>(&body).unwrap()
    });
    let value: serde_json::Value = serde_json::from_slice(&format()).unwrap();
    let length = serde_json::to_vec(&value).unwrap().len();
    report(&format!("{name} format by serde_json"), length, || serde_json::to_vec(&value).unwrap());
    report(&format!("{name} copy"), body.len(), || body.to_vec());
    let answer = format();
    let mut compressed = 0;
    report(&format!("{name} compress"), answer.len(), || {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&answer).unwrap();
        compressed = encoder.finish().unwrap().len();
    });
    println!("{name} compressed\t0.0\t{compressed}\t#");
}

fn grpc(name: &str, bytes: i64) {
    let tensor = tensor(&[bytes / 4]);
    for (form, encoding) in [("typed", TensorEncoding::Typed), ("content", TensorEncoding::Content)] {
        let write = || {
            let message = Written::new(encoding, &tensor);
            let mut out = Vec::with_capacity(message.len());
            message.append(&mut out);
            out
        };
        let message = Bytes::from(write());
        report(&format!("{name} read {form}"), message.len(), || tensor_wire::read(message.clone()).unwrap());
        report(&format!("{name} write {form}"), message.len(), write);
        report(&format!("{name} read {form} as generated"), message.len(), || {
            tensor_proto::decode(TensorProto::decode(message.clone()).unwrap()).unwrap()
        });
        report(&format!("{name} write {form} as generated"), message.len(), || {
            tensor_proto::encode_as(encoding, &tensor).encode_to_vec()
        });
    }
    let bytes = packed(&tensor);
    report(&format!("{name} copy"), bytes.len(), || bytes.to_vec());
}

fn main() {
    let folder = tempfile::TempDir::new().unwrap();
    write_version(folder.path(), "{}").unwrap();
    let model = synthetic::load(folder.path()).unwrap();
    rest("image", &[1, 224, 224, 3], model.as_ref());
    rest("rows", &[1_000, 30], model.as_ref());
    grpc("1 MiB", 1 << 20);
    grpc("16 MiB", 16 << 20);
}
