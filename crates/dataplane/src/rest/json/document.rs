//! A parsed JSON document as a flat tape: one node for each value and each object key, in document order.
//!
//! Numbers are converted when they are parsed. Strings stay where they are in the body, and are unescaped when
//! they are asked for. A container's node says where its last descendant ends, so that nothing here or in the
//! parser recurses and dropping a document costs two deallocations however deep it is nested.

use super::{
    number::Number,
    parser::{self, ParseError},
    string,
};
use bytes::Bytes;
use std::borrow::Cow;

/// What one node of the tape costs: its kind and its word.
pub const NODE_BYTES: usize = size_of::<Kind>() + size_of::<u64>();

/// The most memory that a document takes beside its body, for each byte of the body.
///
/// The worst case is a body of opening brackets. A body of numbers of `n` digits takes `9 / (n + 1)` bytes.
pub const TAPE_BYTES_PER_BODY_BYTE_MAX: usize = NODE_BYTES;

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// `null`.
    Null,
    /// `false`.
    False,
    /// `true`.
    True,
    /// An integer below zero; the word is its two's complement.
    Negative,
    /// An integer from zero up; the word is the integer.
    Unsigned,
    /// A number with a fraction or an exponent, or one that fits no integer; the word is its bits.
    Double,
    /// A string without escapes; the word is `start << 32 | length` in the body.
    String,
    /// A string with escapes; the word is `start << 32 | length` in the body, still escaped.
    EscapedString,
    /// An array; the word is `elements << 32 | end`, where `end` is the index of the node after its last one.
    Array,
    /// An object; the word is `members << 32 | end`; each member is a key's node and a value's.
    Object,
}

impl Kind {
    /// Whether it is a number of any kind.
    #[must_use]
    pub fn is_number(self) -> bool {
        matches!(self, Self::Negative | Self::Unsigned | Self::Double)
    }

    /// Whether it holds other values.
    #[must_use]
    pub fn is_container(self) -> bool {
        matches!(self, Self::Array | Self::Object)
    }
}

/// The two halves of a container's or a string's word.
pub(super) fn halves(word: u64) -> (usize, usize) {
    let low = word & u64::from(u32::MAX);
    // A usize has 64 bits wherever TensorFlow's libraries run; a smaller one would only ever see smaller bodies.
    (usize::try_from(word >> 32).unwrap_or(usize::MAX), usize::try_from(low).unwrap_or(usize::MAX))
}

/// A parsed document; it owns its body.
#[derive(Clone, Debug, Default)]
pub struct Document {
    body: Bytes,
    kinds: Vec<Kind>,
    words: Vec<u64>,
}

impl Document {
    /// Parses the first value of `body`; what follows it is ignored.
    pub fn parse(body: Bytes) -> Result<Self, ParseError> {
        let (kinds, words) = parser::parse(&body)?;
        Ok(Self { body, kinds, words })
    }

    /// How many bytes the tape of `body` will take, counted by one fast pass over it; never too few.
    #[must_use]
    pub fn tape_bytes(body: &[u8]) -> usize {
        parser::nodes_max(body) * NODE_BYTES
    }

    /// How many nodes its tape has.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.kinds.len()
    }

    /// How long the body is that it was parsed from.
    #[must_use]
    pub fn body_bytes(&self) -> usize {
        self.body.len()
    }

    /// The document's one value.
    #[must_use]
    pub fn root(&self) -> Value<'_> {
        Value { document: self, index: 0 }
    }

    fn word(&self, index: usize) -> u64 {
        self.words.get(index).copied().unwrap_or_default()
    }
}

/// One value of a document.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    document: &'a Document,
    index: usize,
}

/// A run of nodes none of which is a container: what an innermost list or a lone value is made of.
#[derive(Clone, Copy, Debug)]
pub struct Scalars<'a> {
    document: &'a Document,
    start: usize,
    /// What each node is.
    pub kinds: &'a [Kind],
    /// Each node's word, as [`Kind`] says.
    pub words: &'a [u64],
}

impl<'a> Scalars<'a> {
    /// The value at `offset` of the run.
    #[must_use]
    pub fn at(&self, offset: usize) -> Value<'a> {
        Value { document: self.document, index: self.start + offset }
    }
}

impl<'a> Value<'a> {
    /// What it is.
    #[must_use]
    pub fn kind(self) -> Kind {
        self.document.kinds.get(self.index).copied().unwrap_or(Kind::Null)
    }

