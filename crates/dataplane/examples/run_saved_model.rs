//! Loads a `SavedModel`, prints its signatures, runs one on zeros and times it in the calling thread and in
//! TensorFlow's pool:
//!
//! ```text
//! cargo run --release --example run_saved_model -- LIBRARY_DIR MODEL_DIR [SIGNATURE [RUNS]]
//! ```
//!
//! `LIBRARY_DIR` is the `tensorflow` folder of an installed wheel. Unknown dimensions are taken to be one.

use dataplane::{
    runtime::{
        Model, Placement, RunOptions,
        tensorflow::{Options, TensorFlow},
    },
    signature::{DEFAULT_SIGNATURE, Signature, TensorSpec},
    tensor::{Data, Tensor, element_count},
    tensor_proto,
    wire::tensorflow::{TensorProto, TensorShapeProto, tensor_shape_proto::Dim},
};
use std::{
    env,
    error::Error,
    path::Path,
    time::{Duration, Instant},
};

const USAGE: &str = "usage: run_saved_model LIBRARY_DIR MODEL_DIR [SIGNATURE [RUNS]]";
const RUNS: usize = 2000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let library_dir = arguments.next().ok_or(USAGE)?;
    let model_dir = arguments.next().ok_or(USAGE)?;
    let signature = arguments.next().unwrap_or_else(|| DEFAULT_SIGNATURE.to_owned());
    let runs = arguments.next().map_or(Ok(RUNS), |text| text.parse())?;

    let start = Instant::now();
    let tensorflow = TensorFlow::open(Path::new(&library_dir), Options::default())?;
    println!("TensorFlow {} opened in {:?}", tensorflow.version(), start.elapsed());
    let start = Instant::now();
    let model = tensorflow.load(Path::new(&model_dir), &["serve".to_owned()])?;
    println!("{model_dir} loaded in {:?}", start.elapsed());
    model.signatures().list().iter().for_each(print_signature);
    run(model.as_ref(), &signature, runs)
}

fn print_signature(signature: &Signature) {
    println!("signature {} ({})", signature.name, signature.method_name);
    for (what, specs) in [("input", &signature.inputs), ("output", &signature.outputs)] {
        for TensorSpec { alias, name, dtype_number, shape } in specs {
            println!("  {what} {alias}: data type {dtype_number}, shape {shape:?}, {name} in the graph");
        }
    }
}

fn run(model: &dyn Model, name: &str, runs: usize) -> Result<(), Box<dyn Error>> {
    let (index, signature) = model.signatures().find(name).ok_or("the model has no such signature")?;
    let inputs = signature.inputs.iter().map(zeros).collect::<Result<Vec<_>, _>>()?;
    let outputs: Vec<usize> = (0..signature.outputs.len()).collect();
    let caller = RunOptions { placement: Placement::Caller, timeout: None };
    let answers = model.run(index, &inputs, &outputs, caller)?;
    for (spec, tensor) in signature.outputs.iter().zip(&answers) {
        println!("{} = {} {:?} {}", spec.alias, tensor.dtype().name(), tensor.shape(), preview(tensor));
    }
    let timed = |options| median(runs, || model.run(index, &inputs, &outputs, options).map(drop));
    let in_caller = timed(caller)?;
    let in_pool = timed(RunOptions { placement: Placement::Pool, timeout: None })?;
    let ratio = in_pool.as_secs_f64() / in_caller.as_secs_f64();
    println!(
        "median of {runs} runs: {in_caller:?} in the caller, {in_pool:?} in the pool, {ratio:.1} times as long"
    );
    Ok(())
}

/// What a client means by a message with a shape and no values.
fn zeros(spec: &TensorSpec) -> Result<Tensor, dataplane::error::Error> {
    let sizes = spec.shape.iter().flatten().map(|&size| size.max(1));
    let dim = sizes.map(|size| Dim { size, name: String::new() }).collect();
    let tensor_shape = Some(TensorShapeProto { dim, unknown_rank: false });
    tensor_proto::decode(TensorProto { dtype: spec.dtype_number, tensor_shape, ..TensorProto::default() })
}

fn preview(tensor: &Tensor) -> String {
    match tensor.data() {
        Data::Strings(strings) => format!("{strings:?}"),
        Data::Packed(_) if element_count(tensor.shape()).is_ok_and(|count| count > 10) => "...".to_owned(),
        Data::Packed(_) => {
            let proto = tensor_proto::encode(tensor);
            format!("{:?} {:?} {:?} {:?}", proto.float_val, proto.double_val, proto.int_val, proto.int64_val)
        }
    }
}

fn median(
    runs: usize,
    mut run: impl FnMut() -> Result<(), dataplane::error::Error>,
) -> Result<Duration, Box<dyn Error>> {
    let mut times = Vec::with_capacity(runs);
    for _ in 0..runs {
        let start = Instant::now();
        run()?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    times.get(runs / 2).copied().ok_or_else(|| "nothing was run".into())
}
