//! The JSON floor under the REST door: dialect, error texts and offsets, numbers, and what a hostile body can do.

#![allow(clippy::unwrap_used)] // a test says what it expects

use bytes::Bytes;
use dataplane::rest::json::{Document, Number, TAPE_BYTES_PER_BODY_BYTE_MAX, Value, decimal, dump};
use half::{bf16, f16};
use proptest::prelude::*;

fn parse(body: impl AsRef<[u8]>) -> Document {
    Document::parse(Bytes::copy_from_slice(body.as_ref())).unwrap()
}

fn refusal(body: impl AsRef<[u8]>) -> String {
    Document::parse(Bytes::copy_from_slice(body.as_ref())).unwrap_err().to_string()
}

#[test]
fn each_error_has_its_text_and_its_offset() {
    let cases: &[(&[u8], &str, usize)] = &[
        (b"", "The document is empty.", 0),
        (b"  ", "The document is empty.", 2),
        (b"\xEF\xBB\xBF", "The document is empty.", 3),
        (b"]", "The document is empty.", 0),
        (b" ,", "The document is empty.", 1),
        (b"\0", "The document is empty.", 0),
        (b"x", "Invalid value.", 0),
        (b"nan", "Invalid value.", 1),
        (b"Nan", "Invalid value.", 2),
        (b"Infinit", "Invalid value.", 7),
        (b"-", "Invalid value.", 1),
        (b"+1", "Invalid value.", 0),
        (b".5", "Invalid value.", 0),
        (b"trux", "Invalid value.", 3),
        (b"fals", "Invalid value.", 4),
        (b"nul}", "Invalid value.", 3),
        (b"[1,]", "Invalid value.", 3),
        (b"[,1]", "Invalid value.", 1),
        (b"[}", "Invalid value.", 1),
        (b"{\"a\":}", "Invalid value.", 5),
        (b"{\"a\": ", "Invalid value.", 6),
        (b"[1, /* */ 2]", "Invalid value.", 4),
        (b"{,}", "Missing a name for object member.", 1),
        (b"{a:1}", "Missing a name for object member.", 1),
        (b"{'a':1}", "Missing a name for object member.", 1),
        (b"{\"a\":1,}", "Missing a name for object member.", 7),
        (b"{\"a\":1,", "Missing a name for object member.", 7),
        (b"{", "Missing a name for object member.", 1),
        (b"{\"a\" 1}", "Missing a colon after a name of object member.", 5),
        (b"{\"a\"", "Missing a colon after a name of object member.", 4),
        (b"{\"a\":1 2}", "Missing a comma or '}' after an object member.", 7),
        (b"{\"a\":1", "Missing a comma or '}' after an object member.", 6),
        (b"{\"a\":1]", "Missing a comma or '}' after an object member.", 6),
        (b"[1 2]", "Missing a comma or ']' after an array element.", 3),
        (b"[01]", "Missing a comma or ']' after an array element.", 2),
        (b"[1", "Missing a comma or ']' after an array element.", 2),
        (b"[[1}", "Missing a comma or ']' after an array element.", 3),
        (b"[NaNs]", "Missing a comma or ']' after an array element.", 4),
        (br#"["\u12g4"]"#, "Incorrect hex digit after \\u escape in string.", 2),
        (br#"["ab\u"]"#, "Incorrect hex digit after \\u escape in string.", 4),
        (br#"["\ud800\u12g4"]"#, "Incorrect hex digit after \\u escape in string.", 2),
        (br#"["\ud800"]"#, "The surrogate pair in string is invalid.", 2),
        (br#"["\ud800\ud800"]"#, "The surrogate pair in string is invalid.", 2),
        (br#"["\ud800x"]"#, "The surrogate pair in string is invalid.", 2),
        (br#"["a\x"]"#, "Invalid escape character in string.", 3),
        (b"[\"a\nb\"]", "Invalid escape character in string.", 3),
        (b"[\"ab", "Missing a closing quotation mark in string.", 4),
        (b"[\"a\0b\"]", "Missing a closing quotation mark in string.", 3),
        (b"[\"a\\", "Invalid escape character in string.", 3),
        (b"[1e400]", "Number too big to be stored in double.", 1),
        (b"[1.]", "Miss fraction part in number.", 3),
        (b"[-1.e]", "Miss fraction part in number.", 4),
        (b"[1e]", "Miss exponent in number.", 3),
        (b"[1.5e+]", "Miss exponent in number.", 6),
    ];
    for &(body, text, offset) in cases {
        let expected = format!("{text} at offset: {offset}");
        assert_eq!(refusal(body), expected, "{}", String::from_utf8_lossy(body));
    }
}

#[test]
fn what_follows_the_first_value_is_ignored_and_a_byte_order_mark_is_skipped() {
    assert_eq!(dump(parse("{} trailing ]}").root()), "{}");
    assert_eq!(dump(parse(b"\xEF\xBB\xBF [1]").root()), "[1]");
    assert_eq!(dump(parse("1 2").root()), "1");
}

#[test]
fn numbers_keep_the_kind_that_they_were_written_in() {
    use Number::{Double, Negative, Unsigned};
    let cases = [
        ("0", Unsigned(0)),
        ("-0", Unsigned(0)),
        ("-0.0", Double(-0.0)),
        ("-1", Negative(-1)),
        ("9223372036854775807", Unsigned(i64::MAX as u64)),
        ("-9223372036854775808", Negative(i64::MIN)),
        ("-9223372036854775809", Double(-9_223_372_036_854_775_809.0)),
        ("18446744073709551615", Unsigned(u64::MAX)),
        ("18446744073709551616", Double(18_446_744_073_709_551_616.0)),
        ("1.0", Double(1.0)),
        ("1e2", Double(100.0)),
        ("1E-2", Double(0.01)),
        ("0e400", Double(0.0)),
        ("1e-400", Double(0.0)),
        ("0.1", Double(0.1)),
        ("12345678901234567890123e-10", Double(1_234_567_890_123.456_7)),
        ("0.000000000000000000000000000000000000012345678", Double(1.234_567_8e-38)),
        ("1.7976931348623157e308", Double(f64::MAX)),
        ("4.9e-324", Double(f64::from_bits(1))),
        ("Inf", Double(f64::INFINITY)),
        ("-Infinity", Double(f64::NEG_INFINITY)),
    ];
    for (text, expected) in cases {
        let document = parse(text);
        assert_eq!(document.root().number(), Some(expected), "{text}");
        if let (Some(Double(parsed)), Double(expected)) = (document.root().number(), expected) {
            assert_eq!(parsed.to_bits(), expected.to_bits(), "{text}");
        }
    }
    for text in ["NaN", "-NaN"] {
        assert!(parse(text).root().number().unwrap().to_double().is_nan());
    }
}

#[test]
fn strings_are_bytes_and_their_escapes_are_resolved() {
    let document =
        parse(br#"["plain", "\"\\\/\b\f\n\r\t", "\u00e9\u20ac\ud83d\ude00", "\udc00", "a\u0000b"]"#);
    let texts =
        document.root().elements().map(|value| value.text().unwrap().into_owned()).collect::<Vec<_>>();
    let expected: [&[u8]; 5] =
        [b"plain", b"\"\\/\x08\x0c\n\r\t", "é€😀".as_bytes(), b"\xED\xB0\x80", b"a\0b"];
    assert_eq!(texts, expected);
    assert_eq!(parse(b"\"\xFF\xFE\"").root().text().unwrap().as_ref(), b"\xFF\xFE");
}

#[test]
fn the_first_of_members_of_one_name_counts_and_escaped_names_are_the_same_names() {
    let document = parse(r#"{"\u0061": 1, "a": 2, "b": 3}"#);
    assert_eq!(document.root().member("a").unwrap().number(), Some(Number::Unsigned(1)));
    assert_eq!(document.root().member("b").unwrap().number(), Some(Number::Unsigned(3)));
    assert!(document.root().member("c").is_none());
    assert_eq!(document.root().len(), 3);
}

#[test]
fn a_dump_is_pretty_and_ends_at_a_token_after_256_bytes() {
    let document =
        parse(r#"{"a": [1, -2, 2.5, 1e30, 1e-7, [], {}], "b": {"c": null, "d": "x\ny"}, "e": NaN}"#);
    let expected = "{\n    \"a\": [1, -2, 2.5, 1e30, 1e-7, [], {}],\n    \"b\": {\n        \"c\": null,\n        \
                    \"d\": \"x\\ny\"\n    },\n    \"e\": NaN\n}";
    assert_eq!(dump(document.root()), expected);
    let long = parse(format!("[{}1]", "1, ".repeat(1000)));
    assert_eq!(dump(long.root()), format!("[{}1", "1, ".repeat(85)));
    let deep = parse(format!("{}{}", "[".repeat(1000), "]".repeat(1000)));
    assert_eq!(dump(deep.root()), "[".repeat(256));
    let text = parse(format!("[\"{}\", 1]", "x".repeat(300)));
    assert_eq!(dump(text.root()), format!("[\"{}\"", "x".repeat(300)));
    let body = parse(format!("\"{}\"", "x".repeat(1 << 20)));
    assert!(dump(body.root()).len() < 8192);
}

#[test]
fn half_a_million_open_brackets_neither_overflow_nor_outgrow_their_bound() {
    let depth = 500_000;
    let body = [vec![b'['; depth], vec![b']'; depth]].concat();
    assert_eq!(parse(&body).root().len(), 1);
    let objects = format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    assert_eq!(parse(&objects).root().len(), 1);
    assert_eq!(refusal(vec![b'['; depth]), format!("Invalid value. at offset: {depth}"));
    for body in [body.as_slice(), objects.as_bytes(), &vec![b'['; depth]] {
        assert!(Document::tape_bytes(body) <= (body.len() + 1) * TAPE_BYTES_PER_BODY_BYTE_MAX);
    }
}

fn float_text(value: f32) -> String {
    let mut out = Vec::new();
    decimal::write_float(&mut out, value);
    String::from_utf8(out).unwrap()
}

fn double_text(value: f64) -> String {
    let mut out = Vec::new();
    decimal::write_double(&mut out, value);
    String::from_utf8(out).unwrap()
}

#[test]
fn floats_are_written_with_six_digits_or_nine() {
    let cases = [
        (2.5, "2.5"),
        (3.0, "3.0"),
        (0.2, "0.2"),
        (9_000_000.0, "9e+06"),
        (0.00003, "3e-05"),
        (0.0001, "0.0001"),
        (100_000.0, "100000.0"),
        (999_999.0, "999999.0"),
        (1_000_000.0, "1e+06"),
        (1_234_567.0, "1234567.0"),
        (16_777_216.0, "16777216.0"),
        (123_456_789.0, "123456792.0"),
        (1.0 / 3.0, "0.333333343"),
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (-1.5, "-1.5"),
        (9.999_999, "9.99999905"),
        (f32::MAX, "3.40282347e+38"),
        (f32::MIN_POSITIVE, "1.17549435e-38"),
        (f32::from_bits(1), "1.4013e-45"),
        (1e-10, "1e-10"),
        (f32::NAN, "NaN"),
        (f32::INFINITY, "Infinity"),
        (f32::NEG_INFINITY, "-Infinity"),
    ];
    for (value, expected) in cases {
        assert_eq!(float_text(value), expected);
    }
}

#[test]
fn doubles_are_written_with_six_digits_or_seventeen() {
    let cases = [
        (2.5, "2.5"),
        (0.1 + 0.2, "0.30000000000000004"),
        (1.0 / 3.0, "0.33333333333333331"),
        (9_000_000.0, "9e+06"),
        (16_777_216.0, "16777216.0"),
        (1e100, "1e+100"),
        (1e-100, "1e-100"),
        (123_456_789_012_345_680.0, "1.2345678901234568e+17"),
        (f64::MAX, "1.7976931348623157e+308"),
        (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
        (f64::from_bits(1), "4.94066e-324"),
        (-0.0, "-0.0"),
        (f64::NAN, "NaN"),
    ];
    for (value, expected) in cases {
        assert_eq!(double_text(value), expected);
    }
}

/// `%g` by the standard library's exact formatting: the slow way, to hold the fast one against.
fn printf_g(value: f64, precision: usize) -> String {
    let scientific = format!("{value:.*e}", precision - 1);
    let (mantissa, exponent) = scientific.split_once('e').unwrap();
    let exponent: i32 = exponent.parse().unwrap();
    let trim = |text: &str| {
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text.to_owned()
        }
    };
    let precision = i32::try_from(precision).unwrap();
    if exponent < -4 || exponent >= precision {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", trim(mantissa), exponent.abs());
    }
    trim(&format!("{value:.*}", usize::try_from(precision - 1 - exponent).unwrap()))
}

fn expected_text(value: f64, long: usize, reads_back: impl Fn(&str) -> bool) -> String {
    let short = printf_g(value, 6);
    let text = if reads_back(&short) { short } else { printf_g(value, long) };
    if text.contains(['.', 'e']) { text } else { format!("{text}.0") }
}

#[test]
fn every_half_and_bfloat16_reads_back_from_the_six_digits_of_printf() {
    let text = |write: fn(&mut Vec<u8>, u16), bits| {
        let mut out = Vec::new();
        write(&mut out, bits);
        String::from_utf8(out).unwrap()
    };
    for bits in 0..=u16::MAX {
        let (half, wide) = (f16::from_bits(bits), bf16::from_bits(bits));
        if half.is_finite() {
            let written = text(decimal::write_half, bits);
            assert_eq!(written, expected_text(half.to_f64(), 6, |_| true));
            assert_eq!(f16::from_f32(written.parse().unwrap()).to_bits(), bits, "{written}");
        }
        if wide.is_finite() {
            let written = text(decimal::write_bfloat16, bits);
            assert_eq!(written, expected_text(wide.to_f64(), 6, |_| true));
            assert_eq!(bf16::from_f32(written.parse().unwrap()).to_bits(), bits, "{written}");
        }
    }
    assert_eq!(text(decimal::write_half, 0x7C00), "Infinity");
    assert_eq!(text(decimal::write_bfloat16, 0xFF80), "-Infinity");
    assert_eq!(text(decimal::write_half, 0x7E00), "NaN");
}

/// Values and the same texts in all kinds of spacing, as strict JSON.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        prop::num::f64::NORMAL.prop_map(Into::into),
        "\\PC{0,8}".prop_map(Into::into),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
            prop::collection::hash_map("\\PC{0,4}", inner, 0..8)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Bytes that are nearly JSON.
fn nearly_json() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just(",".to_owned()),
        Just(":".to_owned()),
        Just("\"a\"".to_owned()),
        Just("true".to_owned()),
        Just("null".to_owned()),
        "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{0,20})?([eE][+-]?[0-9]{0,4})?",
        "\"(\\\\.|\\\\u[0-9a-fA-F]{3,4}|[a-z\\x00-\\x1f]){0,4}\"?",
        "[ \\t\\n\\r]",
        "\\PC",
    ];
    prop::collection::vec(token, 0..24).prop_map(|tokens| tokens.concat().into_bytes())
}

fn agrees(ours: Value<'_>, theirs: &serde_json::Value) -> bool {
    match theirs {
        serde_json::Value::Null => ours.type_name() == "Null",
        serde_json::Value::Bool(truth) => ours.type_name() == if *truth { "True" } else { "False" },
        serde_json::Value::String(text) => ours.is_text(text.as_bytes()),
        serde_json::Value::Number(number) => ours.number().is_some_and(|ours| match ours {
            Number::Negative(integer) => number.as_i64() == Some(integer),
            Number::Unsigned(integer) => number.as_u64() == Some(integer) || number.as_f64() == Some(0.0),
            // Its own conversion is off by a unit in the last place now and then; the text decides.
            Number::Double(double) => number.as_f64().is_some_and(|other| is_near(double, other)),
        }),
        serde_json::Value::Array(values) => {
            ours.len() == values.len()
                && ours.elements().zip(values).all(|(ours, theirs)| agrees(ours, theirs))
        }
        serde_json::Value::Object(members) => {
            let names =
                ours.members().map(|(key, _)| key.text().unwrap()).collect::<std::collections::BTreeSet<_>>();
            names.len() == members.len()
        }
    }
}

fn is_near(left: f64, right: f64) -> bool {
    left.to_bits().abs_diff(right.to_bits()) <= 2
}

/// What `serde_json` makes of the first value.
fn serde_verdict(body: &[u8]) -> Option<serde_json::Value> {
    serde_json::Deserializer::from_slice(body).into_iter().next()?.ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn any_float_reads_back_bit_for_bit_and_has_the_digits_of_printf(bits in any::<u32>()) {
        let value = f32::from_bits(bits);
        prop_assume!(value.is_finite());
        let text = float_text(value);
        prop_assert_eq!(text.parse::<f32>().unwrap().to_bits(), bits);
        prop_assert_eq!(text, expected_text(f64::from(value), 9, |text| text.parse() == Ok(value)));
    }

    #[test]
    fn any_double_reads_back_bit_for_bit_and_has_the_digits_of_printf(bits in any::<u64>()) {
        let value = f64::from_bits(bits);
        prop_assume!(value.is_finite());
        let text = double_text(value);
        prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), bits);
        prop_assert_eq!(text, expected_text(value, 17, |text| text.parse() == Ok(value)));
    }

    #[test]
    fn short_decimals_are_written_short(digits in 1_u32..1_000_000, exponent in -30_i32..30) {
        let value: f32 = format!("{digits}e{exponent}").parse().unwrap();
        prop_assert_eq!(float_text(value), expected_text(f64::from(value), 9, |text| text.parse() == Ok(value)));
        let value: f64 = format!("{digits}e{exponent}").parse().unwrap();
        let text = double_text(value);
        prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits());
        prop_assert!(text.bytes().filter(u8::is_ascii_digit).count() < 13, "{}", text);
    }

    #[test]
    fn numbers_are_parsed_to_the_nearest_double(text in "-?(0|[1-9][0-9]{0,24})\\.[0-9]{1,24}([eE][+-]?[0-9]{1,3})?") {
        let nearest: f64 = text.parse().unwrap();
        match Document::parse(Bytes::from(text)) {
            Ok(document) => prop_assert_eq!(document.root().number().unwrap().to_double().to_bits(), nearest.to_bits()),
            Err(_) => prop_assert!(nearest.is_infinite()),
        }
    }

    #[test]
    fn what_serde_json_writes_means_the_same_here(value in json(), is_pretty in any::<bool>()) {
        let text = if is_pretty { serde_json::to_vec_pretty(&value) } else { serde_json::to_vec(&value) }.unwrap();
        prop_assert!(agrees(parse(text).root(), &value));
    }

    #[test]
    fn what_is_nearly_json_gets_the_verdict_of_serde_json(body in nearly_json()) {
        // Outside the strict subset: tokens that JSON has not, and lone low surrogates, which pass as they are.
        let text = String::from_utf8_lossy(&body).to_lowercase();
        prop_assume!(!["nan", "inf", "\\udc", "\\udd", "\\ude", "\\udf", "\u{feff}"].iter().any(|token| text.contains(token)));
        let ours = Document::parse(Bytes::from(body.clone()));
        match serde_verdict(&body) {
            Some(theirs) => prop_assert!(agrees(ours.unwrap().root(), &theirs)),
            // A number followed by something that is no separator: the first value is whole here.
            None => if let Ok(document) = ours {
                let root = document.root();
                prop_assert!(!root.is_object() && !root.is_array() && !root.is_string());
            },
        }
    }

    #[test]
    fn any_bytes_are_parsed_or_refused_within_their_memory(body in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Document::tape_bytes(&body) <= (body.len() + 1) * TAPE_BYTES_PER_BODY_BYTE_MAX);
        match Document::parse(Bytes::from(body.clone())) {
            Ok(document) => prop_assert!(dump(document.root()).len() < 8192),
            Err(error) => prop_assert!(error.offset <= body.len()),
        }
    }
}
