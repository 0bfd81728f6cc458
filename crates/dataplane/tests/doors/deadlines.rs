//! Callers that stop waiting, and clients that go away.

use crate::support::{Client, Fixture, Trace, framed, impatient, piecemeal, soon, until, whole};
use bytes::Bytes;

#[tokio::test]
async fn a_call_past_its_deadline_is_answered_and_its_work_dropped() {
    let mut fixture = Fixture::start(|_| {});
    let mut client = Client::connect(fixture.grpc()).await;
    let answer = client.call("/test.Door/Gated", &[("grpc-timeout", "100m")], whole(framed(b"m"))).await;
    assert_eq!((answer.status(), answer.text()), (4, "Deadline Exceeded"));
    fixture.expect_trace(Trace::Began).await;
    fixture.expect_trace(Trace::Ended).await;
    fixture.wait_empty().await;
}

#[tokio::test]
async fn a_call_whose_deadline_passed_before_it_came_is_not_begun() {
    let mut fixture = Fixture::start(|_| {});
    let mut client = Client::connect(fixture.grpc()).await;
    let answer = client.call("/test.Door/Gated", &[("grpc-timeout", "0n")], whole(framed(b"m"))).await;
    assert_eq!(answer.status(), 4);
    assert!(fixture.traces.try_recv().is_err());
}

#[tokio::test]
async fn a_deadline_runs_while_the_message_still_arrives() {
    let fixture = Fixture::start(|_| {});
    let mut client = Client::connect(fixture.grpc()).await;
    let (pieces, body) = piecemeal();
    pieces.send(framed(b"message").slice(..6)).unwrap();
    let answer = client.call("/test.Door/Echo", &[("grpc-timeout", "50m")], body).await;
    assert_eq!(answer.status(), 4);
    soon(pieces.closed()).await;
}

#[tokio::test]
async fn a_far_deadline_changes_nothing_and_a_malformed_one_is_refused() {
    let fixture = Fixture::start(|_| {});
    let mut client = Client::connect(fixture.grpc()).await;
    for (text, status) in [("99999999H", 0), ("1H", 0), ("1h", 13), ("", 13), ("123456789S", 13)] {
        let answer = client.call("/test.Door/Echo", &[("grpc-timeout", text)], whole(framed(b"m"))).await;
        assert_eq!(answer.status(), status, "{text:?}");
    }
}

#[tokio::test]
async fn a_call_that_its_client_cancels_is_dropped() {
    let mut fixture = Fixture::start(|_| {});
    let client = Client::connect(fixture.grpc()).await;
    let mut caller = client.clone();
    let call = tokio::spawn(async move { caller.call("/test.Door/Gated", &[], whole(framed(b"m"))).await });
    fixture.expect_trace(Trace::Began).await;
    call.abort();
    fixture.expect_trace(Trace::Ended).await;
    fixture.wait_empty().await;
    assert_eq!(client.clone().echo(b"still here").await.message(), b"still here");
}

#[tokio::test]
async fn a_call_whose_client_vanishes_is_dropped() {
    let mut fixture = Fixture::start(|_| {});
    let mut client = Client::connect(fixture.grpc()).await;
    let call = tokio::spawn(async move { client.call("/test.Door/Gated", &[], whole(framed(b"m"))).await });
    fixture.expect_trace(Trace::Began).await;
    call.abort();
    fixture.expect_trace(Trace::Ended).await;
    until(|| fixture.server.traffic().connections == 0).await;
    fixture.wait_empty().await;
}

#[tokio::test]
async fn a_call_cancelled_while_its_message_arrives_leaves_nothing_behind() {
    let fixture = Fixture::start(|_| {});
    let client = Client::connect(fixture.grpc()).await;
    let (pieces, body) = piecemeal();
    let mut caller = client.clone();
    let call = tokio::spawn(async move { caller.call("/test.Door/Echo", &[], body).await });
    pieces.send(Bytes::from_static(b"\0\0\x10\0\0")).unwrap();
    pieces.send(Bytes::from(vec![0; 100_000])).unwrap();
    until(|| fixture.server.traffic().buffered_bytes > 100_000).await;
    call.abort();
    fixture.wait_empty().await;
}

#[tokio::test]
async fn a_message_that_stops_arriving_is_given_up() {
    let fixture = Fixture::start(|options| options.patience.body_idle = impatient());
    let mut client = Client::connect(fixture.grpc()).await;
    let (pieces, body) = piecemeal();
    pieces.send(framed(b"message").slice(..6)).unwrap();
    let answer = client.call("/test.Door/Echo", &[], body).await;
    assert_eq!(answer.status(), 4);
    assert!(answer.text().contains("stopped arriving"), "{}", answer.text());
    soon(pieces.closed()).await;
    fixture.wait_empty().await;
}
