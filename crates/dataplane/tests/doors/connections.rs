//! Connections that are idle, slow, too many, or speak no HTTP at all.

use crate::support::{Client, Fixture, Trace, framed, impatient, soon, until, whole};
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Sends bytes and reads until the server closes; what it said. A reset is an end as well.
async fn converse(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let _ = stream.write_all(bytes).await;
    read_to_end(&mut stream).await
}

async fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut said = Vec::new();
    let _ = soon(stream.read_to_end(&mut said)).await;
    said
}

/// One HTTP/2 frame.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

#[tokio::test]
async fn what_is_not_http2_is_closed_at_its_first_wrong_byte() {
    let fixture = Fixture::start(|_| {});
    let cases: [&[u8]; 5] =
        [b"\0", b"garbage", b"\x16\x03\x01\x02\x00\x01", b"PRI * HTTP/1.1\r\n\r\n", &[0xff; 4_096]];
    for bytes in cases {
        let said = converse(fixture.grpc(), bytes).await;
        assert!(said.is_empty() || said.starts_with(b"HTTP/1.1 400 "), "{bytes:?}: {said:?}");
    }
    let request = b"GET / HTTP/1.1\r\nhost: localhost\r\nuser-agent: one of the old school\r\n\r\n";
    let said = converse(fixture.grpc(), request).await;
    let said = String::from_utf8(said).unwrap();
    let (head, body) = said.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{said}");
    assert!(body.contains("gRPC"), "{said}");
    assert_eq!(Client::connect(fixture.grpc()).await.echo(b"m").await.message(), b"m");
}

#[tokio::test]
async fn broken_frames_after_the_preface_close_the_connection() {
    let fixture = Fixture::start(|_| {});
    let settings = frame(4, 0, 0, &[]);
    let cases = [
        [PREFACE, &[0xff; 100]].concat(),
        [PREFACE, &frame(0, 0, 1, b"data without a stream")].concat(),
        [PREFACE, &settings, &frame(1, 4, 1, &[0xff; 40])].concat(),
        [PREFACE, &settings, &frame(1, 4, 2, &[0x82])].concat(),
        [PREFACE, &settings, &frame(8, 0, 0, &[0; 4])].concat(),
        [PREFACE, &settings, &frame(9, 0, 1, b"a continuation of nothing")].concat(),
        [PREFACE, &settings, &frame(0, 0, 0, b"data for the connection")].concat(),
    ];
    for bytes in cases {
        converse(fixture.grpc(), &bytes).await;
    }
    until(|| fixture.server.traffic().connections == 0).await;
    assert_eq!(Client::connect(fixture.grpc()).await.echo(b"m").await.message(), b"m");
}

#[tokio::test]
async fn a_flood_of_calls_that_are_reset_at_once_closes_the_connection() {
    let fixture = Fixture::start(|_| {});
    let mut stream = TcpStream::connect(fixture.grpc()).await.unwrap();
    let mut flood = [PREFACE, &frame(4, 0, 0, &[])].concat();
    for call in 0..20_000_u32 {
        // HEADERS without END_STREAM (":method: POST", ":scheme: http", ":path: /"), then RST_STREAM.
        flood.extend(frame(1, 4, call * 2 + 1, &[0x83, 0x86, 0x84]));
        flood.extend(frame(3, 0, call * 2 + 1, &[0, 0, 0, 8]));
    }
    let (mut reader, mut writer) = stream.split();
    let flooding = async {
        let _ = writer.write_all(&flood).await;
    };
    let mut said = Vec::new();
    let _ = soon(async { tokio::join!(flooding, reader.read_to_end(&mut said)) }).await;
    until(|| fixture.server.traffic().connections == 0).await;
}

