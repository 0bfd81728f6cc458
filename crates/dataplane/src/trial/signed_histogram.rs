//! How floats of either sign are distributed: buckets that grow with the value, as wide as a sixteenth of it.
//!
//! A float's own exponent and the first bits of its mantissa are its bucket, so finding it costs no logarithm. Values
//! closer to zero than 2^-32 count as zero, those beyond 2^32 in the last bucket.

/// Buckets from one power of two to the next.
const PER_OCTAVE: usize = 16;
const OCTAVES: usize = 64;
const BUCKETS: usize = OCTAVES * PER_OCTAVE;
/// The exponent of the first octave.
const EXPONENT_MIN: i32 = -32;
const EXPONENT_BIAS: i32 = 1_023;
const MANTISSA_BITS: u32 = 52;

/// Counts of floats, at most 16 KiB.
#[derive(Clone, Debug, Default)]
pub struct SignedHistogram {
    /// By size; empty until there is one.
    negative: Vec<u64>,
    positive: Vec<u64>,
    zero: u64,
    not_finite: u64,
    count: u64,
    sum: f64,
    bounds: Option<(f64, f64)>,
}

impl SignedHistogram {
    /// Counts one value; what is no number, or infinite, apart.
    pub fn record(&mut self, value: f64) {
        if !value.is_finite() {
            self.not_finite += 1;
            return;
        }
        self.count += 1;
        self.sum += value;
        let (low, high) = self.bounds.unwrap_or((value, value));
        self.bounds = Some((low.min(value), high.max(value)));
        let Some(index) = index(value) else {
            self.zero += 1;
            return;
        };
        let side = if value < 0.0 { &mut self.negative } else { &mut self.positive };
        side.resize(BUCKETS, 0);
        if let Some(count) = side.get_mut(index) {
            *count += 1;
        }
    }

    /// How many numbers were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Values that were infinite or no number.
    #[must_use]
    pub fn not_finite(&self) -> u64 {
        self.not_finite
    }

    /// Of all numbers; none when there is none.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // counts far below 2^52
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }

    /// The value below which this share (0 to 1) of the numbers is, to within a thirty-second of itself; none when
    /// there is none.
    #[must_use]
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // counts
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let (low, high) = self.bounds?;
        let rank = (share.clamp(0.0, 1.0) * self.count as f64).ceil() as u64;
        if rank <= 1 {
            return Some(low);
        }
        let mut seen = 0;
        let found = self.ascending().find(|(_, count)| {
            seen += count;
            seen >= rank
        });
        let (value, _) = found.filter(|_| rank < self.count).unwrap_or((high, 0));
        Some(value.clamp(low, high))
    }

    /// The middle of each bucket with its count, from the lowest.
    fn ascending(&self) -> impl Iterator<Item = (f64, u64)> {
        let negative = self.negative.iter().enumerate().rev().map(|(index, count)| (-middle(index), *count));
        let positive = self.positive.iter().enumerate().map(|(index, count)| (middle(index), *count));
        negative.chain([(0.0, self.zero)]).chain(positive)
    }
}

/// The bucket of a finite value's size; none for what is as good as zero.
fn index(value: f64) -> Option<usize> {
    let bits = value.abs().to_bits();
    let exponent = i32::try_from(bits >> MANTISSA_BITS).ok()? - EXPONENT_BIAS - EXPONENT_MIN;
    let octave = usize::try_from(exponent).ok()?;
    let part = usize::try_from(bits >> (MANTISSA_BITS - PER_OCTAVE.ilog2())).ok()? % PER_OCTAVE;
    Some((octave * PER_OCTAVE + part).min(BUCKETS - 1))
}

#[allow(clippy::cast_precision_loss)] // small numbers
fn middle(index: usize) -> f64 {
    let octave = i32::try_from(index / PER_OCTAVE).unwrap_or(0);
    let part = (index % PER_OCTAVE) as f64 + 0.5;
    2.0_f64.powi(octave + EXPONENT_MIN) * (1.0 + part / PER_OCTAVE as f64)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::float_cmp)] // a test, of chosen numbers
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = f64>) -> SignedHistogram {
        let mut histogram = SignedHistogram::default();
        values.into_iter().for_each(|value| histogram.record(value));
        histogram
    }

    #[test]
    fn quantiles_of_either_sign_are_true_to_a_thirty_second() {
        let value = |number: i32| f64::from(number) / 7.0;
        let histogram = of((-2_000..3_000).map(value));
        for (share, number) in
            [(0.01, -1_951), (0.1, -1_501), (0.4, -1), (0.5, 499), (0.9, 2_499), (0.99, 2_949)]
        {
            let (found, exact) = (histogram.quantile(share).unwrap(), value(number));
            assert!((found - exact).abs() <= exact.abs() / 30.0, "{share}: {found} for {exact}");
        }
        assert_eq!(histogram.quantile(0.0), Some(value(-2_000)));
        assert_eq!(histogram.quantile(1.0), Some(value(2_999)));
    }

    #[test]
    fn every_float_has_a_place() {
        let values = [0.0, -0.0, f64::MIN_POSITIVE, 5e-324, f64::MAX, f64::MIN, 1e-300, 1e300];
        let histogram = of(values);
        assert_eq!((histogram.count(), histogram.not_finite(), histogram.zero), (8, 0, 5));
        assert_eq!(histogram.quantile(0.5), Some(0.0));
    }

    #[test]
    fn what_is_no_number_is_counted_apart_and_changes_nothing() {
        let histogram = of([1.0, f64::NAN, f64::INFINITY, 3.0]);
        assert_eq!((histogram.count(), histogram.not_finite(), histogram.mean()), (2, 2, Some(2.0)));
    }

    #[test]
    fn one_value_is_its_own_quantiles() {
        let histogram = of([0.1]);
        assert_eq!((histogram.quantile(0.0), histogram.quantile(0.9)), (Some(0.1), Some(0.1)));
        assert_eq!(SignedHistogram::default().quantile(0.5), None);
        assert_eq!(SignedHistogram::default().mean(), None);
    }
}
