//! Complex numbers as JSON says them: `{"re": 1.0, "im": -0.5}`.
//!
//! An object, as bytes are (`{"b64": ...}`), so that lists mean dimensions and nothing else: a pair in a list could
//! be a dimension of two. TensorFlow Serving has no complex numbers over REST; decision 0030.

use super::json::{Number, Value, dump};
use crate::error::Error;

const REAL_KEY: &str = "re";
const IMAGINARY_KEY: &str = "im";

/// Whether it is `{"re": number, "im": number}` and nothing else.
pub(super) fn is_complex(value: Value<'_>) -> bool {
    parts(value).is_some()
}

/// Its real and its imaginary part; `INVALID_ARGUMENT` for another object.
pub(super) fn read(value: Value<'_>) -> Result<[f64; 2], Error> {
    parts(value).ok_or_else(|| {
        Error::invalid_argument(format!(
            "JSON Value: {} not formatted correctly for complex data, which is {{\"re\": 1.0, \"im\": 0.0}}",
            dump(value)
        ))
    })
}

fn parts(value: Value<'_>) -> Option<[f64; 2]> {
    if !value.is_object() || value.len() != 2 {
        return None;
    }
    let part = |key| value.member(key).and_then(Value::number).map(Number::to_double);
    Some([part(REAL_KEY)?, part(IMAGINARY_KEY)?])
}
