//! How two versions' answers to one request differ, output by output. Pure.
//!
//! Integers, booleans and strings agree when they are equal. Floats agree within a tolerance:
//! `|baseline - candidate| <= absolute + relative * |baseline|`, which is `NumPy`'s `allclose` with the baseline as
//! reference. What is not finite agrees with itself alone: a NaN with a NaN, an infinity with the same one.

use super::elements::Elements;
use crate::{
    tensor::{Data, Tensor},
    traffic::Tolerance,
};

/// How far apart two numbers are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Gap {
    /// Infinite where one of them is not finite and the other is not the same.
    pub(crate) absolute: f64,
    /// Seen from the baseline's; infinite where that is 0 and the other is not.
    pub(crate) relative: f64,
}

/// What is so on one side, on the other, on both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sides {
    pub(crate) baseline: bool,
    pub(crate) candidate: bool,
}

impl Sides {
    pub(crate) fn or(self, other: Self) -> Self {
        let Self { baseline, candidate } = self;
        Self { baseline: baseline || other.baseline, candidate: candidate || other.candidate }
    }
}

/// How the two tensors of one output differ.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Difference {
    /// Within the tolerance, or equal where there is none.
    pub(crate) agrees: bool,
    /// Whether the highest score of every row is at the same place; none for what is no output of scores.
    pub(crate) top_1_agrees: Option<bool>,
    /// The largest there is; none for what are not numbers, and for unlike tensors.
    pub(crate) largest: Option<Gap>,
    /// How bad it is beside other differences of the same output: floats, in tolerances; integers, by how much;
    /// strings, how many differ. Infinite for unlike tensors. More than 1 where floats disagree.
    pub(crate) severity: f64,
    /// The element that makes it so bad; of strings, the first that differs. None where nothing differs, and for
    /// unlike tensors.
    pub(crate) worst: Option<usize>,
    /// They have not the same kind of type, or not the same shape.
    pub(crate) is_unlike: bool,
    /// Whether each has an element that is not finite.
    pub(crate) invalid: Sides,
}

impl Difference {
    /// Of tensors that are the same, and finite.
    const NONE: Self = Self {
        agrees: true,
        top_1_agrees: None,
        largest: None,
        severity: 0.0,
        worst: None,
        is_unlike: false,
        invalid: Sides { baseline: false, candidate: false },
    };

    /// Of a baseline's tensor and a candidate's.
    pub(crate) fn between(baseline: &Tensor, candidate: &Tensor, tolerance: Tolerance) -> Self {
        if baseline.shape() != candidate.shape() {
            return Self::unlike(baseline, candidate);
        }
        if baseline == candidate {
            return Self::none(baseline);
        }
        match (Elements::of(baseline), Elements::of(candidate)) {
            (
                Elements::Floats { values: mine, per_element },
                Elements::Floats { values: theirs, per_element: same },
            ) if per_element == same => {
                let width = score_width(baseline);
                let mut seen = Floats::new(tolerance, width);
                mine.zip(theirs).enumerate().for_each(|(index, pair)| seen.look(index, pair));
                seen.finish(per_element)
            }
            (Elements::Integers(mine), Elements::Integers(theirs))
                if baseline.dtype() == candidate.dtype() =>
            {
                integers(mine.zip(theirs))
            }
            (Elements::Strings(mine), Elements::Strings(theirs)) => strings(mine.zip(theirs)),
            _ => Self::unlike(baseline, candidate),
        }
    }

    fn none(tensor: &Tensor) -> Self {
        let is_number = matches!(tensor.data(), Data::Packed(_));
        let is_invalid = is_invalid(tensor);
        Self {
            invalid: Sides { baseline: is_invalid, candidate: is_invalid },
            top_1_agrees: score_width(tensor).map(|_| true),
            largest: is_number.then_some(Gap { absolute: 0.0, relative: 0.0 }),
            ..Self::NONE
        }
    }

    fn unlike(baseline: &Tensor, candidate: &Tensor) -> Self {
        Self {
            agrees: false,
            severity: f64::INFINITY,
            is_unlike: true,
            invalid: Sides { baseline: is_invalid(baseline), candidate: is_invalid(candidate) },
            ..Self::NONE
        }
    }
}

/// Whether some element is not finite.
pub(crate) fn is_invalid(tensor: &Tensor) -> bool {
    match Elements::of(tensor) {
        Elements::Floats { mut values, .. } => values.any(|value| !value.is_finite()),
        Elements::Integers(_) | Elements::Strings(_) => false,
    }
}

/// How many scores a row has: of real floats with rows of at least two. The first axis is the batch, so a vector
/// has no rows.
fn score_width(tensor: &Tensor) -> Option<usize> {
    let is_real = matches!(Elements::of(tensor), Elements::Floats { per_element: 1, .. });
    let [_, .., width] = tensor.shape() else { return None };
    usize::try_from(*width).ok().filter(|width| is_real && *width > 1)
}

