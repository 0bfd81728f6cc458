//! The URL grammar. The query string is part of the string that must match, as in TensorFlow Serving.
//!
//! ```text
//! POST  /v1/models/NAME [ /versions/DIGITS | /labels/LABEL ] : (classify | regress | predict)
//! GET   /v1/models [ /NAME ] [ /versions/DIGITS | /labels/LABEL ] [ /metadata ]
//! ```
//! Fixed words match in any case; names and labels are percent-decoded after the match.

use crate::{
    error::Error,
    inference::{Target, VersionChoice},
};
use http::Method;

/// Everything below this is answered by this door.
const PREFIX: &str = "/v1/";
const MODELS: &str = "/v1/models";

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// `POST ...:predict`.
    Predict(Target),
    /// `POST ...:classify`.
    Classify(Target),
    /// `POST ...:regress`.
    Regress(Target),
    /// `GET ...`.
    Status(Target),
    /// `GET .../metadata`.
    Metadata(Target),
}

/// Whether this door answers for this path; the listener answers 404 for any other.
#[must_use]
pub fn is_routed(path: &str) -> bool {
    starts_with_ignoring_case(path, PREFIX)
}

/// What `method` on `path` (with its query) asks for; `INVALID_ARGUMENT` when nothing.
pub fn route(method: &Method, path: &str) -> Result<Route, Error> {
    let malformed = || Error::invalid_argument(format!("Malformed request: {method} {path}"));
    let parts = split(method, path).ok_or_else(malformed)?;
    let target = parts.target()?;
    // The grammar takes words in any case; what they mean depends on it.
    match (method, parts.word) {
        (&Method::POST, "predict") => Ok(Route::Predict(target)),
        (&Method::POST, "classify") => Ok(Route::Classify(target)),
        (&Method::POST, "regress") => Ok(Route::Regress(target)),
        (&Method::POST, _) => Err(malformed()),
        (_, _) if target.model.is_empty() => Err(Error::invalid_argument("Missing model name in request.")),
        (_, "metadata") => Ok(Route::Metadata(target)),
        (_, _) => Ok(Route::Status(target)),
    }
}

/// The model that a request names and its verb, whether it can be answered or not; empty where there is none.
#[must_use]
pub fn named<'a>(method: &Method, path: &'a str) -> (String, &'a str) {
    let parts = split(method, path).unwrap_or_default();
    (percent_decode(parts.name), parts.word)
}

fn split<'a>(method: &Method, path: &'a str) -> Option<Parts<'a>> {
    match *method {
        Method::POST => split_post(path),
        Method::GET => split_get(path),
        _ => None,
    }
}

/// A path, taken apart but not decoded. `word` is the verb or the subresource.
#[derive(Clone, Copy, Debug, Default)]
struct Parts<'a> {
    name: &'a str,
    version: Option<&'a str>,
    label: Option<&'a str>,
    word: &'a str,
}

impl Parts<'_> {
    fn target(&self) -> Result<Target, Error> {
        let version = match (self.version, self.label) {
            (Some(digits), _) => VersionChoice::Version(digits.parse().map_err(|_| {
                Error::invalid_argument(format!("Failed to convert version: {digits} to numeric."))
            })?),
            (None, Some(label)) => VersionChoice::Label(percent_decode(label)),
            (None, None) => VersionChoice::Default,
        };
        Ok(Target { model: percent_decode(self.name), version })
    }
}

fn split_post(path: &str) -> Option<Parts<'_>> {
    let rest = strip_prefix_ignoring_case(path, MODELS)?.strip_prefix('/')?;
    let (rest, word) = rest.split_once(':')?;
    let known = ["classify", "regress", "predict"].iter().any(|known| word.eq_ignore_ascii_case(known));
    let segments = rest.split('/').collect::<Vec<_>>();
    let (name, segments) = segments.split_first()?;
    let parts = split_version(segments, Parts { name, word, ..Parts::default() })?;
    (known && !name.is_empty() && parts.1.is_empty()).then_some(parts.0)
}

