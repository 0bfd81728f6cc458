//! Plays one case by one way in, and looks whether the server came through.

use crate::{
    authority::{Authority, connect, secure},
    case::{Case, Expected},
    support::{Client, Fixture, impatient, soon, until},
};
use dataplane::server::{ServerOptions, socket_file::SocketFileOptions};
use std::{io, path::PathBuf, time::Duration};
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
    time::timeout,
};

/// What an impatient server grants to a handshake and a head: enough for good ones on a busy machine.
const HURRIED_HEAD: Duration = Duration::from_secs(1);

/// For an outcome to come; what does not come has its name in the failure.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where a case's bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Grpc,
    GrpcUnix,
    /// Inside of TLS.
    GrpcTls,
    /// To the port that asks for TLS, in its place.
    GrpcUnderTls,
    Rest,
    RestTls,
    RestUnderTls,
}

impl Way {
    fn is_secure(self) -> bool {
        matches!(self, Self::GrpcTls | Self::GrpcUnderTls | Self::RestTls | Self::RestUnderTls)
    }

    fn is_rest(self) -> bool {
        matches!(self, Self::Rest | Self::RestTls | Self::RestUnderTls)
    }

    /// How a good client comes in there.
    fn properly(self) -> Self {
        match self {
            Self::GrpcUnderTls => Self::GrpcTls,
            Self::RestUnderTls => Self::RestTls,
            other => other,
        }
    }
}

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// One server and its socket file.
struct Door {
    fixture: Fixture,
    path: PathBuf,
}

/// A server as patient as in production, and one that is not.
pub struct World {
    authority: Authority,
    patient: Door,
    impatient: Door,
    _folder: TempDir,
}

impl World {
    pub fn start(way: Way) -> Self {
        let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
        let pem = authority.server(None);
        let door = |name: &str, adjust: fn(&mut ServerOptions)| {
            let path = folder.path().join(name);
            let fixture = Fixture::start(|options| {
                options.grpc_socket = Some(SocketFileOptions { path: path.clone(), mode: None });
                if way.is_secure() {
                    secure(options, &pem);
                }
                adjust(options);
            });
            Door { fixture, path }
        };
        let hurry = |options: &mut ServerOptions| {
            options.patience.head = HURRIED_HEAD;
            options.patience.body_idle = impatient();
            options.patience.answer_idle = impatient();
        };
        Self {
            patient: door("patient", |_| {}),
            impatient: door("impatient", hurry),
            authority,
            _folder: folder,
        }
    }

    fn door(&self, case: &Case) -> &Door {
        if case.impatient { &self.impatient } else { &self.patient }
    }

    async fn connect(&self, way: Way, door: &Door) -> io::Result<Box<dyn Io>> {
        if way == Way::GrpcUnix {
            return Ok(Box::new(UnixStream::connect(&door.path).await?));
        }
        let address = if way.is_rest() { door.fixture.rest() } else { door.fixture.grpc() };
        let stream = TcpStream::connect(address).await?;
        match way {
            Way::GrpcTls => Ok(Box::new(connect(&self.authority.client("h2", None), stream).await?)),
            Way::RestTls => Ok(Box::new(connect(&self.authority.client("http/1.1", None), stream).await?)),
            _ => Ok(Box::new(stream)),
        }
    }

    /// A good request on a connection of its own is answered.
    async fn check_serves(&self, way: Way, door: &Door, name: &str) {
        let mut io = self.connect(way.properly(), door).await.unwrap();
        if way.is_rest() {
            let request = b"GET /v1/models/none HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";
            io.write_all(request).await.unwrap();
            let mut said = Vec::new();
            soon(io.read_to_end(&mut said)).await.unwrap();
            assert!(said.starts_with(b"HTTP/1.1 404 "), "after {name} by {way:?}: {}", show(&said));
        } else {
            let mut client = soon(Client::over(io, |_| {})).await.unwrap();
            assert_eq!(client.echo(b"m").await.message(), b"m", "after {name} by {way:?}");
        }
    }
}

