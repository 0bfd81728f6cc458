//! From bytes to a tape, without recursion; errors and their offsets are `rapidjson`'s.
//!
//! While a container is open its word holds `elements so far << 32 | index of the container around it`, so that the
//! tape is its own stack.

use super::{document::Kind, number, string};
use std::fmt;

/// What is wrong with a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // each is its text, below
pub enum Fault {
    DocumentEmpty,
    ValueInvalid,
    ObjectMissName,
    ObjectMissColon,
    ObjectMissCommaOrCurlyBracket,
    ArrayMissCommaOrSquareBracket,
    StringUnicodeEscapeInvalidHex,
    StringUnicodeSurrogateInvalid,
    StringEscapeInvalid,
    StringMissQuotationMark,
    NumberTooBig,
    NumberMissFraction,
    NumberMissExponent,
    /// Ours: `rapidjson` would overflow its own counters.
    DocumentTooBig,
}

impl Fault {
    fn text(self) -> &'static str {
        match self {
            Self::DocumentEmpty => "The document is empty.",
            Self::ValueInvalid => "Invalid value.",
            Self::ObjectMissName => "Missing a name for object member.",
            Self::ObjectMissColon => "Missing a colon after a name of object member.",
            Self::ObjectMissCommaOrCurlyBracket => "Missing a comma or '}' after an object member.",
            Self::ArrayMissCommaOrSquareBracket => "Missing a comma or ']' after an array element.",
            Self::StringUnicodeEscapeInvalidHex => "Incorrect hex digit after \\u escape in string.",
            Self::StringUnicodeSurrogateInvalid => "The surrogate pair in string is invalid.",
            Self::StringEscapeInvalid => "Invalid escape character in string.",
            Self::StringMissQuotationMark => "Missing a closing quotation mark in string.",
            Self::NumberTooBig => "Number too big to be stored in double.",
            Self::NumberMissFraction => "Miss fraction part in number.",
            Self::NumberMissExponent => "Miss exponent in number.",
            Self::DocumentTooBig => "The document is too big.",
        }
    }
}

/// Why a document was refused, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// What is wrong.
    pub fault: Fault,
    /// At which byte of the body.
    pub offset: usize,
}

impl ParseError {
    pub(super) fn new(fault: Fault, offset: usize) -> Self {
        Self { fault, offset }
    }
}

/// `Invalid value. at offset: 0`, the words that TensorFlow Serving's clients know.
impl fmt::Display for ParseError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} at offset: {}", self.fault.text(), self.offset)
    }
}

impl std::error::Error for ParseError {}

/// Offsets and node indexes are 32 bits wide.
const BODY_BYTES_MAX: usize = u32::MAX as usize - 1;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// No container is open.
const NO_CONTAINER: u32 = u32::MAX;

/// At most how many nodes the tape of `body` has: every value but the first and every key follows one of four
/// bytes. The counters are as narrow as the compiler needs them to use vector instructions.
pub(super) fn nodes_max(body: &[u8]) -> usize {
    let count = |block: &[u8]| -> u32 {
        block.iter().map(|byte| u32::from(matches!(byte, b'[' | b'{' | b',' | b':'))).sum()
    };
    let separators = body.chunks(1 << 16).map(count).map(|count| count as usize).sum::<usize>();
    separators + 1
}

/// What may come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    /// The document's value.
    Start,
    /// The first element or `]`.
    FirstElement,
    /// An element, after a comma.
    Element,
    /// `,` or `]`.
    AfterElement,
    /// The first name or `}`.
    FirstName,
    /// A name, after a comma.
    Name,
    /// `:`.
    AfterName,
    /// A member's value.
    MemberValue,
    /// `,` or `}`.
    AfterMember,
    /// Nothing: the document's value is whole.
    Finished,
}

impl Expect {
    /// What `rapidjson` says when something else came.
    fn fault(self) -> Fault {
        match self {
            Self::Start | Self::Finished => Fault::DocumentEmpty,
            Self::FirstElement | Self::Element | Self::MemberValue => Fault::ValueInvalid,
            Self::AfterElement => Fault::ArrayMissCommaOrSquareBracket,
            Self::FirstName | Self::Name => Fault::ObjectMissName,
            Self::AfterName => Fault::ObjectMissColon,
            Self::AfterMember => Fault::ObjectMissCommaOrCurlyBracket,
        }
    }
}

struct Parser<'a> {
    body: &'a [u8],
    at: usize,
    kinds: Vec<Kind>,
    words: Vec<u64>,
    /// The innermost open container, and how many elements or members of it have ended.
    open: u32,
    count: u32,
}

/// Parses the first value of `body`.
pub(super) fn parse(body: &[u8]) -> Result<(Vec<Kind>, Vec<u64>), ParseError> {
    if body.len() > BODY_BYTES_MAX {
        return Err(ParseError::new(Fault::DocumentTooBig, BODY_BYTES_MAX));
    }
    let nodes = nodes_max(body);
    let at = if body.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    let (kinds, words) = (Vec::with_capacity(nodes), Vec::with_capacity(nodes));
    let mut parser = Parser { body, at, kinds, words, open: NO_CONTAINER, count: 0 };
    parser.run()?;
    Ok((parser.kinds, parser.words))
}

