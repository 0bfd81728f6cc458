//! A model made of Rust, for tests and benchmarks: no TensorFlow needed.
//!
//! A version directory holds `synthetic.json`, an object with these members, all optional (others are refused):
//!
//! | member | meaning | default |
//! | --- | --- | --- |
//! | `a`, `b` | `y = a * x + b` | 0.5, 2.0: half plus two |
//! | `version` | number that the output `version` answers with; the output exists only when this is given | none |
//! | `load_ms` | how long loading takes | 0 |
//! | `hang_load` | loading hangs before that, until a file `release` is in the directory, or the directory is gone | false |
//! | `fail_load` | loading fails with `INVALID_ARGUMENT` and this text, after all that | none |
//! | `memory_bytes` | so many bytes are allocated, and every page of them touched, while the model is loaded | 0 |
//! | `examples` | whether it has the signatures `classify` and `regress` | false |
//! | `run_ms` | how long a run sleeps | 0 |
//! | `spin_us` | how long a run computes | 0 |
//! | `fail_on` | a run fails with `INVALID_ARGUMENT` when an element of x is this | none |
//! | `panic_on` | a run panics when an element of x is this | none |
//! | `hang_on` | a run hangs when an element of x is this, until a file `release` is in the directory, or the directory is gone | none |
//! | `hang_ms_max` | nothing hangs longer than this | 60000 |
//!
//! Signatures: `serving_default` takes the float `x` of any shape and answers the float `y` of the same shape
//! (and, if `version` is given, the int64 `version` of the same shape, every element that number); `echo` takes
//! the string `s` of any shape and answers the string `t`, the same. `classify` and `regress` take Examples whose
//! float feature `x` counts, and answer y: as the score of the class `up` (`down` has -y), and as a number.

mod examples;

use super::{Model, RunOptions};
use crate::{
    error::Error,
    signature::{DEFAULT_SIGNATURE, PREDICT_METHOD, Signature, Signatures, TensorSpec},
    tensor::{DType, Data, Tensor},
    wire::tensorflow::{SignatureDef, TensorInfo, TensorShapeProto},
};
use bytes::Bytes;
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// The file that a version directory holds.
pub const FILE: &str = "synthetic.json";
/// The file whose presence ends hanging runs and loads.
pub const RELEASE_FILE: &str = "release";

/// Not zero: pages of zeros can be had without being resident.
const RESIDENT_BYTE: u8 = 1;
const LOOK_FOR_RELEASE_EVERY: Duration = Duration::from_millis(2);

/// The file's members.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
struct Config {
    a: f32,
    b: f32,
    version: Option<i64>,
    load_ms: u64,
    hang_load: bool,
    memory_bytes: usize,
    fail_load: Option<String>,
    examples: bool,
    run_ms: u64,
    spin_us: u64,
    fail_on: Option<f32>,
    panic_on: Option<f32>,
    hang_on: Option<f32>,
    hang_ms_max: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            a: 0.5,
            b: 2.0,
            version: None,
            load_ms: 0,
            hang_load: false,
            memory_bytes: 0,
            fail_load: None,
            examples: false,
            run_ms: 0,
            spin_us: 0,
            fail_on: None,
            panic_on: None,
            hang_on: None,
            hang_ms_max: 60_000,
        }
    }
}

/// Loads the model that a directory describes.
pub fn load(directory: &Path) -> Result<Box<dyn Model>, Error> {
    let file = directory.join(FILE);
    let text = fs::read_to_string(&file)
        .map_err(|error| Error::not_found(format!("cannot read {}: {error}", file.display())))?;
    let config: Config = serde_json::from_str(&text)
        .map_err(|error| Error::invalid_argument(format!("{} is not right: {error}", file.display())))?;
    if config.hang_load {
        hang(directory, &config);
    }
    thread::sleep(Duration::from_millis(config.load_ms));
    let memory = take_memory(config.memory_bytes)?;
    if let Some(text) = config.fail_load {
        return Err(Error::invalid_argument(text));
    }
    let signatures = signatures(&config);
    Ok(Box::new(Synthetic { config, signatures, directory: directory.to_owned(), _memory: memory }))
}

