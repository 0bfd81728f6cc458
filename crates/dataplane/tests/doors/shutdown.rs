//! The end in good order.

use crate::support::{Client, Fixture, Trace, framed, impatient, soon, whole};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A drain that no test waits for.
const LONG: Duration = Duration::from_mins(10);

#[tokio::test]
async fn what_is_under_way_is_finished_and_nothing_new_is_taken() {
    let mut fixture = Fixture::start(|_| {});
    let (grpc, gate) = (fixture.grpc(), fixture.gate.clone());
    let mut client = Client::connect(grpc).await;
    let mut caller = client.clone();
    let call = tokio::spawn(async move { caller.call("/test.Door/Gated", &[], whole(framed(b"m"))).await });
    fixture.expect_trace(Trace::Began).await;

    let shutdown = tokio::spawn(async move { fixture.server.shutdown(LONG).await });
    soon(async { while TcpStream::connect(grpc).await.is_ok() {} }).await;
    soon(async { while client.send("/test.Door/Echo", &[], whole(framed(b"m"))).await.is_ok() {} }).await;
    assert!(!shutdown.is_finished());

    gate.add_permits(1);
    assert_eq!(soon(call).await.unwrap().message(), b"m");
    assert_eq!(soon(shutdown).await.unwrap(), 0);
}

#[tokio::test]
async fn what_does_not_finish_in_time_is_counted_and_cut_off() {
    let mut fixture = Fixture::start(|_| {});
    let mut calls = Vec::new();
    for _ in 0..3 {
        let mut client = Client::connect(fixture.grpc()).await;
        calls.push(tokio::spawn(async move {
            client.send("/test.Door/Gated", &[], whole(framed(b"m"))).await.map(|_| ())
        }));
        fixture.expect_trace(Trace::Began).await;
    }
    assert_eq!(soon(fixture.server.shutdown(impatient())).await, 3);
    for call in calls {
        assert!(soon(call).await.unwrap().is_err());
        assert_eq!(soon(fixture.traces.recv()).await, Some(Trace::Ended));
    }
}

#[tokio::test]
async fn idle_connections_and_watchers_do_not_hold_it_up() {
    let fixture = Fixture::start(|_| {});
    let mut client = Client::connect(fixture.grpc()).await;
    assert_eq!(client.echo(b"m").await.message(), b"m");
    let watch = client.send("/grpc.health.v1.Health/Watch", &[], whole(framed(b""))).await.unwrap();

    let mut answered = TcpStream::connect(fixture.rest()).await.unwrap();
    answered.write_all(b"GET /v1/models/none HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
    assert!(soon(answered.read_u8()).await.is_ok());
    let mut silent = [
        TcpStream::connect(fixture.rest()).await.unwrap(),
        TcpStream::connect(fixture.grpc()).await.unwrap(),
    ];
    crate::support::until(|| fixture.server.traffic().connections == 4).await;

    assert_eq!(soon(fixture.server.shutdown(LONG)).await, 0);
    for stream in &mut silent {
        assert_eq!(soon(stream.read(&mut [0; 1])).await.unwrap_or(0), 0);
    }
    let ended = crate::support::Answer::read(watch).await;
    assert_eq!((ended.status(), ended.text()), (14, "The server is shutting down"));
}

#[tokio::test]
async fn a_server_that_is_dropped_closes_its_doors() {
    let fixture = Fixture::start(|_| {});
    let mut client = Client::connect(fixture.grpc()).await;
    assert_eq!(client.echo(b"m").await.message(), b"m");
    let address = fixture.grpc();
    drop(fixture);
    soon(async { while client.send("/test.Door/Echo", &[], whole(framed(b"m"))).await.is_ok() {} }).await;
    soon(async { while TcpStream::connect(address).await.is_ok() {} }).await;
}

#[tokio::test]
async fn a_server_starts_with_all_of_its_doors_or_with_none() {
    let fixture = Fixture::start(|_| {});
    let options = dataplane::server::ServerOptions {
        grpc_address: Some("127.0.0.1:0".to_owned()),
        rest_address: Some(fixture.rest().to_string()),
        ..dataplane::server::ServerOptions::default()
    };
    let plane = std::sync::Arc::clone(&fixture.plane);
    let error =
        dataplane::server::Server::start(plane, &options, &tokio::runtime::Handle::current()).unwrap_err();
    assert!(error.message.contains("REST"), "{error}");
}