#[tokio::test]
async fn a_connection_that_says_nothing_or_stops_halfway_is_closed() {
    let fixture = Fixture::start(|options| options.patience.head = impatient());
    for (address, beginning) in [
        (fixture.grpc(), &b""[..]),
        (fixture.grpc(), &PREFACE[..10]),
        (fixture.rest(), b""),
        (fixture.rest(), b"POST /v1/models/m:predict HTTP/1.1\r\nhost: h\r\nx-slow: "),
    ] {
        let said = converse(address, beginning).await;
        assert!(said.is_empty() || said.starts_with(b"HTTP/1.1 408 "), "{:?}", String::from_utf8(said));
    }
    until(|| fixture.server.traffic().connections == 0).await;
}

#[tokio::test]
async fn a_client_that_answers_no_pings_is_given_up() {
    let fixture = Fixture::start(|options| {
        options.patience.ping_interval = Some(impatient());
        options.patience.ping_timeout = impatient();
    });
    converse(fixture.grpc(), &[PREFACE, &frame(4, 0, 0, &[])].concat()).await;
    until(|| fixture.server.traffic().connections == 0).await;
}

#[tokio::test]
async fn malformed_http1_is_a_bad_request() {
    let fixture = Fixture::start(|_| {});
    let cases: [&[u8]; 6] = [
        b"garbage\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\0 HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
    ];
    for bytes in cases {
        let said = converse(fixture.rest(), bytes).await;
        assert!(
            said.starts_with(b"HTTP/1.1 400 "),
            "{:?}: {:?}",
            String::from_utf8_lossy(bytes),
            String::from_utf8_lossy(&said)
        );
    }
}

#[tokio::test]
async fn headers_past_their_limits_are_refused() {
    let fixture = Fixture::start(|_| {});
    let long = format!("GET / HTTP/1.1\r\nx-long: {}\r\n\r\n", "x".repeat(70_000));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "x-many: m\r\n".repeat(200));
    for request in [long, many] {
        let said = converse(fixture.rest(), request.as_bytes()).await;
        assert!(said.starts_with(b"HTTP/1.1 431 "), "{:?}", String::from_utf8_lossy(&said));
    }
}

#[tokio::test]
async fn two_thousand_idle_connections_disturb_nobody() {
    let fixture = Fixture::start(|_| {});
    let mut idle = Vec::new();
    for index in 0..1_000 {
        idle.push(TcpStream::connect(fixture.rest()).await.unwrap());
        let mut stream = TcpStream::connect(fixture.grpc()).await.unwrap();
        if index % 2 == 0 {
            stream.write_all(&[PREFACE, &frame(4, 0, 0, &[])].concat()).await.unwrap();
        }
        idle.push(stream);
    }
    until(|| fixture.server.traffic().connections == 2_000).await;
    assert_eq!(Client::connect(fixture.grpc()).await.echo(b"m").await.message(), b"m");
    assert_eq!(fixture.server.traffic().buffered_bytes, 0);
    drop(idle);
    until(|| fixture.server.traffic().connections == 0).await;
}

#[tokio::test]
async fn connections_past_the_limit_are_closed_at_once_and_taken_again_when_one_ends() {
    let mut fixture = Fixture::start(|options| options.connections_max = 2);
    let mut client = Client::connect(fixture.grpc()).await;
    let call = tokio::spawn(async move { client.call("/test.Door/Gated", &[], whole(framed(b"m"))).await });
    fixture.expect_trace(Trace::Began).await;
    let second = TcpStream::connect(fixture.rest()).await.unwrap();
    until(|| fixture.server.traffic().connections == 2).await;
    let seen = fixture.plane.statistics();
    assert_eq!((seen.grpc_connections, seen.rest_connections), (1, 1));

    let mut third = TcpStream::connect(fixture.grpc()).await.unwrap();
    assert!(read_to_end(&mut third).await.is_empty());
    assert_eq!(fixture.server.traffic().connections_refused, 1);

    drop(second);
    until(|| fixture.server.traffic().connections == 1).await;
    let seen = fixture.plane.statistics();
    assert_eq!((seen.grpc_connections, seen.rest_connections), (1, 0));
    assert_eq!(Client::connect(fixture.grpc()).await.echo(b"m").await.message(), b"m");
    fixture.gate.add_permits(1);
    assert_eq!(call.await.unwrap().message(), b"m");
}