fn split_get(path: &str) -> Option<Parts<'_>> {
    let rest = strip_prefix_ignoring_case(path, MODELS)?;
    if rest.is_empty() {
        return Some(Parts::default());
    }
    let segments = rest.strip_prefix('/')?.split('/').collect::<Vec<_>>();
    // A name is taken where one can be: `/v1/models/metadata` is the status of a model of that name.
    let named = segments
        .split_first()
        .filter(|(name, _)| is_name(name))
        .and_then(|(name, rest)| split_tail(rest, Parts { name, ..Parts::default() }));
    named.or_else(|| split_tail(&segments, Parts::default()))
}

/// `[ /versions/DIGITS | /labels/LABEL ] [ /metadata ]` and nothing after it.
fn split_tail<'a>(segments: &[&'a str], parts: Parts<'a>) -> Option<Parts<'a>> {
    match split_version(segments, parts)? {
        (parts, []) => Some(parts),
        (parts, [word]) if word.eq_ignore_ascii_case("metadata") => Some(Parts { word, ..parts }),
        _ => None,
    }
}

/// `[ /versions/DIGITS | /labels/LABEL ]`, and what comes after it.
fn split_version<'a, 'b>(segments: &'b [&'a str], parts: Parts<'a>) -> Option<(Parts<'a>, &'b [&'a str])> {
    match segments {
        [word, version, rest @ ..] if word.eq_ignore_ascii_case("versions") => {
            let is_number = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then_some((Parts { version: Some(version), ..parts }, rest))
        }
        [word, label, rest @ ..] if word.eq_ignore_ascii_case("labels") => {
            is_name(label).then_some((Parts { label: Some(label), ..parts }, rest))
        }
        _ => Some((parts, segments)),
    }
}

fn is_name(segment: &str) -> bool {
    !segment.is_empty() && !segment.contains(':')
}

