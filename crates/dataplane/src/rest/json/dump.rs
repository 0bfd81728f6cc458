//! A value as error texts show it: pretty, arrays on one line, and not for ever.
//!
//! Three things differ from what `rapidjson` shows: numbers that are not finite are written, where it stops at the
//! first of them; very long strings are cut; and bytes that are no UTF-8 become U+FFFD, because errors are text.

use super::{
    decimal,
    document::{Kind, Value},
    writer::Writer,
};

/// No token begins after this many bytes.
const DUMP_BYTES_MAX: usize = 256;
/// Longer strings are cut, so that an error does not repeat a whole body.
const DUMP_STRING_BYTES_MAX: usize = 4096;

/// What is left to write of one open container.
enum Open<'a> {
    Array(super::document::Values<'a>),
    Object(super::document::Members<'a>),
}

/// `value` as JSON, cut off before the first token that would begin after 256 bytes.
#[must_use]
pub fn dump(value: Value<'_>) -> String {
    let mut writer = Writer::default();
    writer.single_line = true;
    let mut open = Vec::new();
    token(&mut writer, value, &mut open);
    while writer.len() < DUMP_BYTES_MAX {
        match open.last_mut() {
            None => break,
            Some(Open::Array(values)) => match values.next() {
                Some(value) => token(&mut writer, value, &mut open),
                None => close(&mut writer, &mut open),
            },
            Some(Open::Object(members)) => match members.next() {
                Some((key, value)) => {
                    text(&mut writer, key);
                    if writer.len() >= DUMP_BYTES_MAX {
                        break;
                    }
                    token(&mut writer, value, &mut open);
                }
                None => close(&mut writer, &mut open),
            },
        }
    }
    String::from_utf8_lossy(&writer.finish()).into_owned()
}

fn token<'a>(writer: &mut Writer, value: Value<'a>, open: &mut Vec<Open<'a>>) {
    match value.kind() {
        Kind::Null => writer.literal("null"),
        Kind::False => writer.literal("false"),
        Kind::True => writer.literal("true"),
        Kind::String | Kind::EscapedString => text(writer, value),
        Kind::Negative => {
            writer.integer(value.number().and_then(super::Number::to_signed).unwrap_or_default());
        }
        Kind::Unsigned => {
            writer.integer(value.number().and_then(super::Number::to_unsigned).unwrap_or_default());
        }
        Kind::Double => {
            decimal::write_shortest(writer.value(), value.number().map_or(0.0, super::Number::to_double));
        }
        Kind::Array => {
            writer.start_array();
            open.push(Open::Array(value.elements()));
        }
        Kind::Object => {
            writer.start_object();
            open.push(Open::Object(value.members()));
        }
    }
}

fn close(writer: &mut Writer, open: &mut Vec<Open<'_>>) {
    match open.pop() {
        Some(Open::Array(_)) => writer.end_array(),
        Some(Open::Object(_)) => writer.end_object(),
        None => {}
    }
}

fn text(writer: &mut Writer, value: Value<'_>) {
    let text = value.text().unwrap_or_default();
    writer.string(text.get(..DUMP_STRING_BYTES_MAX).unwrap_or(&text));
}
