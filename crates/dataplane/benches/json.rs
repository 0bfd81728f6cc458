//! JSON in and out, in MB/s and as a ratio to `serde_json` on the same bytes in the same run.
//!
//! `cargo bench -p understudy-dataplane --bench json`

#![allow(clippy::unwrap_used, clippy::cast_precision_loss, missing_docs)] // a benchmark

use bytes::Bytes;
use dataplane::{
    budget::Budget,
    inference::{Codec, Rules},
    rest::{
        predict_request::{Form, RestPredict},
        predict_response,
    },
    signature::{Signature, Signatures, TensorSpec},
    tensor::{DType, Data, Tensor},
};
use std::sync::Arc;
use std::{
    collections::BTreeMap,
    hint::black_box,
    time::{Duration, Instant},
};

const ROWS: usize = 2_000;
const COLUMNS: usize = 256;
const ROUNDS: usize = 15;

/// The fastest of several rounds: what the machine does when nothing else disturbs it.
fn fastest<T>(mut work: impl FnMut() -> T) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        black_box(work());
        best = best.min(start.elapsed());
    }
    best
}

fn report(name: &str, bytes: usize, ours: Duration, theirs: Duration) {
    let rate = |time: Duration| bytes as f64 / 1e6 / time.as_secs_f64();
    let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
    println!("{name:34} {:8.0} MB/s   serde_json {:8.0} MB/s   ratio {ratio:.2}", rate(ours), rate(theirs));
}

fn signature(dtype: DType) -> Signature {
    let spec = TensorSpec {
        alias: "x".to_owned(),
        name: "x:0".to_owned(),
        dtype_number: dtype.number(),
        shape: None,
    };
    Signature {
        name: "serving_default".to_owned(),
        method_name: String::new(),
        inputs: vec![spec.clone()],
        outputs: vec![spec],
        defaults: BTreeMap::new(),
    }
}

fn read(name: &str, dtype: DType, number: impl Fn(usize) -> String) {
    let row =
        |row: usize| (0..COLUMNS).map(|column| number(row * COLUMNS + column)).collect::<Vec<_>>().join(", ");
    let rows = (0..ROWS).map(|index| format!("[{}]", row(index))).collect::<Vec<_>>().join(", ");
    let body = Bytes::from(format!("{{\"instances\": [{rows}]}}"));
    let signatures = Signatures::new(vec![signature(dtype)], BTreeMap::new());
    let budget = Budget::new(1 << 30, Arc::default());
    let ours = fastest(|| {
        let mut codec =
            RestPredict::parse(body.clone(), budget.charge(0).unwrap(), Rules::default()).unwrap();
        codec.decode(&signatures).unwrap()
    });
    let theirs = fastest(|| serde_json::from_slice::<serde_json::Value>(&body).unwrap());
    report(name, body.len(), ours, theirs);
}

fn write(name: &str, value: impl Fn(usize) -> f32) {
    let values = (0..ROWS * COLUMNS).map(value).collect::<Vec<_>>();
    let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>();
    let shape = vec![i64::try_from(ROWS).unwrap(), i64::try_from(COLUMNS).unwrap()];
    let tensor = Tensor::new(DType::Float, shape, Data::Packed(bytes.into())).unwrap();
    let length = predict_response::write(Form::Rows, &[("x", &tensor)]).unwrap().len();
    let ours = fastest(|| predict_response::write(Form::Rows, &[("x", &tensor)]).unwrap());
    let rows = values.chunks(COLUMNS).collect::<Vec<_>>();
    let theirs = fastest(|| serde_json::to_vec(&rows).unwrap());
    report(name, length, ours, theirs);
}

/// A fixed sequence without pattern, between 0 and 1.
fn unit(index: usize) -> f64 {
    let mixed = (index as u64).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ mixed >> 29) as f64 / u64::MAX as f64
}

#[allow(clippy::cast_possible_truncation)] // floats are wanted
fn main() {
    println!("requests: parse and decode to a tensor (serde_json: parse to its Value)");
    read("  float from doubles, 16-17 digits", DType::Float, |index| format!("{}", unit(index)));
    read("  float from floats, 8-9 digits", DType::Float, |index| format!("{}", unit(index) as f32));
    read("  float from 0.0 to 1.0, 4 digits", DType::Float, |index| format!("{:.4}", unit(index)));
    read("  float from small integers", DType::Float, |index| format!("{}", index * 37 % 256));
    read("  int64", DType::Int64, |index| format!("{}", (unit(index) * 1e12) as i64));
    println!("answers: format a float tensor (serde_json: Vec<&[f32]>); MB of our text");
    write("  probabilities", |index| unit(index) as f32);
    write("  short decimals", |index| ((unit(index) * 1000.0).round() / 1000.0) as f32);
    write("  zeros and ones", |index| unit(index).round() as f32);
    write("  very small", |index| (unit(index) * 1e-20) as f32);
}
