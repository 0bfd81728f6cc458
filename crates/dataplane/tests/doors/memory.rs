//! What requests and answers may hold at once.

use crate::support::{Client, Fixture, Trace, framed, impatient, piecemeal, until, whole};
use bytes::Bytes;

#[tokio::test]
async fn past_the_budget_requests_are_refused_at_once_and_taken_again_when_there_is_room() {
    let mut fixture = Fixture::start(|options| options.buffered_bytes_max = 100_000);
    let client = Client::connect(fixture.grpc()).await;
    let mut holder = client.clone();
    let held = tokio::spawn(async move {
        holder.call("/test.Door/Gated", &[], whole(framed(&vec![0; 60_000]))).await.message().len()
    });
    fixture.expect_trace(Trace::Began).await;

    let mut other = client.clone();
    let refused = other.echo(&vec![0; 60_000]).await;
    assert_eq!(refused.status(), 8);
    assert!(refused.text().contains("limit 100000 bytes"), "{}", refused.text());
    assert_eq!(other.echo(&[0; 10_000]).await.message().len(), 10_000);
    assert_eq!(fixture.plane.statistics().refused_overload, 1);

    fixture.gate.add_permits(1);
    assert_eq!(held.await.unwrap(), 60_000);
    assert_eq!(other.echo(&vec![0; 60_000]).await.message().len(), 60_000);
    fixture.wait_empty().await;
}

#[tokio::test]
async fn promises_cost_nothing() {
    let fixture = Fixture::start(|options| options.buffered_bytes_max = 1_000_000);
    let client = Client::connect(fixture.grpc()).await;
    let mut senders = Vec::new();
    for _ in 0..100 {
        let (pieces, body) = piecemeal();
        pieces.send(Bytes::from_static(b"\0\x7f\xff\xff\xff2 GiB to come")).unwrap();
        senders.push(pieces);
        let mut caller = client.clone();
        tokio::spawn(async move { caller.send("/test.Door/Echo", &[], body).await });
    }
    until(|| fixture.server.traffic().requests == 100).await;
    assert!(fixture.server.traffic().buffered_bytes < 1_000_000);
    assert_eq!(client.clone().echo(b"room for this").await.message(), b"room for this");
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_refused() {
    let fixture = Fixture::start(|options| options.buffered_bytes_max = 1_000_000);
    let mut client = Client::connect(fixture.grpc()).await;
    let body = whole(framed(&2_000_000_u32.to_be_bytes()));
    assert_eq!(client.call("/test.Door/Long", &[], body).await.status(), 8);
    fixture.wait_empty().await;
}

#[tokio::test]
async fn an_answer_that_its_client_does_not_take_is_given_up() {
    let fixture = Fixture::start(|options| options.patience.answer_idle = impatient());
    let mut client = Client::connect_with(fixture.grpc(), |builder| {
        builder.initial_stream_window_size(1_000);
    })
    .await;
    let body = whole(framed(&2_000_000_u32.to_be_bytes()));
    let response = client.send("/test.Door/Long", &[], body).await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    fixture.wait_empty().await;
    assert_eq!(client.echo(b"still here").await.message(), b"still here");
}
