//! The synthetic model's signatures `classify` and `regress`: what they are, and what they answer.

use super::signature;
use crate::{
    error::Error,
    signature::{CLASSIFY_METHOD, REGRESS_METHOD, Signature},
    tensor::{DType, Data, Tensor},
    wire::tensorflow::{Example, feature::Kind},
};
use bytes::Bytes;
use prost::Message;

/// The feature that counts.
const FEATURE: &str = "x";

/// The labels of the classes; the first one's score is y, the second one's is -y.
const LABELS: [&[u8]; 2] = [b"up", b"down"];

pub(super) fn signatures() -> [Signature; 2] {
    let inputs = [("inputs", DType::String)];
    let classes = [("classes", DType::String), ("scores", DType::Float)];
    [
        signature("classify", CLASSIFY_METHOD, &inputs, &classes),
        signature("regress", REGRESS_METHOD, &inputs, &[("outputs", DType::Float)]),
    ]
}

/// Each Example's x.
pub(super) fn read(examples: &[Bytes]) -> Result<Vec<f32>, Error> {
    let x = |bytes: &Bytes| {
        let example = Example::decode(bytes.clone()).ok()?;
        match example.features?.feature.remove(FEATURE)?.kind? {
            Kind::FloatList(list) => list.value.first().copied(),
            _ => None,
        }
    };
    let missing = || Error::invalid_argument(format!("an Example has no float {FEATURE}"));
    examples.iter().map(|bytes| x(bytes).ok_or_else(missing)).collect()
}

/// The output of this name where each Example's y is this; none when there is no such output.
pub(super) fn answer(alias: &str, y: &[f32]) -> Option<Result<Tensor, Error>> {
    let batch = i64::try_from(y.len()).ok()?;
    let floats = |values: Vec<f32>| {
        Data::Packed(values.into_iter().flat_map(f32::to_le_bytes).collect::<Vec<_>>().into())
    };
    Some(match alias {
        "outputs" => Tensor::new(DType::Float, vec![batch], floats(y.to_vec())),
        "scores" => {
            Tensor::new(DType::Float, vec![batch, 2], floats(y.iter().flat_map(|&y| [y, -y]).collect()))
        }
        "classes" => {
            let labels = y.iter().flat_map(|_| LABELS.map(Bytes::from_static)).collect();
            Tensor::new(DType::String, vec![batch, 2], Data::Strings(labels))
        }
        _ => return None,
    })
}
