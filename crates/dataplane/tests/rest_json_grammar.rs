//! The JSON dialect against a second statement of it: slow, recursive, made of the grammar's own words and of nothing
//! that the server uses. Documents are drawn from the grammar, then damaged.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // a test says what it expects

use bytes::Bytes;
use dataplane::rest::json::{Document, Number, TAPE_BYTES_PER_BODY_BYTE_MAX, Value};
use proptest::prelude::*;

/// A document's value as the grammar builds it.
#[derive(Clone, Debug, PartialEq)]
enum Tree {
    Word(&'static str),
    Integer(i128),
    /// A double's bits; every NaN has the same.
    Double(u64),
    Text(Vec<u8>),
    List(Vec<Tree>),
    Members(Vec<(Vec<u8>, Tree)>),
}

/// What was read, and what is left.
type Read<'a, T> = Option<(T, &'a [u8])>;

/// `document = [ byte order mark ] blank value anything`
fn document(body: &[u8]) -> Option<Tree> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    value(blank(body)).map(|(tree, _)| tree)
}

/// `blank = *( " " / tab / line feed / carriage return )`
fn blank(text: &[u8]) -> &[u8] {
    text.strip_prefix(b" ")
        .or_else(|| text.strip_prefix(b"\t"))
        .or_else(|| text.strip_prefix(b"\n"))
        .or_else(|| text.strip_prefix(b"\r"))
        .map_or(text, blank)
}

/// `value = "null" / "true" / "false" / list / object / string / number`
fn value(text: &[u8]) -> Read<'_, Tree> {
    for word in ["null", "true", "false"] {
        if let Some(rest) = text.strip_prefix(word.as_bytes()) {
            return Some((Tree::Word(word), rest));
        }
    }
    match text.first()? {
        b'[' => list(&text[1..]),
        b'{' => object(&text[1..]),
        b'"' => string(&text[1..]).map(|(bytes, rest)| (Tree::Text(bytes), rest)),
        _ => number(text),
    }
}

/// `list = "[" [ value *( "," value ) ] "]"`
fn list(text: &[u8]) -> Read<'_, Tree> {
    let mut values = Vec::new();
    let mut rest = blank(text);
    if let Some(rest) = rest.strip_prefix(b"]") {
        return Some((Tree::List(values), rest));
    }
    loop {
        let (value, after) = value(blank(rest))?;
        values.push(value);
        match blank(after).split_first()? {
            (b',', after) => rest = after,
            (b']', after) => return Some((Tree::List(values), after)),
            _ => return None,
        }
    }
}

/// `object = "{" [ string ":" value *( "," string ":" value ) ] "}"`
fn object(text: &[u8]) -> Read<'_, Tree> {
    let mut members = Vec::new();
    let mut rest = blank(text);
    if let Some(rest) = rest.strip_prefix(b"}") {
        return Some((Tree::Members(members), rest));
    }
    loop {
        let (name, after) = string(blank(rest).strip_prefix(b"\"")?)?;
        let (value, after) = value(blank(blank(after).strip_prefix(b":")?))?;
        members.push((name, value));
        match blank(after).split_first()? {
            (b',', after) => rest = after,
            (b'}', after) => return Some((Tree::Members(members), after)),
            _ => return None,
        }
    }
}

/// What follows an opening quote: bytes from a blank up but quotes and backslashes, and escapes; then a quote.
fn string(mut text: &[u8]) -> Read<'_, Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        match text {
            [b'"', rest @ ..] => return Some((bytes, rest)),
            [b'\\', b'u', rest @ ..] => {
                let (unit, after) = unit(rest)?;
                let (point, after) = match unit {
                    0xD800..=0xDBFF => {
                        let (low, after) = self::unit(after.strip_prefix(b"\\u")?)?;
                        let low = low.checked_sub(0xDC00).filter(|low| *low < 0x400)?;
                        (0x1_0000 + (unit - 0xD800) * 0x400 + low, after)
                    }
                    _ => (unit, after),
                };
                bytes.extend(generalised_utf8(point));
                text = after;
            }
            [b'\\', escaped, rest @ ..] => {
                let at = b"\"\\/bfnrt".iter().position(|known| known == escaped)?;
                bytes.push(b"\"\\/\x08\x0C\n\r\t"[at]);
                text = rest;
            }
            [byte @ 0x20..=0xFF, rest @ ..] => {
                bytes.push(*byte);
                text = rest;
            }
            _ => return None,
        }
    }
}

