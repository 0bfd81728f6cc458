//! What each version should answer, so that an answer put together from two versions can be told.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;

const VERSIONS_MAX: usize = 10_000;
/// Relative; well under any difference between versions worth telling apart, well over a float's rounding.
const TOLERANCE: f64 = 1e-5;

/// Expected output floats by version; where two expect the same, the newer one is named.
#[derive(Debug)]
pub(crate) struct Expectations {
    by_version: BTreeMap<i64, Vec<f64>>,
}

impl Expectations {
    /// Reads `{"1": [2.5, 3.0], "2": [...]}`.
    pub(crate) fn read(file: &Path) -> Result<Self, String> {
        let problem = |reason: String| format!("--expect-output-by-version {}: {reason}", file.display());
        let text = fs::read_to_string(file).map_err(|error| problem(error.to_string()))?;
        let parsed: Value = serde_json::from_str(&text).map_err(|error| problem(error.to_string()))?;
        Self::parse(&parsed).map_err(problem)
    }

    /// The same from parsed JSON.
    pub(crate) fn parse(parsed: &Value) -> Result<Self, String> {
        let object = parsed.as_object().ok_or("expected an object: version -> list of numbers")?;
        if object.is_empty() || object.len() > VERSIONS_MAX {
            return Err(format!("expected between 1 and {VERSIONS_MAX} versions, got {}", object.len()));
        }
        let mut by_version: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
        for (key, value) in object {
            let version = key.parse().map_err(|_| format!("{key:?} is not a version number"))?;
            let floats = leaves(value).ok_or_else(|| format!("version {version}: expected numbers"))?;
            by_version.insert(version, floats);
        }
        Ok(Self { by_version })
    }

    /// Whether this is what this version answers; a version that is not in the file answers nothing known.
    pub(crate) fn fits(&self, version: i64, output: &[f64]) -> bool {
        self.by_version.get(&version).is_some_and(|expected| same(expected, output))
    }

    /// The newest version that answers this, or none: then it is no version's answer.
    pub(crate) fn version_of(&self, output: &[f64]) -> Option<i64> {
        self.by_version.iter().rev().find(|(_, expected)| same(expected, output)).map(|(version, _)| *version)
    }
}

/// Every number of a JSON value, depth first, or none when there is something else in it.
pub(crate) fn leaves(value: &Value) -> Option<Vec<f64>> {
    let mut found = Vec::new();
    collect(value, &mut found).then_some(found)
}

fn collect(value: &Value, found: &mut Vec<f64>) -> bool {
    match value {
        Value::Number(number) => number.as_f64().map(|float| found.push(float)).is_some(),
        Value::Array(items) => items.iter().all(|item| collect(item, found)),
        Value::Object(members) => members.values().all(|member| collect(member, found)),
        _ => false,
    }
}

fn same(left: &[f64], right: &[f64]) -> bool {
    left.len() == right.len()
        && left.iter().zip(right).all(|(a, b)| (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()).max(1.0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may fail by panicking

    use super::*;
    use serde_json::json;

    #[test]
    fn an_answer_belongs_to_the_version_that_gives_it() {
        let expectations = Expectations::parse(&json!({"1": [2.5, 3.0], "2": [[3.5], [4.0]]})).unwrap();
        assert_eq!(expectations.version_of(&[2.5, 3.0]), Some(1));
        assert_eq!(expectations.version_of(&[3.5, 4.0]), Some(2));
        assert!(expectations.fits(1, &[2.500_001, 3.0]));
        assert!(!expectations.fits(2, &[2.5, 3.0]));
        assert!(!expectations.fits(3, &[2.5, 3.0]));
    }

    #[test]
    fn an_answer_of_two_halves_belongs_to_no_version() {
        let expectations = Expectations::parse(&json!({"1": [2.5, 3.0], "2": [3.5, 4.0]})).unwrap();
        assert_eq!(expectations.version_of(&[2.5, 4.0]), None);
        assert_eq!(expectations.version_of(&[2.5]), None);
    }

    #[test]
    fn a_file_that_means_nothing_is_refused_with_the_reason() {
        for (file, reason) in [
            (json!([1]), "object"),
            (json!({}), "between 1 and"),
            (json!({"one": [1]}), "version number"),
            (json!({"1": ["a"]}), "numbers"),
        ] {
            assert!(Expectations::parse(&file).unwrap_err().contains(reason), "{file}");
        }
    }
}