    /// `rapidjson`'s name of its type, which error texts use.
    #[must_use]
    pub fn type_name(self) -> &'static str {
        match self.kind() {
            Kind::Null => "Null",
            Kind::False => "False",
            Kind::True => "True",
            Kind::Object => "Object",
            Kind::Array => "Array",
            Kind::String | Kind::EscapedString => "String",
            Kind::Negative | Kind::Unsigned | Kind::Double => "Number",
        }
    }

    /// Whether it is an array.
    #[must_use]
    pub fn is_array(self) -> bool {
        self.kind() == Kind::Array
    }

    /// Whether it is an object.
    #[must_use]
    pub fn is_object(self) -> bool {
        self.kind() == Kind::Object
    }

    /// Whether it is a string.
    #[must_use]
    pub fn is_string(self) -> bool {
        matches!(self.kind(), Kind::String | Kind::EscapedString)
    }

    /// The number that it is, if it is one.
    #[must_use]
    pub fn number(self) -> Option<Number> {
        Number::of(self.kind(), self.document.word(self.index))
    }

    /// How many elements or members it has; 0 for what is no container.
    #[must_use]
    pub fn len(self) -> usize {
        if self.kind().is_container() { halves(self.document.word(self.index)).0 } else { 0 }
    }

    /// Whether it has no elements or members.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The bytes of the string that it is, if it is one. They need not be UTF-8.
    #[must_use]
    pub fn text(self) -> Option<Cow<'a, [u8]>> {
        let raw = self.raw()?;
        Some(if self.kind() == Kind::EscapedString {
            Cow::Owned(string::unescape(raw))
        } else {
            Cow::Borrowed(raw)
        })
    }

    /// As [`Value::text`], but sharing the body's memory where nothing was escaped.
    #[must_use]
    pub fn shared_text(self) -> Option<Bytes> {
        let raw = self.raw()?;
        Some(if self.kind() == Kind::EscapedString {
            Bytes::from(string::unescape(raw))
        } else {
            self.document.body.slice_ref(raw)
        })
    }

    /// How many bytes the string that it is takes in the body, escapes as they are; 0 for what is no string.
    #[must_use]
    pub fn written_bytes(self) -> usize {
        self.raw().map_or(0, <[u8]>::len)
    }

    /// Whether it is a string of exactly these bytes.
    #[must_use]
    pub fn is_text(self, text: &[u8]) -> bool {
        match self.kind() {
            Kind::String => self.raw() == Some(text),
            Kind::EscapedString => self.text().as_deref() == Some(text),
            _ => false,
        }
    }

    /// Its elements; none for what is no array.
    #[must_use]
    pub fn elements(self) -> Values<'a> {
        let end = if self.is_array() { self.end() } else { self.index + 1 };
        Values { document: self.document, index: self.index + 1, end }
    }

    /// Its members in the order sent, duplicates included; none for what is no object.
    #[must_use]
    pub fn members(self) -> Members<'a> {
        let end = if self.is_object() { self.end() } else { self.index + 1 };
        Members(Values { document: self.document, index: self.index + 1, end })
    }

    /// The value of the first member of this name.
    #[must_use]
    pub fn member(self, name: &str) -> Option<Value<'a>> {
        self.members().find(|(key, _)| key.is_text(name.as_bytes())).map(|(_, value)| value)
    }

    /// Its first element.
    #[must_use]
    pub fn first(self) -> Option<Value<'a>> {
        self.elements().next()
    }

    /// Its elements at once, if it is an array that holds no container; itself, if it is no container.
    #[must_use]
    pub fn scalars(self) -> Option<Scalars<'a>> {
        let (start, end) =
            if self.is_array() { (self.index + 1, self.end()) } else { (self.index, self.index + 1) };
        let flat = if self.is_array() { end - start == self.len() } else { !self.is_object() };
        let kinds = self.document.kinds.get(start..end).filter(|_| flat)?;
        // An empty object or array inside an array is one node too, so counting alone does not tell.
        let plain = !kinds.iter().fold(false, |found, kind| found | kind.is_container());
        let words = self.document.words.get(start..end)?;
        plain.then_some(Scalars { document: self.document, start, kinds, words })
    }

    /// The value that follows it in the document's order, its own contents left out.
    fn end(self) -> usize {
        if self.kind().is_container() { halves(self.document.word(self.index)).1 } else { self.index + 1 }
    }

    fn raw(self) -> Option<&'a [u8]> {
        if !self.is_string() {
            return None;
        }
        let (start, length) = halves(self.document.word(self.index));
        self.document.body.get(start..start + length)
    }
}

/// The values of a run of sibling nodes.
#[derive(Clone, Debug)]
pub struct Values<'a> {
    document: &'a Document,
    index: usize,
    end: usize,
}

impl<'a> Iterator for Values<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.index >= self.end {
            return None;
        }
        let value = Value { document: self.document, index: self.index };
        self.index = value.end();
        Some(value)
    }
}

/// An object's members: keys and their values.
#[derive(Clone, Debug)]
pub struct Members<'a>(Values<'a>);

impl<'a> Iterator for Members<'a> {
    type Item = (Value<'a>, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        Some((self.0.next()?, self.0.next()?))
    }
}