fn unit(text: &[u8]) -> Read<'_, u32> {
    let (digits, rest) = text.split_at_checked(4)?;
    let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
    Some((u32::from_str_radix(digits, 16).ok()?, rest))
}

/// UTF-8, and for a surrogate what UTF-8 would be if it had them.
fn generalised_utf8(point: u32) -> Vec<u8> {
    if let Some(character) = char::from_u32(point) {
        return character.to_string().into_bytes();
    }
    [0xE0 + point / 0x1000, 0x80 + point / 0x40 % 0x40, 0x80 + point % 0x40]
        .map(|byte| u8::try_from(byte).unwrap())
        .to_vec()
}

/// `number = [ "-" ] ( "NaN" / "Inf" [ "inity" ] / digits [ "." digits ] [ ( "e" / "E" ) [ "-" / "+" ] digits ] )`
/// where no zero leads other digits; once a part has begun, it must be whole.
fn number(text: &[u8]) -> Read<'_, Tree> {
    let unsigned = text.strip_prefix(b"-").unwrap_or(text);
    let sign = if unsigned.len() < text.len() { -1.0 } else { 1.0 };
    if let Some(rest) = unsigned.strip_prefix(b"NaN") {
        return Some((Tree::Double(f64::NAN.to_bits()), rest));
    }
    if let Some(rest) = unsigned.strip_prefix(b"Inf") {
        let rest = if rest.starts_with(b"i") { rest.strip_prefix(b"inity")? } else { rest };
        return Some((Tree::Double((sign * f64::INFINITY).to_bits()), rest));
    }
    let mut rest = if unsigned.starts_with(b"0") { &unsigned[1..] } else { digits(unsigned)? };
    let mut is_whole = true;
    if let Some(fraction) = rest.strip_prefix(b".") {
        rest = digits(fraction)?;
        is_whole = false;
    }
    if let Some(exponent) = rest.strip_prefix(b"e").or_else(|| rest.strip_prefix(b"E")) {
        let exponent =
            exponent.strip_prefix(b"-").or_else(|| exponent.strip_prefix(b"+")).unwrap_or(exponent);
        rest = digits(exponent)?;
        is_whole = false;
    }
    let written = std::str::from_utf8(&text[..text.len() - rest.len()]).unwrap();
    let fits = |integer: &i128| i64::try_from(*integer).is_ok() || u64::try_from(*integer).is_ok();
    if let Some(integer) = written.parse::<i128>().ok().filter(|integer| is_whole && fits(integer)) {
        return Some((Tree::Integer(integer), rest));
    }
    let double: f64 = written.parse().unwrap();
    double.is_finite().then_some((Tree::Double(double.to_bits()), rest))
}

/// At least one digit.
fn digits(text: &[u8]) -> Option<&[u8]> {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (count > 0).then(|| &text[count..])
}

/// The server's document as the same tree.
fn tree(value: Value<'_>) -> Tree {
    let text = |value: Value<'_>| value.text().unwrap().into_owned();
    match (value.type_name(), value.number()) {
        ("Null", _) => Tree::Word("null"),
        ("True", _) => Tree::Word("true"),
        ("False", _) => Tree::Word("false"),
        ("String", _) => Tree::Text(text(value)),
        ("Array", _) => Tree::List(value.elements().map(tree).collect()),
        ("Object", _) => {
            Tree::Members(value.members().map(|(name, value)| (text(name), tree(value))).collect())
        }
        (_, Some(Number::Negative(integer))) => Tree::Integer(integer.into()),
        (_, Some(Number::Unsigned(integer))) => Tree::Integer(integer.into()),
        (_, Some(Number::Double(double))) => Tree::Double(double.to_bits()),
        (name, None) => panic!("a {name} without a number"),
    }
}