/// What was wrong; nothing when the case came out as it says. The server must come through in any case.
pub async fn play(world: &World, way: Way, case: &Case) -> Option<String> {
    let door = world.door(case);
    let io = world.connect(way, door).await.unwrap();
    let mut wrong = None;
    if case.leave {
        leave(io, case).await;
    } else {
        let (said, has_ended) = converse(io, case, door).await;
        let is_here = came(case, &said, has_ended);
        wrong = (!is_here).then(|| {
            format!("{} by {way:?}: {:?} did not come, but {}", case.name, case.expected, show(&said))
        });
    }
    world.check_serves(way, door, &case.name).await;
    let traffic = || door.fixture.server.traffic();
    until(|| traffic().connections == 0 && traffic().requests == 0 && traffic().buffered_bytes == 0).await;
    wrong
}

async fn leave(mut io: Box<dyn Io>, case: &Case) {
    let _ = soon(io.write_all(&case.bytes)).await;
}

/// Sends all while it reads, until what is expected has come or the server ends it; what the server said.
async fn converse(io: Box<dyn Io>, case: &Case, door: &Door) -> (Vec<u8>, bool) {
    let (mut reader, mut writer) = tokio::io::split(io);
    let mut said = Vec::new();
    let writing = async {
        let _ = writer.write_all(&case.bytes).await;
        let _ = writer.flush().await;
    };
    if case.silent {
        soon(writing_until_cut(writing, door)).await;
        let _ = soon(reader.read_to_end(&mut said)).await;
        return (said, true);
    }
    let reading = async {
        loop {
            let before = said.len();
            said.resize(before + 65_536, 0);
            let count = reader.read(&mut said[before..]).await.unwrap_or(0);
            said.truncate(before + count);
            let has_ended = count == 0;
            if has_ended || case.expected != Expected::Survived && came(case, &said, false) {
                return has_ended;
            }
        }
    };
    // What is still to be written when the outcome is here is not waited for.
    let has_ended = timeout(PATIENCE, async {
        tokio::pin!(writing, reading);
        tokio::select! {
            has_ended = &mut reading => has_ended,
            () = &mut writing => case.expected != Expected::Survived && reading.await,
        }
    })
    .await
    .unwrap_or(false);
    (said, has_ended)
}

async fn writing_until_cut(writing: impl Future<Output = ()>, door: &Door) {
    let cut = until(|| door.fixture.server.traffic().connections == 0);
    let begun = until(|| door.fixture.server.traffic().connections > 0);
    begun.await;
    tokio::pin!(writing, cut);
    tokio::select! {
        () = &mut cut => {}
        () = &mut writing => cut.await,
    }
}

/// Whether the outcome is here.
fn came(case: &Case, said: &[u8], has_ended: bool) -> bool {
    let frames = Frames(said);
    match case.expected {
        Expected::Status(status) => said.starts_with(format!("HTTP/1.1 {status} ").as_bytes()),
        Expected::Closed => has_ended,
        Expected::Goaway(code) => {
            has_ended
                && frames.any(|frame| frame.kind == 7 && frame.payload.get(4..8) == Some(&code.to_be_bytes()))
        }
        Expected::Reset(code) => frames.any(|frame| {
            frame.kind == 3 && frame.stream == case.stream && frame.payload == code.to_be_bytes()
        }),
        Expected::Answered => {
            frames.any(|frame| frame.kind == 1 && frame.stream == case.stream && frame.flags & 1 == 1)
        }
        Expected::Acknowledged => frames.any(|frame| frame.kind == 6 && frame.flags & 1 == 1),
        Expected::Survived => true,
    }
}

/// Whole frames at the beginning of some bytes.
struct Frames<'a>(&'a [u8]);

struct Frame<'a> {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: &'a [u8],
}

impl<'a> Frames<'a> {
    fn any(&self, mut is_it: impl FnMut(Frame<'a>) -> bool) -> bool {
        let mut bytes = self.0;
        while let Some((head, rest)) = bytes.split_at_checked(9) {
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let Some((payload, rest)) = rest.split_at_checked(length) else { return false };
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            if is_it(Frame { kind: head[3], flags: head[4], stream, payload }) {
                return true;
            }
            bytes = rest;
        }
        false
    }
}

fn show(said: &[u8]) -> String {
    let beginning = &said[..said.len().min(300)];
    format!("{} bytes: {:?}", said.len(), String::from_utf8_lossy(beginning))
}
