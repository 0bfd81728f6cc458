//! The routing key that a request's JSON holds, found before it is known which version reads the rest.

use super::{
    elements::{BASE64_KEY, decode_base64, is_base64},
    json::{Kind, Value},
};
use crate::{
    tensor_proto::RANK_MAX,
    traffic::{KEY_BYTES_MAX, Key},
};

/// A string that is written with more bytes is longer than a key: an escape has at most six bytes for one.
const WRITTEN_BYTES_MAX: usize = 6 * KEY_BYTES_MAX;

/// The key in a value, alone or in lists of one: a string, bytes, or an integer.
pub(super) fn of_value(value: Value<'_>) -> Option<Key> {
    let mut value = value;
    for _ in 0..RANK_MAX {
        if !value.is_array() {
            break;
        }
        value = value.first().filter(|_| value.len() == 1)?;
    }
    match value.kind() {
        Kind::Object if is_base64(value) => is_short(value.member(BASE64_KEY)?)
            .then(|| decode_base64(value).ok())
            .flatten()
            .and_then(Key::new),
        Kind::String | Kind::EscapedString => {
            is_short(value).then(|| value.shared_text()).flatten().and_then(Key::new)
        }
        Kind::Negative => value.number()?.to_signed().map(Key::of_integer),
        Kind::Unsigned => value.number()?.to_unsigned().map(Key::of_integer),
        _ => None,
    }
}

fn is_short(text: Value<'_>) -> bool {
    text.written_bytes() <= WRITTEN_BYTES_MAX
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may panic

    use super::*;
    use crate::rest::json::Document;

    fn key(json: &str) -> Option<String> {
        let document = Document::parse(json.to_owned().into()).unwrap();
        Some(String::from_utf8_lossy(of_value(document.root())?.as_bytes()).into_owned())
    }

    #[test]
    fn a_string_or_an_integer_is_a_key_alone_or_in_lists_of_one() {
        for (json, expected) in [
            (r#""user-1""#, "user-1"),
            (r#"[["user-1"]]"#, "user-1"),
            (r#""Zo\u00eb""#, "Zoë"),
            (r#"{"b64": "dXNlci0x"}"#, "user-1"),
            (r#"[{"b64": "dXNlci0x"}]"#, "user-1"),
            ("7", "7"),
            ("[-7]", "-7"),
            ("18446744073709551615", "18446744073709551615"),
        ] {
            assert_eq!(key(json), Some(expected.to_owned()), "{json}");
        }
    }

    #[test]
    fn what_is_no_element_or_not_one_or_too_long_is_none() {
        for json in [
            "1.0",
            "true",
            "null",
            "[]",
            "[1, 2]",
            "[[1], [1]]",
            r#""""#,
            r#"{"user": "a"}"#,
            r#"{"b64": "?"}"#,
        ] {
            assert_eq!(key(json), None, "{json}");
        }
        assert_eq!(key(&format!("{}1{}", "[".repeat(RANK_MAX + 1), "]".repeat(RANK_MAX + 1))), None);
        let text = |letter: &str, count: usize| format!("\"{}\"", letter.repeat(count));
        assert_eq!(key(&text("\\u0041", KEY_BYTES_MAX)).map(|key| key.len()), Some(KEY_BYTES_MAX));
        assert_eq!(key(&text("k", KEY_BYTES_MAX + 1)), None);
        assert_eq!(key(&text("k", WRITTEN_BYTES_MAX + 1)), None);
    }
}
