//! JSON as protocol buffers' own printer lays it out: one space a level, a line for each field and element.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::fmt::Display;

/// Characters that are written `\uXXXX` beside JSON's own: control characters, and those that protocol buffers'
/// printer holds to be dangerous in scripts or invisible.
const ESCAPED: [(u32, u32); 18] = [
    (0x0000, 0x001F),
    (0x003C, 0x003C),
    (0x003E, 0x003E),
    (0x007F, 0x009F),
    (0x00AD, 0x00AD),
    (0x0600, 0x0603),
    (0x06DD, 0x06DD),
    (0x070F, 0x070F),
    (0x17B4, 0x17B5),
    (0x200B, 0x200F),
    (0x2028, 0x202E),
    (0x2060, 0x2064),
    (0x206A, 0x206F),
    (0xFEFF, 0xFEFF),
    (0xFFF9, 0xFFFB),
    (0x1_D173, 0x1_D17A),
    (0xE_0001, 0xE_0001),
    (0xE_0020, 0xE_007F),
];

/// Writes one message.
#[derive(Debug, Default)]
pub struct ProtoWriter {
    out: Vec<u8>,
    depth: usize,
    /// Whether the innermost object or list has an entry.
    has_entry: bool,
}

impl ProtoWriter {
    /// What was written.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.out
    }

    /// A message or a map; `fields` writes its entries.
    pub fn object(&mut self, fields: impl FnOnce(&mut Self)) {
        self.enclosed(b'{', b'}', fields);
    }

    /// A list; each item is written by `write`.
    pub fn list<T>(&mut self, items: impl IntoIterator<Item = T>, write: impl Fn(&mut Self, T)) {
        self.enclosed(b'[', b']', |writer| {
            for item in items {
                writer.begin_entry();
                write(writer, item);
            }
        });
    }

    /// One field of a message or one entry of a map; `value` writes what it holds.
    pub fn field(&mut self, name: &str, value: impl FnOnce(&mut Self)) {
        self.begin_entry();
        self.string(name);
        self.out.extend_from_slice(b": ");
        value(self);
    }

    /// A number or a truth value.
    pub fn plain(&mut self, value: impl Display) {
        self.out.extend_from_slice(value.to_string().as_bytes());
    }

    /// A 64-bit integer, which protocol buffers' JSON puts in quotes.
    pub fn quoted(&mut self, value: impl Display) {
        self.out.extend_from_slice(format!("\"{value}\"").as_bytes());
    }

    /// Text that another formatter appends.
    pub fn raw(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.out);
    }

    /// Bytes, as base64.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.quoted(STANDARD.encode(bytes));
    }

    /// A string.
    pub fn string(&mut self, text: &str) {
        self.out.push(b'"');
        for character in text.chars() {
            self.character(character);
        }
        self.out.push(b'"');
    }

    fn character(&mut self, character: char) {
        let short = match character {
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '"' => "\\\"",
            '\u{C}' => "\\f",
            '\u{8}' => "\\b",
            '\\' => "\\\\",
            _ => "",
        };
        let point = u32::from(character);
        if !short.is_empty() {
            self.out.extend_from_slice(short.as_bytes());
        } else if ESCAPED.iter().any(|&(first, last)| (first..=last).contains(&point)) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                self.out.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
            }
        } else {
            self.out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }

    fn enclosed(&mut self, open: u8, close: u8, entries: impl FnOnce(&mut Self)) {
        self.out.push(open);
        self.depth += 1;
        let outer = std::mem::replace(&mut self.has_entry, false);
        entries(self);
        self.depth -= 1;
        if self.has_entry {
            self.new_line();
        }
        self.has_entry = outer;
        self.out.push(close);
    }

    fn begin_entry(&mut self) {
        if self.has_entry {
            self.out.push(b',');
        }
        self.has_entry = true;
        self.new_line();
    }

    fn new_line(&mut self) {
        self.out.push(b'\n');
        self.out.resize(self.out.len() + self.depth, b' ');
    }
}
