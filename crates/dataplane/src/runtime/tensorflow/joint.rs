//! Several signatures as one run of the graph: each input that takes part is fed the same tensor, and what all of
//! them want is fetched once.

use super::{library::TfOutput, signatures::Bound};
use crate::{error::Error, tensor::Tensor};
use std::collections::BTreeSet;

/// How many different sets of heads one model prepares executors for; others are run head by head.
pub(super) const JOINT_RUNS_MAX: usize = 64;

/// One run for several heads. Feeds and fetches are sorted, so that the order of heads makes no difference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Joint {
    pub(super) feeds: Vec<TfOutput>,
    pub(super) fetches: Vec<TfOutput>,
}

/// One signature, and which of its outputs are asked for.
pub(super) type BoundHead<'a> = (&'a Bound, &'a [usize]);

impl Joint {
    /// The run for these heads, each of which must have one input.
    pub(super) fn of(heads: &[BoundHead<'_>]) -> Result<Self, Error> {
        let (mut feeds, mut fetches) = (BTreeSet::new(), BTreeSet::new());
        for head in heads {
            let &[feed] = head.0.feeds.as_slice() else {
                return Err(Error::internal("a signature that is run with others needs one input"));
            };
            feeds.insert(feed);
            fetches.extend(wanted(head)?);
        }
        Ok(Self { feeds: feeds.into_iter().collect(), fetches: fetches.into_iter().collect() })
    }

    /// Of the tensors fetched those that the heads asked for, head by head.
    pub(super) fn pick(&self, heads: &[BoundHead<'_>], fetched: &[Tensor]) -> Result<Vec<Tensor>, Error> {
        let mut picked = Vec::with_capacity(fetched.len());
        for head in heads {
            for output in wanted(head)? {
                let found = self.fetches.binary_search(&output).ok().and_then(|index| fetched.get(index));
                picked.push(found.cloned().ok_or_else(|| Error::internal("an output was not fetched"))?);
            }
        }
        Ok(picked)
    }
}

/// Where the graph has what a head asks for.
fn wanted((bound, outputs): &BoundHead<'_>) -> Result<Vec<TfOutput>, Error> {
    let all = bound.fetches.all();
    let found: Option<Vec<TfOutput>> = outputs.iter().map(|&index| all.get(index).copied()).collect();
    found.ok_or_else(|| Error::internal("a signature has no such output"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test that panics has failed

    use super::*;
    use crate::{
        runtime::tensorflow::fetches::Fetches,
        tensor::{DType, Data},
    };
    use std::ptr;

    fn output(index: i32) -> TfOutput {
        TfOutput { operation: ptr::null_mut(), index }
    }

    fn bound(feeds: &[i32], fetches: &[i32]) -> Bound {
        let outputs = |indexes: &[i32]| indexes.iter().copied().map(output).collect::<Vec<_>>();
        let fetches = Fetches::new(outputs(fetches));
        Bound { feeds: outputs(feeds), sources: vec![0], twins: Vec::new(), fetches }
    }

    fn tensor(value: u8) -> Tensor {
        Tensor::new(DType::UInt8, Vec::new(), Data::Packed(vec![value].into())).unwrap()
    }

    #[test]
    fn what_heads_share_is_fed_and_fetched_once_and_each_gets_its_own_in_its_order() {
        let (first, second) = (bound(&[7], &[3, 1]), bound(&[7], &[1, 2]));
        let heads: [BoundHead<'_>; 2] = [(&first, &[0, 1]), (&second, &[1, 0])];
        let joint = Joint::of(&heads).unwrap();
        assert_eq!(joint.feeds, [output(7)]);
        assert_eq!(joint.fetches, [1, 2, 3].map(output));
        let picked = joint.pick(&heads, &[1, 2, 3].map(tensor)).unwrap();
        assert_eq!(picked, [3, 1, 2, 1].map(tensor));
        assert_eq!(Joint::of(&[heads[1], heads[0]]).unwrap(), joint);
    }

    #[test]
    fn heads_with_inputs_of_their_own_feed_each() {
        let (first, second) = (bound(&[7], &[1]), bound(&[5], &[2]));
        assert_eq!(Joint::of(&[(&first, &[0]), (&second, &[0])]).unwrap().feeds, [output(5), output(7)]);
    }

    #[test]
    fn a_head_with_two_inputs_or_an_output_that_is_not_there_is_refused() {
        assert!(Joint::of(&[(&bound(&[1, 2], &[3]), &[0])]).is_err());
        assert!(Joint::of(&[(&bound(&[1], &[3]), &[1])]).is_err());
    }
}
