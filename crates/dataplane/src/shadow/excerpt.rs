//! A little of a request's inputs, for people who look at what went wrong: bounded whatever the request is like.

use super::elements::{cut, text};
use crate::tensor::{Tensor, element_count};
use std::fmt::Write;

/// Of each input so many elements are shown, from the front.
const ELEMENTS_MAX: usize = 8;
/// Of all inputs together.
const CHARS_MAX: usize = 256;

/// `x: float [1, 2] = 0.5, 1; s: string [] = a`.
pub(super) fn excerpt<'a>(inputs: impl Iterator<Item = (&'a str, &'a Tensor)>) -> String {
    let mut all = String::new();
    for (name, tensor) in inputs {
        if all.len() > CHARS_MAX {
            break;
        }
        let separator = if all.is_empty() { "" } else { "; " };
        let count = element_count(tensor.shape()).unwrap_or_default();
        let shown: Vec<String> =
            (0..count.min(ELEMENTS_MAX)).filter_map(|index| text(tensor, index)).collect();
        let more = if count > ELEMENTS_MAX { ", …" } else { "" };
        let (kind, shape, shown) = (tensor.dtype().name(), tensor.shape(), shown.join(", "));
        let _ = write!(all, "{separator}{name}: {kind} {shape:?} = {shown}{more}"); // never fails
    }
    cut(all, CHARS_MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test may panic
mod tests {
    use super::*;
    use crate::tensor::{DType, Data};
    use bytes::Bytes;

    fn ones(count: usize) -> Tensor {
        let bytes = vec![1_f32.to_le_bytes(); count].concat();
        Tensor::new(DType::Float, vec![i64::try_from(count).unwrap()], Data::Packed(bytes.into())).unwrap()
    }

    fn one_string(string: Bytes) -> Tensor {
        Tensor::new(DType::String, vec![], Data::Strings(vec![string])).unwrap()
    }

    #[test]
    fn the_first_elements_of_every_input_are_shown() {
        let (few, many, word) = (ones(2), ones(9), one_string(Bytes::from_static(b"a\n\xff")));
        let shown = excerpt([("few", &few), ("many", &many), ("word", &word)].into_iter());
        let ones = "1, 1, 1, 1, 1, 1, 1, 1, …";
        assert_eq!(
            shown,
            format!("few: float [2] = 1, 1; many: float [9] = {ones}; word: string [] = a\\n\u{fffd}")
        );
    }

    #[test]
    fn whatever_comes_the_excerpt_is_short() {
        let long = one_string(Bytes::from(vec![b'x'; 1 << 20]));
        let inputs: Vec<_> = (0..1000).map(|number| (format!("input {number}"), long.clone())).collect();
        let shown = excerpt(inputs.iter().map(|(name, tensor)| (name.as_str(), tensor)));
        assert_eq!(shown.chars().count(), CHARS_MAX + 1);
    }
}
