//! Whether a request's tensor is one that an input takes. LiteRT would take others, too, and some kernels trust it.

use super::contents::Port;
use crate::{error::Error, tensor::Tensor};

/// The tensor's sizes as LiteRT takes them; `INVALID_ARGUMENT` for a tensor that the input does not take.
///
/// `grows`: a first dimension of 1 may be any; see [`grows`].
pub(super) fn fit(port: &Port, alias: &str, tensor: &Tensor, grows: bool) -> Result<Vec<i32>, Error> {
    let refused = |why: String| Error::invalid_argument(format!("input {alias:?} {why}"));
    let declared = port.element.map(|element| element.dtype);
    if declared != Some(tensor.dtype()) {
        let name = declared.map_or("of another type", crate::tensor::DType::name);
        return Err(refused(format!("is {name}, not {}", tensor.dtype().name())));
    }
    let fits = |(position, (&declared, &given)): (usize, (&i32, &i64))| {
        declared < 0 || i64::from(declared) == given || (grows && position == 0 && declared == 1)
    };
    if port.shape.len() != tensor.shape().len()
        || !port.shape.iter().zip(tensor.shape()).enumerate().all(fits)
    {
        return Err(refused(format!("takes shape {:?}, not {:?}", port.shape, tensor.shape())));
    }
    let sizes = tensor.shape().iter().map(|&size| i32::try_from(size).ok().filter(|&size| size > 0));
    sizes.collect::<Option<Vec<i32>>>().ok_or_else(|| {
        refused(format!("has shape {:?}; LiteRT takes no tensor without elements", tensor.shape()))
    })
}

/// Whether these inputs are of a file from before converters marked dimensions that may be of any size: they wrote 1
/// for the number of examples. `TensorFlow` Serving gives such a model as many as come, and so do we; a graph that
/// cannot take them says so.
pub(super) fn grows(inputs: &[Port]) -> bool {
    inputs.iter().all(|port| port.shape.iter().all(|&size| size >= 0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test that panics has failed

    use super::*;
    use crate::{
        error::Code,
        runtime::litert::element::Element,
        tensor::{DType, Data},
    };

    fn port(shape: &[i32]) -> Port {
        let element = Element::from_file(3); // uint8
        Port { alias: None, tensor: "x".into(), element, shape: shape.to_vec() }
    }

    fn tensor(shape: &[i64]) -> Tensor {
        let count = usize::try_from(shape.iter().product::<i64>()).unwrap();
        Tensor::new(DType::UInt8, shape.to_vec(), Data::Packed(vec![0; count].into())).unwrap()
    }

    fn refusal(port: &Port, tensor: &Tensor) -> String {
        let error = fit(port, "x", tensor, false).unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument);
        error.message.into_owned()
    }

    #[test]
    fn free_dimensions_take_any_size_and_others_their_own() {
        assert_eq!(fit(&port(&[-1, 2]), "x", &tensor(&[7, 2]), false), Ok(vec![7, 2]));
        assert_eq!(fit(&port(&[]), "x", &tensor(&[]), false), Ok(vec![]));
        assert_eq!(refusal(&port(&[-1, 2]), &tensor(&[7, 3])), "input \"x\" takes shape [-1, 2], not [7, 3]");
        assert_eq!(refusal(&port(&[-1, 2]), &tensor(&[2])), "input \"x\" takes shape [-1, 2], not [2]");
    }

    #[test]
    fn a_first_dimension_of_one_grows_in_a_file_that_marks_none_as_free() {
        assert!(grows(&[port(&[1, 2]), port(&[])]));
        assert!(!grows(&[port(&[1, 2]), port(&[-1])]));
        assert_eq!(fit(&port(&[1, 2]), "x", &tensor(&[5, 2]), true), Ok(vec![5, 2]));
        assert!(fit(&port(&[1, 2]), "x", &tensor(&[1, 3]), true).is_err());
        assert!(fit(&port(&[2, 2]), "x", &tensor(&[5, 2]), true).is_err());
    }

    #[test]
    fn another_type_and_a_tensor_without_elements_are_refused() {
        let text = Tensor::new(DType::String, vec![0], Data::Strings(Vec::new())).unwrap();
        assert_eq!(refusal(&port(&[-1]), &text), "input \"x\" is uint8, not string");
        assert_eq!(
            refusal(&port(&[-1]), &tensor(&[0])),
            "input \"x\" has shape [0]; LiteRT takes no tensor without elements"
        );
    }
}
