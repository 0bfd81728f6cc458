//! Answers as tensors by name, so that all kinds of them are compared in one way.

use crate::{
    error::Error,
    examples::Answer,
    rest::golden::floats,
    signature::Signature,
    tensor::{DType, Data, Tensor},
    tensor_proto,
    wire::tensorflow::serving::{
        ClassificationResult, MultiInferenceResponse, PredictResponse, RegressionResult, inference_result,
    },
};
use bytes::Bytes;

pub(super) use crate::rest::golden::Outputs;

/// What the names of a task's tensors are: those of the signature's outputs that they come from.
const LABELS: &str = "classes";
const SCORES: &str = "scores";
const VALUES: &str = "outputs";

/// Of a run's tensors, which are those of these outputs.
pub(super) fn of_run(signature: &Signature, indexes: &[usize], tensors: Vec<Tensor>) -> Outputs {
    let named = indexes.iter().filter_map(|&index| signature.outputs.get(index));
    named.map(|spec| spec.alias.clone()).zip(tensors).collect()
}

/// Of a Predict answer.
pub(super) fn of_predict(response: PredictResponse) -> Result<Outputs, Error> {
    let read = |(name, proto)| {
        let tensor = tensor_proto::decode(proto)
            .map_err(|error| Error::invalid_argument(format!("its output {name}: {}", error.message)))?;
        Ok((name, tensor))
    };
    response.outputs.into_iter().map(read).collect()
}

/// Of what a model's outputs say of Examples.
pub(super) fn of_answer(answer: &Answer<'_>) -> Result<Outputs, Error> {
    match answer {
        Answer::Classifications(found) => {
            let class = |(label, score): (&[u8], f32)| (Bytes::copy_from_slice(label), score);
            of_classes(found.rows().map(|row| row.map(class).collect()).collect())
        }
        Answer::Regressions(found) => of_values(&found.values().collect::<Vec<_>>()),
    }
}

/// Of a Classify answer.
pub(super) fn of_classification(result: ClassificationResult) -> Result<Outputs, Error> {
    let rows = result.classifications.into_iter();
    of_classes(
        rows.map(|row| row.classes.into_iter().map(|class| (class.label.into(), class.score)).collect())
            .collect(),
    )
}

/// Of a Regress answer.
pub(super) fn of_regression(result: RegressionResult) -> Result<Outputs, Error> {
    of_values(&result.regressions.into_iter().map(|each| each.value).collect::<Vec<_>>())
}

/// Of a `MultiInference` answer: each task's, under the name of its signature.
pub(super) fn of_multi_inference(response: MultiInferenceResponse) -> Result<Outputs, Error> {
    let mut all = Outputs::new();
    for each in response.results {
        let signature = each.model_spec.map(|spec| spec.signature_name).unwrap_or_default();
        let outputs = match each.result {
            Some(inference_result::Result::ClassificationResult(result)) => of_classification(result)?,
            Some(inference_result::Result::RegressionResult(result)) => of_regression(result)?,
            None => Outputs::new(),
        };
        all.extend(outputs.into_iter().map(|(name, tensor)| (format!("{signature}.{name}"), tensor)));
    }
    Ok(all)
}

/// Of labels and scores, by Example. Rows that are not equally long agree with no answer, and become one vector.
pub(super) fn of_classes(rows: Vec<Vec<(Bytes, f32)>>) -> Result<Outputs, Error> {
    let size = |size: usize| i64::try_from(size).unwrap_or(i64::MAX);
    let width = rows.first().map_or(0, Vec::len);
    let shape = if rows.iter().all(|row| row.len() == width) {
        vec![size(rows.len()), size(width)]
    } else {
        vec![size(rows.iter().map(Vec::len).sum())]
    };
    let (labels, scores): (Vec<_>, Vec<_>) = rows.into_iter().flatten().unzip();
    let labels = Tensor::new(DType::String, shape.clone(), Data::Strings(labels))?;
    Ok([(LABELS.to_owned(), labels), (SCORES.to_owned(), floats(&scores, shape)?)].into())
}

/// Of a number for each Example.
pub(super) fn of_values(values: &[f32]) -> Result<Outputs, Error> {
    let shape = vec![i64::try_from(values.len()).unwrap_or(i64::MAX)];
    Ok([(VALUES.to_owned(), floats(values, shape)?)].into())
}