fn starts_with_ignoring_case(text: &str, prefix: &str) -> bool {
    strip_prefix_ignoring_case(text, prefix).is_some()
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// `%XX` decoded once; `+` and a `%` before anything else stay. Bytes that are no UTF-8 match no model's name.
fn percent_decode(text: &str) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = after.first_chunk::<2>().filter(|_| byte == b'%').and_then(|digits| hex_byte(*digits));
        decoded.push(escaped.unwrap_or(byte));
        rest = if escaped.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8(decoded).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn hex_byte([high, low]: [u8; 2]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test says what it expects

    use super::*;
    use VersionChoice::{Default as Latest, Label, Version};

    fn target(model: &str, version: VersionChoice) -> Target {
        Target { model: model.to_owned(), version }
    }

    #[test]
    fn get_paths_name_a_model_or_its_metadata() {
        let cases = [
            ("/v1/models/m", Route::Status(target("m", Latest))),
            ("/V1/Models/M", Route::Status(target("M", Latest))),
            ("/v1/models/m/versions/12", Route::Status(target("m", Version(12)))),
            ("/v1/models/m/versions/007", Route::Status(target("m", Version(7)))),
            ("/v1/models/m/VERSIONS/9223372036854775807", Route::Status(target("m", Version(i64::MAX)))),
            ("/v1/models/m/labels/stable", Route::Status(target("m", Label("stable".to_owned())))),
            ("/v1/models/m/labels/metadata", Route::Status(target("m", Label("metadata".to_owned())))),
            ("/v1/models/m/metadata", Route::Metadata(target("m", Latest))),
            ("/v1/models/m/METADATA", Route::Status(target("m", Latest))),
            ("/v1/models/m/versions/1/metadata", Route::Metadata(target("m", Version(1)))),
            ("/v1/models/m/labels/a%20b/metadata", Route::Metadata(target("m", Label("a b".to_owned())))),
            ("/v1/models/metadata", Route::Status(target("metadata", Latest))),
            ("/v1/models/labels/metadata", Route::Metadata(target("labels", Latest))),
            ("/v1/models/a%2Fb%3ac", Route::Status(target("a/b:c", Latest))),
            ("/v1/models/a+b%zz%4", Route::Status(target("a+b%zz%4", Latest))),
            ("/v1/models/m?x=1", Route::Status(target("m?x=1", Latest))),
        ];
        for (path, expected) in cases {
            assert_eq!(route(&Method::GET, path).unwrap(), expected, "{path}");
        }
    }

    #[test]
    fn get_paths_without_a_name_are_told_so() {
        for path in
            ["/v1/models", "/v1/models/versions/1", "/v1/models/labels/x", "/v1/models/versions/1/metadata"]
        {
            assert_eq!(
                route(&Method::GET, path).unwrap_err().message,
                "Missing model name in request.",
                "{path}"
            );
        }
    }

    #[test]
    fn post_paths_name_a_model_and_a_verb() {
        let cases = [
            ("/v1/models/m:predict", target("m", Latest)),
            ("/v1/MODELS/m:predict", target("m", Latest)),
            ("/v1/models/m/versions/3:predict", target("m", Version(3))),
            ("/v1/models/a%3Ab/labels/%2f:predict", target("a:b", Label("/".to_owned()))),
            ("/v1/models/m?x=1:predict", target("m?x=1", Latest)),
        ];
        for (path, expected) in cases {
            assert_eq!(route(&Method::POST, path).unwrap(), Route::Predict(expected), "{path}");
        }
        let one = || target("m", Version(3));
        let path = |verb: &str| route(&Method::POST, &format!("/v1/models/m/versions/3:{verb}")).unwrap();
        assert_eq!((path("classify"), path("regress")), (Route::Classify(one()), Route::Regress(one())));
    }

    #[test]
    fn what_does_not_match_whole_is_malformed() {
        let cases = [
            (Method::POST, "/v1/models/m:PREDICT"),
            (Method::POST, "/v1/models/m:Classify"),
            (Method::POST, "/v1/models/m:predict?x=1"),
            (Method::POST, "/v1/models/m:predict/"),
            (Method::POST, "/v1/models/m"),
            (Method::POST, "/v1/models/:predict"),
            (Method::POST, "/v1/models/m:x:predict"),
            (Method::POST, "/v1/models/m/labels/:predict"),
            (Method::POST, "/v1/models/m/versions/1x:predict"),
            (Method::POST, "/v1/models/m/metadata:predict"),
            (Method::POST, "/v1/models:predict"),
            (Method::GET, "/v1/"),
            (Method::GET, "/v1/models/"),
            (Method::GET, "/v1/modelsx"),
            (Method::GET, "/v1/models/m/"),
            (Method::GET, "/v1/models/m:predict"),
            (Method::GET, "/v1/models/m/versions/x"),
            (Method::GET, "/v1/models/m/versions/"),
            (Method::GET, "/v1/models/m/versions/1/labels/x"),
            (Method::GET, "/v1/models/m/metadata/x"),
            (Method::PUT, "/v1/models/m"),
            (Method::HEAD, "/v1/models/m"),
            (Method::DELETE, "/v1/models/m:predict"),
            (Method::PATCH, "/v1/models/m:predict"),
        ];
        for (method, path) in cases {
            let error = route(&method, path).unwrap_err();
            assert_eq!(error, Error::invalid_argument(format!("Malformed request: {method} {path}")));
        }
    }

    #[test]
    fn a_version_beyond_64_bits_is_refused_by_name() {
        let text = "Failed to convert version: 18446744073709551615 to numeric.";
        let error = route(&Method::GET, "/v1/models/m/versions/18446744073709551615").unwrap_err();
        assert_eq!(error, Error::invalid_argument(text));
        assert_eq!(
            route(&Method::POST, "/v1/models/m/versions/18446744073709551615:predict").unwrap_err(),
            error
        );
    }

    #[test]
    fn only_paths_below_the_prefix_are_routed() {
        assert!(is_routed("/v1/") && is_routed("/V1/x"));
        assert!(!is_routed("/v1") && !is_routed("/") && !is_routed("") && !is_routed("/v2/models"));
    }
}
