//! gRPC connections that have lasted long enough.

use crate::support::{Client, Fixture, Trace, framed, impatient, soon, until, whole};
use std::time::Duration;

#[tokio::test]
async fn an_old_connection_ends_when_its_calls_have() {
    let mut fixture = Fixture::start(|options| options.http2.lifetime.age_max = Some(impatient()));
    let mut client = Client::connect(fixture.grpc()).await;
    let mut caller = client.clone();
    let call = tokio::spawn(async move { caller.call("/test.Door/Gated", &[], whole(framed(b"m"))).await });
    fixture.expect_trace(Trace::Began).await;
    soon(async { while client.send("/test.Door/Echo", &[], whole(framed(b"m"))).await.is_ok() {} }).await;
    assert_eq!(fixture.server.traffic().connections, 1);
    fixture.gate.add_permits(1);
    assert_eq!(soon(call).await.unwrap().message(), b"m");
    until(|| fixture.server.traffic().connections == 0).await;
}

#[tokio::test]
async fn the_calls_of_an_old_connection_are_cut_after_the_grace() {
    let mut fixture = Fixture::start(|options| {
        options.http2.lifetime.age_max = Some(impatient());
        options.http2.lifetime.age_grace = Some(impatient());
    });
    let mut client = Client::connect(fixture.grpc()).await;
    let call = tokio::spawn(async move { client.send("/test.Door/Gated", &[], whole(framed(b"m"))).await });
    fixture.expect_trace(Trace::Began).await;
    assert!(soon(call).await.unwrap().is_err());
    fixture.expect_trace(Trace::Ended).await;
    until(|| fixture.server.traffic().connections == 0).await;
}

#[tokio::test]
async fn an_idle_connection_ends_and_one_with_a_call_does_not() {
    let mut fixture = Fixture::start(|options| options.http2.lifetime.idle_max = Some(impatient()));
    let mut busy = Client::connect(fixture.grpc()).await;
    let call = tokio::spawn(async move { busy.call("/test.Door/Gated", &[], whole(framed(b"m"))).await });
    fixture.expect_trace(Trace::Began).await;
    let mut idle = Client::connect(fixture.grpc()).await;
    assert_eq!(idle.echo(b"m").await.message(), b"m");
    until(|| fixture.server.traffic().connections == 1).await;
    fixture.gate.add_permits(1);
    assert_eq!(soon(call).await.unwrap().message(), b"m", "the one with a call was left alone");
    until(|| fixture.server.traffic().connections == 0).await;
}

#[tokio::test]
async fn connections_that_live_long_still_end_with_the_server() {
    let fixture = Fixture::start(|options| {
        options.http2.lifetime.age_max = Some(Duration::from_hours(1));
        options.http2.lifetime.idle_max = Some(Duration::from_hours(1));
    });
    let mut client = Client::connect(fixture.grpc()).await;
    assert_eq!(client.echo(b"m").await.message(), b"m");
    assert_eq!(soon(fixture.server.shutdown(Duration::from_mins(10))).await, 0);
}

#[tokio::test]
async fn headers_and_calls_at_once_have_the_limits_that_were_set() {
    let mut fixture = Fixture::start(|options| {
        options.http2.header_bytes_max = 1_000;
        options.http2.streams_max = 1;
        options.grpc_message_bytes_max = 10;
    });
    let mut client = Client::connect(fixture.grpc()).await;
    let long = "x".repeat(2_000);
    let response = client.send("/test.Door/Echo", &[("x-long", &long)], whole(framed(b"m"))).await;
    assert_eq!(response.unwrap().status().as_u16(), 431);
    let answer = client.echo(b"eleven bytes").await;
    assert_eq!(answer.text(), "Received message larger than max (12 vs. 10)");

    let gated = |mut client: Client| {
        tokio::spawn(async move { client.call("/test.Door/Gated", &[], whole(framed(b"m"))).await })
    };
    let first = gated(client.clone());
    fixture.expect_trace(Trace::Began).await;
    let second = gated(client.clone());
    fixture.gate.add_permits(1);
    assert_eq!(soon(first).await.unwrap().message(), b"m");
    fixture.expect_trace(Trace::Ended).await;
    fixture.expect_trace(Trace::Began).await;
    fixture.gate.add_permits(1);
    assert_eq!(soon(second).await.unwrap().message(), b"m");
}
