//! The language of the cases.
//!
//! ```text
//! == a name, unique
//! # why, and where it is known from
//! text "bytes, with \r \n \t \0 \\ \" and \x7f"
//! fill 70000 "x"                     as often as that
//! preface                            HTTP/2's first bytes, with empty SETTINGS
//! frame KIND FLAGS STREAM HEX...     KIND and FLAGS in hex; STREAM a number, `+` the next odd one, `=` that again
//! call FLAGS HEX...                  the headers of a good call as the next stream, and more of them
//! header KIND FLAGS STREAM LENGTH    a frame's nine bytes alone, whatever follows
//! repeat 1000 ... end                what stands between, as often as that
//! impatient                          the server waits for moments only
//! silent                             sends no more, and waits without reading until it is cut
//! leave                              closes as soon as all is sent
//! expect OUTCOME
//! ```
//!
//! Outcomes: `status N` (an HTTP/1 answer begins so), `closed` (the server ends it, whatever it said),
//! `goaway N` (HTTP/2's code, and the end), `reset N` (of the last stream; the connection goes on),
//! `answered` (a status on the last stream), `acknowledged` (a PING), `survived` (only what comes after matters).

/// One case.
#[derive(Debug)]
pub struct Case {
    pub name: String,
    pub bytes: Vec<u8>,
    pub impatient: bool,
    pub silent: bool,
    pub leave: bool,
    pub expected: Expected,
    /// The last stream that it opens.
    pub stream: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    Status(u16),
    Closed,
    Goaway(u32),
    Reset(u32),
    Answered,
    Acknowledged,
    Survived,
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// POST, http, /test.Door/Echo, h, application/grpc, trailers: in HPACK, without its table.
const CALL: &str = "8386040f2f746573742e446f6f722f4563686f0101680f10106170706c69636174696f6e2f67727063\
                    0002746508747261696c657273";

/// Every case of a file.
pub fn parse(text: &str) -> Vec<Case> {
    let cases: Vec<Case> = text.split("\n== ").skip(1).map(parse_case).collect();
    assert!(!cases.is_empty());
    for (index, case) in cases.iter().enumerate() {
        assert!(cases[..index].iter().all(|other| other.name != case.name), "{} is there twice", case.name);
    }
    cases
}

fn parse_case(text: &str) -> Case {
    let mut lines = text.lines();
    let name = lines.next().unwrap().to_owned();
    let lines: Vec<&str> =
        lines.map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let mut writer = Writer::default();
    writer.run(&lines);
    let expected = writer.expected.unwrap_or_else(|| panic!("{name} expects nothing"));
    let Writer { bytes, stream, words, .. } = writer;
    let has = |word| words.iter().any(|each| each == word);
    Case {
        name,
        bytes,
        impatient: has("impatient"),
        silent: has("silent"),
        leave: has("leave"),
        expected,
        stream,
    }
}

#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
    stream: u32,
    words: Vec<String>,
    expected: Option<Expected>,
}

impl Writer {
    fn run(&mut self, lines: &[&str]) {
        let mut index = 0;
        while index < lines.len() {
            if let Some(times) = lines[index].strip_prefix("repeat ") {
                let end = index + lines[index..].iter().position(|line| *line == "end").expect("an end");
                for _ in 0..times.parse::<u32>().unwrap() {
                    self.run(&lines[index + 1..end]);
                }
                index = end + 1;
            } else {
                self.line(lines[index]);
                index += 1;
            }
        }
    }

    fn line(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "text" => self.bytes.extend(unquote(rest)),
            "fill" => {
                let (times, text) = rest.split_once(' ').unwrap();
                self.bytes.extend(unquote(text).repeat(times.parse().unwrap()));
            }
            "preface" => self.bytes.extend(PREFACE),
            "frame" => self.frame(rest),
            "header" => self.header(rest),
            "call" => {
                let (flags, more) = rest.split_once(' ').unwrap_or((rest, ""));
                self.frame(format!("01 {flags} + {CALL} {more}").trim_end());
            }
            "impatient" | "silent" | "leave" => self.words.push(word.to_owned()),
            "expect" => self.expected = Some(expectation(rest)),
            _ => panic!("{line:?} is no instruction"),
        }
    }

    fn frame(&mut self, rest: &str) {
        let words: Vec<&str> = rest.split(' ').collect();
        let payload: Vec<u8> = words[3..].iter().flat_map(|hex| unhex(hex)).collect();
        self.head(&words, payload.len().try_into().unwrap());
        self.bytes.extend(payload);
    }

    fn header(&mut self, rest: &str) {
        let words: Vec<&str> = rest.split(' ').collect();
        self.head(&words, words[3].parse().unwrap());
    }

    fn head(&mut self, words: &[&str], length: u32) {
        let stream = match words[2] {
            "+" => {
                self.stream = if self.stream == 0 { 1 } else { self.stream + 2 };
                self.stream
            }
            "=" => self.stream,
            number => number.parse().unwrap(),
        };
        self.bytes.extend(&length.to_be_bytes()[1..]);
        self.bytes.extend(unhex(words[0]));
        self.bytes.extend(unhex(words[1]));
        self.bytes.extend(stream.to_be_bytes());
    }
}

fn expectation(text: &str) -> Expected {
    let (word, number) = text.split_once(' ').unwrap_or((text, "0"));
    let number: u32 = number.parse().unwrap();
    match word {
        "status" => Expected::Status(number.try_into().unwrap()),
        "closed" => Expected::Closed,
        "goaway" => Expected::Goaway(number),
        "reset" => Expected::Reset(number),
        "answered" => Expected::Answered,
        "acknowledged" => Expected::Acknowledged,
        "survived" => Expected::Survived,
        _ => panic!("{text:?} is no outcome"),
    }
}

fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "{text:?} is no hex");
    (0..text.len()).step_by(2).map(|index| u8::from_str_radix(&text[index..index + 2], 16).unwrap()).collect()
}

fn unquote(text: &str) -> Vec<u8> {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).expect("quotes");
    let mut bytes = Vec::new();
    let mut chars = inner.chars();
    while let Some(char) = chars.next() {
        if char != '\\' {
            bytes.extend(char.to_string().as_bytes());
            continue;
        }
        match chars.next().unwrap() {
            'r' => bytes.push(b'\r'),
            'n' => bytes.push(b'\n'),
            't' => bytes.push(b'\t'),
            '0' => bytes.push(0),
            'x' => {
                let hex: String = chars.by_ref().take(2).collect();
                bytes.extend(unhex(&hex));
            }
            other => bytes.extend(other.to_string().as_bytes()),
        }
    }
    bytes
}