impl Parser<'_> {
    fn run(&mut self) -> Result<(), ParseError> {
        let mut expect = Expect::Start;
        while expect != Expect::Finished {
            let byte = self.peek_past_whitespace();
            expect = match expect {
                Expect::FirstElement if byte == b']' => self.close(),
                Expect::Start | Expect::FirstElement | Expect::Element | Expect::MemberValue => {
                    self.value(expect, byte)?
                }
                Expect::AfterElement if byte == b',' => self.take(Expect::Element),
                Expect::AfterElement if byte == b']' => self.close(),
                Expect::FirstName if byte == b'}' => self.close(),
                Expect::FirstName | Expect::Name if byte == b'"' => {
                    self.string()?;
                    Expect::AfterName
                }
                Expect::AfterName if byte == b':' => self.take(Expect::MemberValue),
                Expect::AfterMember if byte == b',' => self.take(Expect::Name),
                Expect::AfterMember if byte == b'}' => self.close(),
                _ => return Err(ParseError::new(expect.fault(), self.at)),
            };
        }
        Ok(())
    }

    /// The next byte that is no whitespace; 0 at the end, which is what `rapidjson` takes a NUL for, too.
    fn peek_past_whitespace(&mut self) -> u8 {
        loop {
            match self.body.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                Some(&byte) => return byte,
                None => return 0,
            }
        }
    }

    fn take(&mut self, next: Expect) -> Expect {
        self.at += 1;
        next
    }

    fn value(&mut self, expect: Expect, byte: u8) -> Result<Expect, ParseError> {
        match byte {
            b'[' => return Ok(self.open(Kind::Array, Expect::FirstElement)),
            b'{' => return Ok(self.open(Kind::Object, Expect::FirstName)),
            b'"' => self.string()?,
            b't' => self.word(b"true", Kind::True)?,
            b'f' => self.word(b"false", Kind::False)?,
            b'n' => self.word(b"null", Kind::Null)?,
            b']' | b'}' | b',' | b':' | 0 => return Err(ParseError::new(expect.fault(), self.at)),
            _ => {
                let (kind, word, end) = number::parse(self.body, self.at)?;
                self.push(kind, word);
                self.at = end;
            }
        }
        Ok(self.after_value())
    }

    /// A value has ended: counts it and says what may follow.
    fn after_value(&mut self) -> Expect {
        if self.open == NO_CONTAINER {
            return Expect::Finished;
        }
        self.count += 1;
        match self.kinds.get(self.open as usize) {
            Some(Kind::Array) => Expect::AfterElement,
            _ => Expect::AfterMember,
        }
    }

    fn open(&mut self, kind: Kind, next: Expect) -> Expect {
        self.at += 1;
        let (count, around) = (self.count, self.open);
        if let Some(word) = self.words.get_mut(around as usize) {
            *word = (*word & u64::from(u32::MAX)) | u64::from(count) << 32;
        }
        self.open = self.next_index();
        self.count = 0;
        self.push(kind, u64::from(around));
        next
    }

    fn close(&mut self) -> Expect {
        self.at += 1;
        let end = self.next_index();
        let finished = u64::from(self.count) << 32 | u64::from(end);
        if let Some(word) = self.words.get_mut(self.open as usize) {
            #[allow(clippy::cast_possible_truncation)] // the low half is what is wanted
            let around = *word as u32;
            *word = finished;
            self.open = around;
        }
        #[allow(clippy::cast_possible_truncation)] // the high half, 32 bits
        let count = self.words.get(self.open as usize).map_or(0, |word| (word >> 32) as u32);
        self.count = count;
        self.after_value()
    }

    fn string(&mut self) -> Result<(), ParseError> {
        let start = self.at + 1;
        let (length, escaped) = string::scan(self.body, start)?;
        self.push(
            if escaped { Kind::EscapedString } else { Kind::String },
            (start as u64) << 32 | length as u64,
        );
        self.at = start + length + 1;
        Ok(())
    }

    fn word(&mut self, word: &[u8], kind: Kind) -> Result<(), ParseError> {
        let rest = self.body.get(self.at..).unwrap_or_default();
        let same = rest.iter().zip(word).take_while(|(left, right)| left == right).count();
        self.at += same;
        if same < word.len() {
            return Err(ParseError::new(Fault::ValueInvalid, self.at));
        }
        self.push(kind, 0);
        Ok(())
    }

    fn push(&mut self, kind: Kind, word: u64) {
        self.kinds.push(kind);
        self.words.push(word);
    }

    /// A body below `BODY_BYTES_MAX` cannot have more nodes than 32 bits count.
    fn next_index(&self) -> u32 {
        u32::try_from(self.kinds.len()).unwrap_or(NO_CONTAINER)
    }
}