/// Until somebody lets it go, or it is long enough.
fn hang(directory: &Path, config: &Config) {
    let (begun, longest) = (Instant::now(), Duration::from_millis(config.hang_ms_max));
    let held = || directory.exists() && !directory.join(RELEASE_FILE).exists();
    while begun.elapsed() < longest && held() {
        thread::sleep(LOOK_FOR_RELEASE_EVERY);
    }
}

/// So many bytes that are resident: memory that was never written costs the machine nothing. `RESOURCE_EXHAUSTED`
/// when there are not as many.
fn take_memory(bytes: usize) -> Result<Vec<u8>, Error> {
    let mut memory = Vec::new();
    memory
        .try_reserve_exact(bytes)
        .map_err(|error| Error::resource_exhausted(format!("memory_bytes is {bytes}: {error}")))?;
    memory.resize(bytes, RESIDENT_BYTE);
    Ok(memory)
}

struct Synthetic {
    config: Config,
    signatures: Signatures,
    directory: PathBuf,
    _memory: Vec<u8>,
}

impl Model for Synthetic {
    fn signatures(&self) -> &Signatures {
        &self.signatures
    }

    fn run(
        &self,
        signature: usize,
        inputs: &[Tensor],
        outputs: &[usize],
        _options: RunOptions,
    ) -> Result<Vec<Tensor>, Error> {
        let signature = self.signatures.get(signature);
        let (Some(signature), [input]) = (signature, inputs) else {
            return Err(Error::invalid_argument("expected a signature and its one input"));
        };
        let declared = |output: &usize| signature.outputs.get(*output).map(|spec| spec.alias.as_str());
        match (signature.name.as_str(), input.data()) {
            ("echo", Data::Strings(_)) => Ok(outputs.iter().map(|_| input.clone()).collect()),
            ("classify" | "regress", Data::Strings(strings)) => {
                let x = examples::read(strings)?;
                self.take_time();
                self.misbehave(&x)?;
                outputs.iter().map(|output| self.examples_output(declared(output), &x)).collect()
            }
            (DEFAULT_SIGNATURE, Data::Packed(x)) if input.dtype() == DType::Float => {
                let x: Vec<f32> = x.chunks_exact(4).map(little_endian).collect();
                self.take_time();
                self.misbehave(&x)?;
                outputs.iter().map(|output| self.output(declared(output), &x, input.shape())).collect()
            }
            _ => Err(Error::invalid_argument(format!(
                "signature {} does not take a {} tensor",
                signature.name,
                input.dtype().name()
            ))),
        }
    }
}

impl Synthetic {
    fn output(&self, alias: Option<&str>, x: &[f32], shape: &[i64]) -> Result<Tensor, Error> {
        let Config { a, b, version, .. } = self.config;
        let (dtype, packed): (_, Vec<u8>) = match (alias, version) {
            (Some("y"), _) => (DType::Float, x.iter().flat_map(|x| (a * x + b).to_le_bytes()).collect()),
            (Some("version"), Some(version)) => {
                (DType::Int64, x.iter().flat_map(|_| version.to_le_bytes()).collect())
            }
            _ => return Err(Error::invalid_argument("no such output")),
        };
        Tensor::new(dtype, shape.to_vec(), Data::Packed(Bytes::from(packed)))
    }

    fn examples_output(&self, alias: Option<&str>, x: &[f32]) -> Result<Tensor, Error> {
        let Config { a, b, .. } = self.config;
        let y: Vec<f32> = x.iter().map(|x| a * x + b).collect();
        let answered = alias.and_then(|alias| examples::answer(alias, &y));
        answered.unwrap_or_else(|| Err(Error::invalid_argument("no such output")))
    }

    fn take_time(&self) {
        if self.config.run_ms > 0 {
            thread::sleep(Duration::from_millis(self.config.run_ms));
        }
        if self.config.spin_us > 0 {
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_micros(self.config.spin_us) {
                std::hint::spin_loop();
            }
        }
    }

    #[allow(clippy::panic)] // on request: this is how a bug in a runtime looks from outside
    #[allow(clippy::float_cmp)] // a value that the test chose, not one that was computed
    fn misbehave(&self, x: &[f32]) -> Result<(), Error> {
        let has = |value: Option<f32>| value.is_some_and(|value| x.contains(&value));
        if has(self.config.hang_on) {
            hang(&self.directory, &self.config);
        }
        assert!(!has(self.config.panic_on), "the synthetic model was told to panic");
        if has(self.config.fail_on) {
            return Err(Error::invalid_argument("the synthetic model was told to fail"));
        }
        Ok(())
    }
}

