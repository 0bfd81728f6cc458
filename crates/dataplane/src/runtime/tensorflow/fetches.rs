//! Which of a signature's tensors to ask TensorFlow for.
//!
//! A client may name any outputs in any order, so a signature with ten of them has millions of lists. Here the order
//! is always the declared one, and after a number of different sets everything is fetched and the rest thrown away.

use super::{library::TfOutput, prepared::Prepared};
use crate::{error::Error, tensor::Tensor};
use std::{borrow::Cow, collections::BTreeSet};

/// How many different sets of outputs, beside all of them, one signature prepares executors for.
const FETCH_SETS_MAX: usize = 16;

/// A signature's outputs in the graph.
pub(super) struct Fetches {
    all: Vec<TfOutput>,
    sets: Prepared<Vec<usize>>,
}

/// What to fetch, and which of that is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan<'a> {
    pub(super) fetches: Cow<'a, [TfOutput]>,
    /// Indexes into `fetches`; none: all of them, in order.
    picks: Option<Vec<usize>>,
}

impl Fetches {
    pub(super) fn new(all: Vec<TfOutput>) -> Self {
        Self { all, sets: Prepared::at_most(FETCH_SETS_MAX) }
    }

    /// Every declared output.
    pub(super) fn all(&self) -> &[TfOutput] {
        &self.all
    }

    /// How to answer the declared outputs with these indexes, in this order.
    pub(super) fn plan(&self, wanted: &[usize]) -> Result<Plan<'_>, Error> {
        if wanted.iter().copied().eq(0..self.all.len()) {
            return Ok(Plan { fetches: Cow::Borrowed(&self.all), picks: None });
        }
        let set: BTreeSet<usize> = wanted.iter().copied().collect();
        let set: Vec<usize> = set.into_iter().collect();
        let chosen: Option<Vec<TfOutput>> = set.iter().map(|&index| self.all.get(index).copied()).collect();
        let chosen = chosen.ok_or_else(|| Error::internal("a signature has no such output"))?;
        if set.len() == self.all.len() || !self.sets.admits(&set) {
            return Ok(Plan { fetches: Cow::Borrowed(&self.all), picks: Some(wanted.to_vec()) });
        }
        let picks = wanted.iter().filter_map(|index| set.binary_search(index).ok()).collect();
        Ok(Plan { fetches: Cow::Owned(chosen), picks: Some(picks) })
    }
}

impl Plan<'_> {
    /// Of the tensors fetched those asked for.
    pub(super) fn pick(&self, fetched: Vec<Tensor>) -> Vec<Tensor> {
        match &self.picks {
            None => fetched,
            Some(picks) => picks.iter().filter_map(|&index| fetched.get(index).cloned()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test that panics has failed

    use super::*;
    use crate::tensor::{DType, Data};
    use std::ptr;

    fn output(index: i32) -> TfOutput {
        TfOutput { operation: ptr::null_mut(), index }
    }

    fn fetches(count: i32) -> Fetches {
        Fetches::new((0..count).map(output).collect())
    }

    fn tensor(value: u8) -> Tensor {
        Tensor::new(DType::UInt8, Vec::new(), Data::Packed(vec![value].into())).unwrap()
    }

    #[test]
    fn all_outputs_in_order_are_fetched_as_they_are() {
        let fetches = fetches(2);
        let plan = fetches.plan(&[0, 1]).unwrap();
        assert_eq!(plan, Plan { fetches: Cow::Borrowed(&[output(0), output(1)]), picks: None });
    }

    #[test]
    fn a_part_is_fetched_in_the_declared_order_and_answered_in_the_asked_one() {
        let fetches = fetches(3);
        let plan = fetches.plan(&[2, 0, 2]).unwrap();
        assert_eq!(*plan.fetches, [output(0), output(2)]);
        assert_eq!(plan.pick(vec![tensor(0), tensor(2)]), [tensor(2), tensor(0), tensor(2)]);
    }

    #[test]
    fn after_many_different_parts_everything_is_fetched() {
        let fetches = fetches(8);
        let parts: BTreeSet<Vec<i32>> = (1_u32..255)
            .map(|bits| (0..8_usize).filter(|index| bits >> index & 1 == 1).collect::<Vec<_>>())
            .map(|wanted| fetches.plan(&wanted).unwrap().fetches.iter().map(|output| output.index).collect())
            .collect();
        assert_eq!(parts.len(), FETCH_SETS_MAX + 1);
        let plan = fetches.plan(&[7, 1]).unwrap();
        assert_eq!(plan.fetches.len(), 8);
        assert_eq!(plan.pick((0..8).map(tensor).collect()), [tensor(7), tensor(1)]);
    }

    #[test]
    fn an_output_that_is_not_declared_is_refused() {
        assert!(fetches(2).plan(&[2]).is_err());
    }
}