/// Texts that the grammar allows, and some that only look like it.
fn text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "null|true|false|-?NaN|-?Inf(inity)?",
        "-?(0|[1-9][0-9]{0,21})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?",
        "-?(922337203685477580[0-9]|1844674407370955161[0-9])",
        "\"([ -!#-\\[\\]-~]|\\\\[\"\\\\/bfnrt]|\\\\u[0-9a-fA-F]{4}|\\\\ud[89ab][0-9a-f]{2}\\\\ud[c-f][0-9a-f]{2}|é|€|😀){0,6}\"",
    ];
    let spaced =
        (leaf, "[ \t\n\r]{0,2}", "[ \t\n\r]{0,2}").prop_map(|(leaf, before, after)| before + &leaf + &after);
    spaced.prop_recursive(5, 40, 6, |inner| {
        let member =
            ("[ \n]?\"(a|b|\\\\u0061|é|)\" ?", inner.clone()).prop_map(|(name, value)| name + ":" + &value);
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(|values| format!("[{}]", values.join(","))),
            prop::collection::vec(member, 0..6).prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

/// What may happen to a text on its way.
#[derive(Clone, Debug)]
enum Damage {
    None,
    Cut(prop::sample::Index),
    Put(prop::sample::Index, u8),
    Replace(prop::sample::Index, u8),
    Remove(prop::sample::Index),
    Append(Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<prop::sample::Index>;
    let byte = || prop_oneof![any::<u8>(), prop::sample::select(b"[]{},:\"\\.-+eE0129NItfnu\0 ".to_vec())];
    prop_oneof![
        Just(Damage::None),
        at().prop_map(Damage::Cut),
        (at(), byte()).prop_map(|(at, byte)| Damage::Put(at, byte)),
        (at(), byte()).prop_map(|(at, byte)| Damage::Replace(at, byte)),
        at().prop_map(Damage::Remove),
        prop::collection::vec(byte(), 1..4).prop_map(Damage::Append),
    ]
}

fn damaged(mut body: Vec<u8>, damage: &Damage) -> Vec<u8> {
    let length = body.len();
    match damage {
        Damage::Cut(at) => body.truncate(at.index(length + 1)),
        Damage::Put(at, byte) => body.insert(at.index(length + 1), *byte),
        Damage::Replace(at, byte) if length > 0 => body[at.index(length)] = *byte,
        Damage::Remove(at) if length > 0 => drop(body.remove(at.index(length))),
        Damage::Append(bytes) => body.extend(bytes),
        Damage::None | Damage::Replace(..) | Damage::Remove(_) => {}
    }
    body
}

fn check(body: &[u8]) -> Result<(), TestCaseError> {
    let expected = document(body);
    match Document::parse(Bytes::copy_from_slice(body)) {
        Ok(document) => {
            let tape_bytes = document.nodes() * dataplane::rest::json::NODE_BYTES;
            prop_assert!(tape_bytes <= Document::tape_bytes(body), "more than was counted before");
            prop_assert!(tape_bytes <= (body.len() + 1) * TAPE_BYTES_PER_BODY_BYTE_MAX);
            prop_assert_eq!(Some(tree(document.root())), expected);
        }
        Err(error) => {
            prop_assert!(error.offset <= body.len());
            prop_assert_eq!(None, expected, "{} refused", error);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(800))]

    #[test]
    fn a_text_of_the_grammar_means_what_the_grammar_says(text in text(), has_mark: bool) {
        let mark: &[u8] = if has_mark { b"\xEF\xBB\xBF" } else { b"" };
        check(&[mark, text.as_bytes()].concat())?;
    }

    #[test]
    fn a_damaged_text_gets_the_verdict_of_the_grammar(text in text(), damages in prop::collection::vec(damage(), 1..3)) {
        let body = damages.iter().fold(text.into_bytes(), damaged);
        check(&body)?;
    }
}

#[test]
fn the_second_statement_knows_what_it_states() {
    let refused: [&[u8]; 12] = [
        b"nan",
        b"Nan",
        b"+1",
        b"1.",
        b"1e",
        b"[1,]",
        b"{'a':1}",
        b"1e400",
        b"[01]",
        b"Infinit",
        b"\"\\ud800\"",
        b"\0",
    ];
    for body in refused {
        assert_eq!(document(body), None, "{}", String::from_utf8_lossy(body));
    }
    let taken = [
        ("01", Tree::Integer(0)),
        ("-0", Tree::Integer(0)),
        ("1.0", Tree::Double(1_f64.to_bits())),
        ("18446744073709551616", Tree::Double(18_446_744_073_709_551_616_f64.to_bits())),
        ("\u{FEFF} [] ]", Tree::List(Vec::new())),
        ("\"\\udc00\"", Tree::Text(b"\xED\xB0\x80".to_vec())),
    ];
    for (body, expected) in taken {
        assert_eq!(document(body.as_bytes()), Some(expected), "{body}");
    }
}