fn little_endian(bytes: &[u8]) -> f32 {
    bytes.try_into().map_or(0.0, f32::from_le_bytes)
}

fn signatures(config: &Config) -> Signatures {
    let mut outputs = vec![("y", DType::Float)];
    if config.version.is_some() {
        outputs.insert(0, ("version", DType::Int64));
    }
    let mut list = vec![
        signature(DEFAULT_SIGNATURE, PREDICT_METHOD, &[("x", DType::Float)], &outputs),
        signature("echo", PREDICT_METHOD, &[("s", DType::String)], &[("t", DType::String)]),
    ];
    if config.examples {
        list.extend(examples::signatures());
    }
    let definitions = list.iter().map(|signature| (signature.name.clone(), definition(signature))).collect();
    Signatures::new(list, definitions)
}

fn signature(name: &str, method: &str, inputs: &[(&str, DType)], outputs: &[(&str, DType)]) -> Signature {
    let spec = |(alias, dtype): &(&str, DType)| TensorSpec {
        alias: (*alias).to_owned(),
        name: format!("{alias}:0"),
        dtype_number: dtype.number(),
        shape: None,
    };
    Signature {
        name: name.to_owned(),
        method_name: method.to_owned(),
        inputs: inputs.iter().map(spec).collect(),
        outputs: outputs.iter().map(spec).collect(),
        defaults: BTreeMap::new(),
    }
}

