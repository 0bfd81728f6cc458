//! What a call must look like.

use crate::support::{Client, Fixture, framed, framed_with_flag, piecemeal, soon, whole};
use bytes::Bytes;
use http::Request;

#[tokio::test]
async fn a_message_comes_back_whole_whatever_its_size() {
    let fixture = Fixture::start(|_| {});
    let mut client = Client::connect(fixture.grpc()).await;
    for size in [0, 1, 11, 16_379, 16_380, 1_000_000, 10_000_000] {
        let message = vec![b'm'; size];
        assert!(client.echo(&message).await.message() == message, "{size}");
    }
    fixture.wait_empty().await;
}

#[tokio::test]
async fn a_message_may_arrive_in_any_pieces() {
    let fixture = Fixture::start(|_| {});
    let mut client = Client::connect(fixture.grpc()).await;
    let (pieces, body) = piecemeal();
    for byte in framed(b"in pieces") {
        pieces.send(Bytes::copy_from_slice(&[byte])).unwrap();
    }
    drop(pieces);
    assert_eq!(client.call("/test.Door/Echo", &[], body).await.message(), b"in pieces");
}

#[tokio::test]
async fn a_broken_frame_is_refused_with_grpcs_own_code_and_the_connection_lives_on() {
    let fixture = Fixture::start(|options| options.message_bytes_max = 100);
    let mut client = Client::connect(fixture.grpc()).await;
    let two = [framed(b"one"), framed(b"two")].concat();
    let cases: [(&str, Bytes, i32, &str); 8] = [
        ("none", Bytes::new(), 12, "none was sent"),
        ("half a prefix", Bytes::from_static(b"\0\0"), 13, "Truncated message"),
        ("half a message", framed(b"message").slice(..8), 13, "Truncated message"),
        ("two", two.into(), 12, "more were sent"),
        ("a flag", framed_with_flag(2, b"message"), 13, "Bad gRPC frame type 0x02"),
        ("a flag for nothing", framed_with_flag(1, b"message"), 13, "no grpc-encoding"),
        ("too long", framed(&[0; 101]), 8, "Received message larger than max (101 vs. 100)"),
        ("a promise", Bytes::from_static(b"\0\xff\xff\xff\xff"), 8, "(4294967295 vs. 100)"),
    ];
    for (name, body, status, text) in cases {
        let answer = client.call("/test.Door/Echo", &[], whole(body)).await;
        assert_eq!(answer.status(), status, "{name}");
        assert!(answer.text().contains(text), "{name}: {}", answer.text());
        assert_eq!(client.echo(b"still here").await.message(), b"still here");
    }
    fixture.wait_empty().await;
}

#[tokio::test]
async fn a_message_too_long_is_refused_before_it_is_sent() {
    let fixture = Fixture::start(|options| options.message_bytes_max = 1_000);
    let mut client = Client::connect(fixture.grpc()).await;
    let (pieces, body) = piecemeal();
    pieces.send(Bytes::from_static(b"\0\0\x10\0\0only the beginning")).unwrap();
    let answer = client.call("/test.Door/Echo", &[], body).await;
    assert_eq!((answer.status(), answer.http_status.as_u16()), (8, 200));
    soon(pieces.closed()).await;
}

#[tokio::test]
async fn an_unknown_method_is_unimplemented_and_named() {
    let fixture = Fixture::start(|_| {});
    let mut client = Client::connect(fixture.grpc()).await;
    for method in ["/test.Door/None", "/", "/grpc.health.v1.Health/None"] {
        let answer = client.call(method, &[], whole(framed(b""))).await;
        assert_eq!(answer.status(), 12);
        assert_eq!(answer.text(), format!("Unknown method {method}"));
    }
}

#[tokio::test]
async fn what_is_not_grpc_is_told_so_in_http() {
    let fixture = Fixture::start(|_| {});
    let mut client = Client::connect(fixture.grpc()).await;
    let uri = format!("http://{}/test.Door/Echo", fixture.grpc());
    let post = |content_type: &str| Request::post(&uri).header("content-type", content_type);
    let cases = [
        (post("application/json"), 415),
        (post("application/grpc-web+proto"), 415),
        (Request::post(&uri), 415),
        (Request::get(&uri), 405),
        (Request::put(&uri).header("content-type", "application/grpc"), 405),
    ];
    for (request, status) in cases {
        let response = client.send_request(request.body(whole(framed(b"m"))).unwrap()).await.unwrap();
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.headers().contains_key("allow"), status == 405);
    }
    let request = post("application/grpc+proto").body(whole(framed(b"m"))).unwrap();
    assert_eq!(client.send_request(request).await.unwrap().status().as_u16(), 200);
}

#[tokio::test]
async fn an_error_is_a_status_alone_its_text_encoded_and_cut() {
    let fixture = Fixture::start(|_| {});
    let mut client = Client::connect(fixture.grpc()).await;
    let answer = client.call("/test.Door/Fail", &[], whole(framed("50 %\nÄ".as_bytes()))).await;
    assert_eq!((answer.status(), answer.text()), (15, "50 %25%0A%C3%84"));
    assert_eq!(answer.headers["content-type"], "application/grpc");
    assert!(answer.trailers.is_empty() && answer.body.is_empty(), "the status is in the head");

    for (sent, expected) in [
        ("x".repeat(1_024), "x".repeat(1_024)),
        ("x".repeat(1_025), format!("{}...TRUNCATED", "x".repeat(1_024))),
        (format!("{}Ä", "x".repeat(1_023)), format!("{}...TRUNCATED", "x".repeat(1_023))),
    ] {
        let answer = client.call("/test.Door/Fail", &[], whole(framed(sent.as_bytes()))).await;
        assert_eq!(answer.text(), expected);
    }
}

#[tokio::test]
async fn a_call_that_goes_well_says_so_in_its_trailers() {
    let fixture = Fixture::start(|_| {});
    let mut client = Client::connect(fixture.grpc()).await;
    let answer = client.echo(b"m").await;
    assert_eq!(answer.headers["content-type"], "application/grpc");
    assert!(!answer.headers.contains_key("grpc-status"));
    assert_eq!(answer.trailers["grpc-status"], "0");
}

#[tokio::test]
async fn headers_past_their_limit_refuse_the_call_and_not_the_connection() {
    let fixture = Fixture::start(|_| {});
    let mut client = Client::connect(fixture.grpc()).await;
    let long = "x".repeat(20_000);
    let response = client.send("/test.Door/Echo", &[("x-long", &long)], whole(framed(b"m"))).await;
    assert_eq!(response.unwrap().status().as_u16(), 431);
    assert_eq!(client.echo(b"still here").await.message(), b"still here");
}
