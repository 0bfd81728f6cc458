//! JSON in `rapidjson`'s pretty layout: four spaces a level, `"key": value`, and arrays either one element a line or,
//! while [`Writer::single_line`] is set, all on one.

use super::decimal;

const INDENT: usize = 4;

#[derive(Clone, Copy, Debug)]
struct Level {
    in_array: bool,
    /// Values written, an object's keys among them.
    count: usize,
}

/// Writes one JSON value, token by token, into one buffer.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
    levels: Vec<Level>,
    /// Whether elements of arrays follow each other on one line. May change at any time, even inside an array.
    pub single_line: bool,
}

impl Writer {
    /// A writer whose answer is expected to take about this many bytes.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// What was written.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.out
    }

    /// How many bytes were written so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether nothing was written yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// Begins a list; [`Writer::end_array`] ends it.
    pub fn start_array(&mut self) {
        self.start(b'[', true);
    }

    /// Ends the list.
    pub fn end_array(&mut self) {
        let single_line = self.single_line;
        self.end(b']', single_line);
    }

    /// Begins an object; a key and a value come in turn, then [`Writer::end_object`].
    pub fn start_object(&mut self) {
        self.start(b'{', false);
    }

    /// Ends the object.
    pub fn end_object(&mut self) {
        self.end(b'}', false);
    }

    /// `null`, `true`, `false`.
    pub fn literal(&mut self, text: &str) {
        self.value().extend_from_slice(text.as_bytes());
    }

    /// An integer.
    pub fn integer(&mut self, value: impl itoa::Integer) {
        write_integer(self.value(), value);
    }

    /// A float, as [`decimal::write_float`].
    pub fn float(&mut self, value: f32) {
        decimal::write_float(self.value(), value);
    }

    /// Values of the list that was begun last, each by `write`; what goes between them is made once.
    pub fn elements<T>(
        &mut self,
        mut values: impl ExactSizeIterator<Item = T>,
        write: impl Fn(&mut Vec<u8>, T),
    ) {
        let Some(first) = values.next() else { return };
        write(self.value(), first);
        let depth = self.levels.len();
        if let Some(level) = self.levels.last_mut() {
            level.count += values.len();
        }
        if self.single_line {
            for value in values {
                self.out.extend_from_slice(b", ");
                write(&mut self.out, value);
            }
        } else {
            let mut between = vec![b','];
            new_line(&mut between, depth);
            for value in values {
                self.out.extend_from_slice(&between);
                write(&mut self.out, value);
            }
        }
    }

    /// A string or a key; bytes from 0x80 up pass as they are.
    pub fn string(&mut self, text: &[u8]) {
        write_string(self.value(), text);
    }

    /// Writes what goes before a value, and gives the buffer for the value itself.
    pub(super) fn value(&mut self) -> &mut Vec<u8> {
        let depth = self.levels.len();
        let Some(level) = self.levels.last_mut() else { return &mut self.out };
        let before = level.count;
        level.count += 1;
        match (level.in_array, self.single_line) {
            (true, true) if before > 0 => self.out.extend_from_slice(b", "),
            (true, true) => {}
            (false, _) if before % 2 == 1 => self.out.extend_from_slice(b": "),
            _ => {
                if before > 0 {
                    self.out.push(b',');
                }
                new_line(&mut self.out, depth);
            }
        }
        &mut self.out
    }

    fn start(&mut self, bracket: u8, in_array: bool) {
        self.value().push(bracket);
        self.levels.push(Level { in_array, count: 0 });
    }

    fn end(&mut self, bracket: u8, on_same_line: bool) {
        let is_empty = self.levels.pop().is_none_or(|level| level.count == 0);
        if !is_empty && !on_same_line {
            new_line(&mut self.out, self.levels.len());
        }
        self.out.push(bracket);
    }
}

/// An integer's text.
pub fn write_integer(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// A complex number as an object on one line; `part` writes a number.
pub fn write_complex<T>(out: &mut Vec<u8>, [real, imaginary]: [T; 2], part: fn(&mut Vec<u8>, T)) {
    out.extend_from_slice(b"{\"re\": ");
    part(out, real);
    out.extend_from_slice(b", \"im\": ");
    part(out, imaginary);
    out.push(b'}');
}

fn new_line(out: &mut Vec<u8>, depth: usize) {
    out.push(b'\n');
    out.resize(out.len() + depth * INDENT, b' ');
}

fn write_string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    let mut rest = text;
    while let Some(plain) = rest.iter().position(|&byte| must_escape(byte)) {
        let (before, after) = rest.split_at(plain);
        out.extend_from_slice(before);
        let Some((&byte, after)) = after.split_first() else { break };
        write_escape(out, byte);
        rest = after;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

fn must_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

fn write_escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        0x08 => b'b',
        0x0C => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        b'"' | b'\\' => byte,
        _ => {
            let digit = |half: u8| if half < 10 { b'0' + half } else { b'A' + half - 10 };
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 0xF)]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_follows_the_line_option_at_each_token() {
        let mut writer = Writer::default();
        writer.start_object();
        writer.string(b"a");
        writer.start_array();
        writer.single_line = true;
        for _ in 0..2 {
            writer.start_array();
            writer.integer(1);
            writer.float(2.5);
            writer.end_array();
        }
        writer.single_line = false;
        writer.end_array();
        writer.string(b"c");
        writer.start_array();
        writer.literal("true");
        writer.elements([1, 2].into_iter(), write_integer);
        writer.elements([0; 0].into_iter(), write_integer);
        writer.single_line = true;
        writer.elements([3, 4].into_iter(), write_integer);
        writer.literal("false");
        writer.end_array();
        writer.single_line = false;
        writer.string(b"b");
        writer.start_array();
        writer.literal("null");
        writer.start_object();
        writer.end_object();
        writer.end_array();
        writer.end_object();
        let expected = "{\n    \"a\": [[1, 2.5], [1, 2.5]\n    ],\n    \"c\": [\n        true,\n        1,\n        2, 3, 4, false],\n    \
                        \"b\": [\n        null,\n        {}\n    ]\n}";
        assert_eq!(String::from_utf8_lossy(&writer.finish()), expected);
    }

    #[test]
    fn control_characters_quotes_and_backslashes_are_escaped_and_nothing_else() {
        let mut writer = Writer::default();
        writer.string(b"\x00\x1f\x08\x0c\n\r\t\"\\/\x7f\xff");
        assert_eq!(writer.finish(), b"\"\\u0000\\u001F\\b\\f\\n\\r\\t\\\"\\\\/\x7f\xff\"");
    }
}
