//! What one request came to: an [`Answer`] read from the bytes, or a [`Failure`].

use std::fmt;

use bytes::Bytes;
use dataplane::{
    error::Code,
    wire::tensorflow::{
        TensorProto,
        serving::{PredictResponse, model_spec::VersionChoice},
    },
};
use prost::Message;

use crate::expectations::{Expectations, leaves};

/// A good answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The version that answered, where the answer tells.
    pub(crate) version: Option<i64>,
    /// The output is not what that version answers, or what any version answers.
    pub(crate) mixed: bool,
}

/// Why a request failed: the kind that is counted, and a text of which the first is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    pub(crate) text: String,
}

/// The kinds that are counted apart; few by construction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FailureKind {
    /// A gRPC status other than OK.
    Grpc(Code),
    /// An HTTP status other than 200.
    Http(u16),
    /// No answer in time.
    Timeout,
    /// The connection could not be made, or was lost before the answer was whole.
    Connection,
    /// An answer that cannot be read.
    Malformed,
}

impl fmt::Display for FailureKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grpc(code) => formatter.write_str(code.name()),
            Self::Http(status) => write!(formatter, "HTTP {status}"),
            Self::Timeout => formatter.write_str("timeout"),
            Self::Connection => formatter.write_str("connection"),
            Self::Malformed => formatter.write_str("malformed answer"),
        }
    }
}

impl Failure {
    /// A failure of this kind.
    pub(crate) fn new(kind: FailureKind, text: impl fmt::Display) -> Self {
        Self { kind, text: text.to_string() }
    }
}

/// Reads a Predict answer: who answered, and whether with its own output.
pub(crate) fn read_predict_response(body: Bytes, expected: Option<&Expectations>) -> Result<Answer, Failure> {
    let response = PredictResponse::decode(body).map_err(malformed)?;
    let choice = response.model_spec.as_ref().and_then(|spec| spec.version_choice.as_ref());
    let version = match choice {
        Some(VersionChoice::Version(number)) => Some(*number),
        _ => None,
    };
    let Some(expected) = expected else { return Ok(Answer { version, mixed: false }) };
    let output: Vec<f64> = response.outputs.values().flat_map(floats).collect();
    let mixed = !version.is_some_and(|version| expected.fits(version, &output));
    Ok(Answer { version, mixed })
}

/// Reads a REST predict answer. It does not name its version: the expectations find it, where there are any.
pub(crate) fn read_rest_answer(body: &[u8], expected: Option<&Expectations>) -> Result<Answer, Failure> {
    let Some(expected) = expected else { return Ok(Answer::default()) };
    let parsed: serde_json::Value = serde_json::from_slice(body).map_err(malformed)?;
    let output = parsed.get("predictions").or_else(|| parsed.get("outputs")).and_then(leaves);
    let output = output.ok_or_else(|| malformed("no numbers under `predictions` or `outputs`"))?;
    let version = expected.version_of(&output);
    Ok(Answer { version, mixed: version.is_none() })
}

fn malformed(reason: impl fmt::Display) -> Failure {
    Failure::new(FailureKind::Malformed, reason)
}

/// The elements of a float tensor in either of its encodings; of any other type: nothing.
fn floats(tensor: &TensorProto) -> Vec<f64> {
    if tensor.tensor_content.is_empty() {
        return tensor.float_val.iter().map(|float| f64::from(*float)).collect();
    }
    let (elements, _) = tensor.tensor_content.as_chunks::<4>();
    elements.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes))).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may fail by panicking

    use super::*;
    use dataplane::wire::tensorflow::serving::ModelSpec;
    use serde_json::json;

    fn response(version: i64, tensor: TensorProto) -> Bytes {
        let spec =
            ModelSpec { version_choice: Some(VersionChoice::Version(version)), ..ModelSpec::default() };
        let outputs = [("y".to_owned(), tensor)].into();
        PredictResponse { outputs, model_spec: Some(spec) }.encode_to_vec().into()
    }

    fn expectations() -> Expectations {
        Expectations::parse(&json!({"1": [2.5, 3.0], "2": [3.5, 4.0]})).unwrap()
    }

    #[test]
    fn both_tensor_encodings_are_read_alike() {
        let typed = TensorProto { float_val: vec![3.5, 4.0], ..TensorProto::default() };
        let content: Vec<u8> = [3.5_f32, 4.0].iter().flat_map(|float| float.to_le_bytes()).collect();
        let packed = TensorProto { tensor_content: content.into(), ..TensorProto::default() };
        for tensor in [typed, packed] {
            let answer = read_predict_response(response(2, tensor), Some(&expectations())).unwrap();
            assert_eq!(answer, Answer { version: Some(2), mixed: false });
        }
    }

    #[test]
    fn an_answer_that_names_one_version_with_the_output_of_another_is_mixed() {
        let tensor = TensorProto { float_val: vec![3.5, 4.0], ..TensorProto::default() };
        let answer = read_predict_response(response(1, tensor), Some(&expectations())).unwrap();
        assert_eq!(answer, Answer { version: Some(1), mixed: true });
    }

    #[test]
    fn a_rest_answer_is_attributed_by_its_numbers() {
        let expected = expectations();
        let read = |text: &str| read_rest_answer(text.as_bytes(), Some(&expected)).unwrap();
        assert_eq!(read(r#"{"predictions": [2.5, 3.0]}"#), Answer { version: Some(1), mixed: false });
        assert_eq!(read(r#"{"outputs": [[3.5], [4.0]]}"#), Answer { version: Some(2), mixed: false });
        assert_eq!(read(r#"{"predictions": [2.5, 4.0]}"#), Answer { version: None, mixed: true });
    }

    #[test]
    fn what_cannot_be_read_is_malformed() {
        let expected = expectations();
        let failure = read_predict_response(Bytes::from_static(&[0xff]), None).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Malformed);
        for text in ["{", "{}", r#"{"predictions": ["a"]}"#] {
            assert_eq!(
                read_rest_answer(text.as_bytes(), Some(&expected)).unwrap_err().kind,
                FailureKind::Malformed
            );
        }
    }
}
