//! What is asked: requests, what is expected of their answers, and which of them belong together.

use std::{fs, ops::Range, path::Path, path::PathBuf};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, uri::PathAndQuery};
use serde::Deserialize;

use crate::{expectations::Expectations, options::Protocol, options::within};

const BODY_BYTES_MAX: u64 = 256 << 20;
const HEADERS_MAX: usize = 64;
/// Of a file that describes a side, and the questions in it.
const DESCRIPTION_BYTES_MAX: u64 = 1 << 20;
const SIDE_QUESTIONS_MAX: usize = 16;

/// One request; valid by construction.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) path: String,
    pub(crate) body: Option<Bytes>,
    /// Beside those that the protocol asks for.
    pub(crate) headers: HeaderMap,
    pub(crate) expectations: Option<Expectations>,
}

/// What is compared with others: questions by their numbers in the plan, asked one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Side(Range<usize>);

impl Side {
    /// The number of the question that the request of this index asks.
    pub(crate) fn question(&self, index: u64) -> usize {
        let count = u64::try_from(self.0.len()).unwrap_or(1).max(1);
        self.0.start + usize::try_from(index % count).unwrap_or(0)
    }

    /// All of its questions.
    pub(crate) fn of<'a>(&self, questions: &'a [Question]) -> &'a [Question] {
        questions.get(self.0.clone()).unwrap_or_default()
    }
}

/// Gives each side its questions, in one list.
pub(crate) fn number(sides: Vec<Vec<Question>>) -> (Vec<Question>, Vec<Side>) {
    let mut questions = Vec::new();
    let mut numbered = Vec::new();
    for side in sides {
        let first = questions.len();
        questions.extend(side);
        numbered.push(Side(first..questions.len()));
    }
    (questions, numbered)
}

/// The same in the user's words: options of the command line, or the members of an object in a file of --beside.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Description {
    pub(crate) path: String,
    pub(crate) body: Option<PathBuf>,
    #[serde(default)]
    pub(crate) header: Vec<String>,
    pub(crate) expect_output_by_version: Option<PathBuf>,
}

impl Description {
    /// The questions of one file of --beside.
    pub(crate) fn read(file: &Path) -> Result<Vec<Self>, String> {
        let size = fs::metadata(file).map_err(|error| error.to_string())?.len();
        within("its size", size, 0, DESCRIPTION_BYTES_MAX)?;
        let text = fs::read(file).map_err(|error| error.to_string())?;
        let described: Vec<Self> = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
        within("the number of its requests", described.len(), 1, SIDE_QUESTIONS_MAX)?;
        Ok(described)
    }

    /// What it describes, with the files that it names; or which option is wrong, and what is allowed.
    pub(crate) fn question(self, protocol: Protocol) -> Result<Question, String> {
        Ok(Question {
            body: read_body(protocol, self.body.as_deref())?,
            path: checked_path(self.path)?,
            headers: read_headers(&self.header)?,
            expectations: self.expect_output_by_version.as_deref().map(Expectations::read).transpose()?,
        })
    }
}

fn checked_path(path: String) -> Result<String, String> {
    if path.starts_with('/') && path.parse::<PathAndQuery>().is_ok() {
        return Ok(path);
    }
    Err(format!("--path must be an absolute path such as /v1/models/NAME:predict, not {path:?}"))
}

fn read_body(protocol: Protocol, file: Option<&Path>) -> Result<Option<Bytes>, String> {
    let Some(file) = file else {
        return match protocol {
            Protocol::Rest => Ok(None),
            Protocol::Grpc => Err("--body is needed for gRPC: a file with the serialized request".to_owned()),
        };
    };
    let problem = |reason: String| format!("--body {}: {reason}", file.display());
    let size = fs::metadata(file).map_err(|error| problem(error.to_string()))?.len();
    within("size of --body", size, 0, BODY_BYTES_MAX)?;
    fs::read(file).map(|content| Some(content.into())).map_err(|error| problem(error.to_string()))
}

fn read_headers(given: &[String]) -> Result<HeaderMap, String> {
    within("the number of --header", given.len(), 0, HEADERS_MAX)?;
    let header = |text: &String| {
        let (name, value) = text.split_once('=')?;
        Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
    };
    let read = given.iter().map(|text| {
        header(text)
            .ok_or_else(|| format!("--header must be NAME=VALUE such as x-routing-key=ada, not {text:?}"))
    });
    read.collect()
}