/// Two tensors of floats, as far as they were looked at.
struct Floats {
    tolerance: Tolerance,
    found: Difference,
    largest: Gap,
    rows: Option<Rows>,
}

/// The highest scores of the row that is looked at.
struct Rows {
    width: usize,
    baseline: Highest,
    candidate: Highest,
    agree: bool,
}

/// The highest score of a row and where it is: the first of several. What is not a number is none.
#[derive(Clone, Copy, Default)]
struct Highest(Option<(usize, f64)>);

impl Highest {
    fn look(&mut self, place: usize, score: f64) {
        if !score.is_nan() && self.0.is_none_or(|(_, highest)| score > highest) {
            self.0 = Some((place, score));
        }
    }

    fn place(self) -> Option<usize> {
        self.0.map(|(place, _)| place)
    }
}

impl Rows {
    fn look(&mut self, index: usize, (mine, theirs): (f64, f64)) {
        let place = index % self.width;
        self.baseline.look(place, mine);
        self.candidate.look(place, theirs);
        if place + 1 == self.width {
            self.agree &= self.baseline.place() == self.candidate.place();
            (self.baseline, self.candidate) = Default::default();
        }
    }
}

impl Floats {
    fn new(tolerance: Tolerance, width: Option<usize>) -> Self {
        let (baseline, candidate) = Default::default();
        let rows = width.map(|width| Rows { width, baseline, candidate, agree: true });
        let largest = Gap { absolute: 0.0, relative: 0.0 };
        Self { tolerance, found: Difference::NONE, largest, rows }
    }

    fn look(&mut self, index: usize, pair: (f64, f64)) {
        let (mine, theirs) = pair;
        self.found.invalid.baseline |= !mine.is_finite();
        self.found.invalid.candidate |= !theirs.is_finite();
        if let Some(rows) = &mut self.rows {
            rows.look(index, pair);
        }
        let gap = gap(mine, theirs);
        self.largest.absolute = self.largest.absolute.max(gap.absolute);
        self.largest.relative = self.largest.relative.max(gap.relative);
        let severity = self.tolerance.severity(mine, gap);
        if severity > self.found.severity {
            (self.found.severity, self.found.worst) = (severity, Some(index));
        }
    }

    fn finish(self, per_element: usize) -> Difference {
        let is_within = self.found.severity <= 1.0;
        let top_1_agrees = self.rows.map(|rows| rows.agree);
        Difference {
            agrees: top_1_agrees.filter(|_| self.tolerance.top_1).unwrap_or(is_within),
            top_1_agrees,
            largest: Some(self.largest),
            worst: self.found.worst.map(|index| index / per_element),
            ..self.found
        }
    }
}

impl Tolerance {
    /// How many tolerances a gap is wide, from a baseline's float.
    fn severity(self, baseline: f64, gap: Gap) -> f64 {
        if gap.absolute == 0.0 || gap.absolute.is_infinite() {
            return gap.absolute; // an infinite baseline has an infinite tolerance, and is still not met
        }
        let allowed = self.absolute + self.relative * baseline.abs();
        // At the edge the quotient may be rounded to the wrong side of 1.
        if gap.absolute <= allowed {
            (gap.absolute / allowed).min(1.0)
        } else {
            (gap.absolute / allowed).max(JUST_MORE)
        }
    }
}

/// The smallest number above 1.
const JUST_MORE: f64 = 1.0 + f64::EPSILON;

#[allow(clippy::float_cmp)] // equal is what is asked
fn gap(baseline: f64, candidate: f64) -> Gap {
    if baseline == candidate || (baseline.is_nan() && candidate.is_nan()) {
        return Gap { absolute: 0.0, relative: 0.0 };
    }
    if !baseline.is_finite() || !candidate.is_finite() {
        return Gap { absolute: f64::INFINITY, relative: f64::INFINITY };
    }
    let absolute = (baseline - candidate).abs();
    Gap { absolute, relative: absolute / baseline.abs() }
}

#[allow(clippy::cast_precision_loss)] // a difference that is that large need not be exact
fn integers(pairs: impl Iterator<Item = (i128, i128)>) -> Difference {
    let mut found = Difference { largest: Some(Gap { absolute: 0.0, relative: 0.0 }), ..Difference::NONE };
    for (index, (mine, theirs)) in pairs.enumerate() {
        let absolute = mine.abs_diff(theirs) as f64;
        if let Some(largest) = &mut found.largest
            && absolute > 0.0
        {
            largest.relative = largest.relative.max(absolute / mine.unsigned_abs() as f64);
            largest.absolute = largest.absolute.max(absolute);
        }
        if absolute > found.severity {
            (found.severity, found.worst, found.agrees) = (absolute, Some(index), false);
        }
    }
    found
}

fn strings<'a>(pairs: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Difference {
    let mut found = Difference::NONE;
    for (index, (mine, theirs)) in pairs.enumerate() {
        if mine != theirs {
            found.severity += 1.0;
            found.agrees = false;
            found.worst = found.worst.or(Some(index));
        }
    }
    found
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