fn definition(signature: &Signature) -> SignatureDef {
    let info = |spec: &TensorSpec| {
        let info = TensorInfo {
            dtype: spec.dtype_number,
            tensor_shape: Some(TensorShapeProto { unknown_rank: true, ..Default::default() }),
            encoding: Some(crate::wire::tensorflow::tensor_info::Encoding::Name(spec.name.clone())),
        };
        (spec.alias.clone(), info)
    };
    SignatureDef {
        inputs: signature.inputs.iter().map(info).collect(),
        outputs: signature.outputs.iter().map(info).collect(),
        method_name: signature.method_name.clone(),
        ..Default::default()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test may panic
mod tests {
    use super::*;
    use crate::{
        runtime::{Head, Placement},
        testing::write_version,
        wire::tensorflow::{Example, Feature, Features, FloatList, feature},
    };
    use prost::Message;

    const OPTIONS: RunOptions = RunOptions { placement: Placement::Caller, timeout: None };

    fn model(json: &str) -> Box<dyn Model> {
        let folder = tempfile::TempDir::new().unwrap();
        write_version(folder.path(), json).unwrap();
        load(folder.path()).unwrap()
    }

    fn floats(values: &[f32]) -> Tensor {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let shape = vec![i64::try_from(values.len()).unwrap(), 1];
        Tensor::new(DType::Float, shape, Data::Packed(bytes.into())).unwrap()
    }

    #[test]
    fn y_is_a_times_x_plus_b_in_the_shape_of_x() {
        let model = model(r#"{"a": 2.0, "b": 1.0}"#);
        let (index, _) = model.signatures().find("").unwrap();
        let outputs = model.run(index, &[floats(&[1.0, 2.0])], &[0], OPTIONS).unwrap();
        assert_eq!(outputs, [floats(&[3.0, 5.0])]);
    }

    #[test]
    fn a_model_that_knows_its_version_answers_it_beside_y() {
        let model = model(r#"{"version": 7}"#);
        let (index, signature) = model.signatures().find("").unwrap();
        let aliases: Vec<_> = signature.outputs.iter().map(|spec| spec.alias.as_str()).collect();
        assert_eq!(aliases, ["version", "y"]);
        let outputs = model.run(index, &[floats(&[2.0])], &[1, 0], OPTIONS).unwrap();
        let seven = Data::Packed(Bytes::copy_from_slice(&7_i64.to_le_bytes()));
        assert_eq!(outputs, [floats(&[3.0]), Tensor::new(DType::Int64, vec![1, 1], seven).unwrap()]);
    }

    #[test]
    fn echo_answers_its_strings_and_refuses_floats() {
        let model = model("{}");
        let (index, _) = model.signatures().find("echo").unwrap();
        let strings = Data::Strings(vec![Bytes::from_static(b"a"), Bytes::new()]);
        let input = Tensor::new(DType::String, vec![2], strings).unwrap();
        assert_eq!(model.run(index, std::slice::from_ref(&input), &[0], OPTIONS).unwrap(), [input]);
        assert!(model.run(index, &[floats(&[1.0])], &[0], OPTIONS).is_err());
        assert!(model.run(index, &[], &[0], OPTIONS).is_err());
    }

    #[test]
    fn examples_are_classified_and_regressed_by_their_feature_x() {
        let model = model(r#"{"examples": true}"#);
        let feature = Feature { kind: Some(feature::Kind::FloatList(FloatList { value: vec![4.0] })) };
        let features = Features { feature: BTreeMap::from([("x".to_owned(), feature)]) };
        let example = Bytes::from(Example { features: Some(features) }.encode_to_vec());
        let input = |example| Tensor::new(DType::String, vec![1], Data::Strings(vec![example])).unwrap();
        let heads = ["regress", "classify"].map(|name| {
            let (signature, declared) = model.signatures().find(name).unwrap();
            Head { signature, outputs: (0..declared.outputs.len()).collect() }
        });
        let answers = model.run_heads(&heads, &input(example), OPTIONS).unwrap();
        let floats = |shape: &[i64], values: &[f32]| {
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            Tensor::new(DType::Float, shape.to_vec(), Data::Packed(bytes.into())).unwrap()
        };
        let labels = Data::Strings(vec![Bytes::from_static(b"up"), Bytes::from_static(b"down")]);
        let labels = Tensor::new(DType::String, vec![1, 2], labels).unwrap();
        assert_eq!(answers, [floats(&[1], &[4.0]), labels, floats(&[1, 2], &[4.0, -4.0])]);
        let refused = model.run_heads(&heads, &input(Bytes::new()), OPTIONS).unwrap_err();
        assert_eq!(refused.message, "an Example has no float x");
    }

    #[test]
    fn a_load_hangs_until_it_is_released() {
        let folder = tempfile::TempDir::new().unwrap();
        write_version(folder.path(), r#"{"hang_load": true, "fail_load": "ran on"}"#).unwrap();
        let path = folder.path().to_owned();
        let loading = thread::spawn(move || load(&path).err().unwrap().message);
        for _ in 0..20 {
            model("{}"); // the other thread has had the time of a whole load each time
            assert!(!loading.is_finished());
        }
        fs::write(folder.path().join(RELEASE_FILE), "").unwrap();
        assert_eq!(loading.join().unwrap(), "ran on");
    }

    #[test]
    fn nothing_hangs_on_when_its_directory_is_gone_or_the_time_is_up() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("1");
        fs::create_dir(&path).unwrap();
        hang(&path, &Config { hang_ms_max: 1, ..Config::default() });
        let hanging = thread::spawn({
            let path = path.clone();
            move || hang(&path, &Config { hang_ms_max: u64::MAX, ..Config::default() })
        });
        fs::remove_dir(&path).unwrap();
        hanging.join().unwrap();
    }

    #[test]
    fn memory_is_resident_while_the_model_is_loaded_and_more_than_there_is_fails_the_load() {
        const BYTES: u64 = 64 << 20;
        let before = resident_bytes();
        let model = model(&format!(r#"{{"memory_bytes": {BYTES}}}"#));
        assert!(resident_bytes() >= before + BYTES / 2, "{before}");
        drop(model);
        let folder = tempfile::TempDir::new().unwrap();
        write_version(folder.path(), &format!(r#"{{"memory_bytes": {}}}"#, isize::MAX)).unwrap();
        assert_eq!(load(folder.path()).err().unwrap().code, crate::error::Code::ResourceExhausted);
    }

    fn resident_bytes() -> u64 {
        const PAGE_BYTES: u64 = 4096;
        let statm = fs::read_to_string("/proc/self/statm").unwrap();
        statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * PAGE_BYTES
    }

    #[test]
    fn a_folder_without_the_file_is_not_found() {
        let folder = tempfile::TempDir::new().unwrap();
        assert_eq!(load(folder.path()).err().unwrap().code, crate::error::Code::NotFound);
    }
}
