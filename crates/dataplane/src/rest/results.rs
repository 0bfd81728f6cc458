//! A Classify or Regress answer's JSON: `results`, one for each Example.

use super::json::Writer;
use crate::examples::{Answer, Classifications, Regressions};

/// What a label with its score, or a number, takes on average.
const RESULT_BYTES_TYPICAL: usize = 24;

const RESULTS_KEY: &[u8] = b"results";

pub(super) fn write(answer: &Answer<'_>) -> Vec<u8> {
    match answer {
        Answer::Classifications(found) => write_classifications(found),
        Answer::Regressions(found) => write_regressions(found),
    }
}

fn write_classifications(found: &Classifications<'_>) -> Vec<u8> {
    let mut writer = Writer::with_capacity(found.len() * RESULT_BYTES_TYPICAL + 64);
    writer.start_object();
    writer.string(RESULTS_KEY);
    writer.start_array();
    for classes in found.rows() {
        writer.single_line = true;
        writer.start_array();
        for (label, score) in classes {
            writer.start_array();
            writer.string(label);
            writer.float(score);
            writer.end_array();
        }
        writer.end_array();
        writer.single_line = false;
    }
    writer.end_array();
    writer.end_object();
    writer.finish()
}

fn write_regressions(found: &Regressions<'_>) -> Vec<u8> {
    let values = found.values();
    let mut writer = Writer::with_capacity(values.len() * RESULT_BYTES_TYPICAL + 64);
    writer.start_object();
    writer.string(RESULTS_KEY);
    writer.single_line = true;
    writer.start_array();
    values.for_each(|value| writer.float(value));
    writer.end_array();
    writer.end_object();
    writer.finish()
}
