//! What REST's connections do with a request's body before the door sees it.

use crate::support::{Fixture, impatient, soon, until};
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A request that the door answers at once, whatever the body.
const POST: &str = "POST /v1/models/none:predict HTTP/1.1\r\nhost: h\r\n";

/// One connection of a client that sends whatever it likes.
pub struct Connection(TcpStream);

impl Connection {
    pub async fn open(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    pub async fn send(&mut self, text: &str) {
        // The server may have answered and closed already.
        let _ = self.0.write_all(text.as_bytes()).await;
    }

    /// The next answer's head and body.
    pub async fn answer(&mut self) -> (String, String) {
        let head = self.head().await;
        let lower = head.to_ascii_lowercase();
        let length = lower
            .split("content-length: ")
            .nth(1)
            .map_or(0, |rest| rest.split("\r\n").next().unwrap().parse().unwrap());
        let mut body = vec![0; length];
        soon(self.0.read_exact(&mut body)).await.unwrap();
        (head, String::from_utf8(body).unwrap())
    }

    pub async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(soon(self.0.read_u8()).await.expect("an answer"));
        }
        String::from_utf8(head).unwrap()
    }

    async fn is_closed(&mut self) -> bool {
        soon(self.0.read_u8()).await.is_err()
    }
}

/// Whether the door itself answered, not the connection.
fn is_from_the_door(head: &str) -> bool {
    head.starts_with("HTTP/1.1 404 ")
        || head.starts_with("HTTP/1.1 400 ")
        || head.starts_with("HTTP/1.1 501 ")
}

#[tokio::test]
async fn bodies_arrive_by_length_in_chunks_or_after_continue_on_one_connection() {
    let fixture = Fixture::start(|_| {});
    let mut connection = Connection::open(fixture.rest()).await;

    connection.send(&format!("{POST}content-length: 2\r\n\r\n{{}}")).await;
    assert!(is_from_the_door(&connection.answer().await.0));

    connection
        .send(&format!("{POST}transfer-encoding: chunked\r\n\r\n1\r\n{{\r\n1\r\n}}\r\n0\r\n\r\n"))
        .await;
    assert!(is_from_the_door(&connection.answer().await.0));

    connection.send(&format!("{POST}content-length: 2\r\nexpect: 100-continue\r\n\r\n")).await;
    assert!(connection.head().await.starts_with("HTTP/1.1 100 "));
    connection.send("{}").await;
    let (head, body) = connection.answer().await;
    assert!(is_from_the_door(&head), "{head}");
    assert!(body.contains("error"), "{body}");
}

#[tokio::test]
async fn a_body_too_large_is_413_whether_promised_or_sent() {
    let fixture = Fixture::start(|options| options.message_bytes_max = 100);
    let long = "x".repeat(101);
    for request in [
        format!("{POST}content-length: 101\r\n\r\n"),
        format!("{POST}content-length: 101\r\nexpect: 100-continue\r\n\r\n"),
        format!("{POST}transfer-encoding: chunked\r\n\r\n65\r\n{long}\r\n"),
    ] {
        let mut connection = Connection::open(fixture.rest()).await;
        connection.send(&request).await;
        let (head, body) = connection.answer().await;
        assert!(head.starts_with("HTTP/1.1 413 "), "{head}");
        assert!(body.contains("Received message larger than max (101 vs. 100)"), "{body}");
        assert!(connection.is_closed().await);
    }
    fixture.wait_empty().await;
}

#[tokio::test]
async fn a_body_that_does_not_fit_the_budget_is_429_and_fits_once_there_is_room() {
    let fixture = Fixture::start(|options| options.buffered_bytes_max = 100_000);
    let long = "x".repeat(150_000);
    let mut connection = Connection::open(fixture.rest()).await;
    connection.send(&format!("{POST}content-length: 150000\r\n\r\n{long}")).await;
    assert!(connection.answer().await.0.starts_with("HTTP/1.1 429 "));
    fixture.wait_empty().await;

    let mut connection = Connection::open(fixture.rest()).await;
    connection.send(&format!("{POST}content-length: 5000\r\n\r\n{}", "x".repeat(5_000))).await;
    assert!(is_from_the_door(&connection.answer().await.0));
    fixture.wait_empty().await;
}

#[tokio::test]
async fn a_body_that_stops_arriving_is_408() {
    let fixture = Fixture::start(|options| options.patience.body_idle = impatient());
    let mut connection = Connection::open(fixture.rest()).await;
    connection.send(&format!("{POST}content-length: 100\r\n\r\nonly the beginning")).await;
    assert!(connection.answer().await.0.starts_with("HTTP/1.1 408 "));
    assert!(connection.is_closed().await);
    fixture.wait_empty().await;
}

#[tokio::test]
async fn a_body_whose_client_vanishes_leaves_nothing_behind() {
    let fixture = Fixture::start(|_| {});
    let mut connection = Connection::open(fixture.rest()).await;
    connection.send(&format!("{POST}content-length: 100\r\n\r\nonly the beginning")).await;
    until(|| fixture.server.traffic().requests == 1).await;
    drop(connection);
    fixture.wait_empty().await;
    until(|| fixture.server.traffic().connections == 0).await;
}

#[tokio::test]
async fn malformed_chunks_are_refused() {
    let fixture = Fixture::start(|_| {});
    for chunks in ["zz\r\nab\r\n0\r\n\r\n", "ffffffffffffffffff\r\n", "2\r\nabcd\r\n0\r\n\r\n"] {
        let mut connection = Connection::open(fixture.rest()).await;
        connection.send(&format!("{POST}transfer-encoding: chunked\r\n\r\n{chunks}")).await;
        assert!(connection.answer().await.0.starts_with("HTTP/1.1 400 "), "{chunks}");
        assert!(connection.is_closed().await);
    }
    fixture.wait_empty().await;
}
