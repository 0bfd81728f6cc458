//! Messages that are compressed.

use crate::support::{Client, Fixture, framed, framed_with_flag, whole};
use flate2::{
    Compression,
    write::{GzEncoder, ZlibEncoder},
};
use std::io::Write;

fn gzip(message: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(message).unwrap();
    encoder.finish().unwrap()
}

fn deflate(message: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(message).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn gzip_and_deflate_are_understood() {
    let fixture = Fixture::start(|_| {});
    let mut client = Client::connect(fixture.grpc()).await;
    let message = vec![b'm'; 3_000_000];
    for (encoding, compressed) in [("gzip", gzip(&message)), ("deflate", deflate(&message))] {
        let body = whole(framed_with_flag(1, &compressed));
        let answer = client.call("/test.Door/Echo", &[("grpc-encoding", encoding)], body).await;
        assert!(answer.message() == message, "{encoding}");
    }
    fixture.wait_empty().await;
}

#[tokio::test]
async fn a_message_may_be_sent_as_it_is_in_spite_of_its_encoding() {
    let fixture = Fixture::start(|_| {});
    let mut client = Client::connect(fixture.grpc()).await;
    for encoding in ["identity", "gzip"] {
        let headers = [("grpc-encoding", encoding)];
        let answer = client.call("/test.Door/Echo", &headers, whole(framed(b"m"))).await;
        assert_eq!(answer.message(), b"m");
    }
}

#[tokio::test]
async fn an_unknown_encoding_is_unimplemented_with_a_list_of_those_known() {
    let fixture = Fixture::start(|_| {});
    let mut client = Client::connect(fixture.grpc()).await;
    let body = whole(framed_with_flag(1, b"m"));
    let answer = client.call("/test.Door/Echo", &[("grpc-encoding", "zstd")], body).await;
    assert_eq!(answer.status(), 12);
    assert_eq!(answer.headers["grpc-accept-encoding"], "identity,deflate,gzip");
}

#[tokio::test]
async fn a_message_that_expands_too_far_is_refused_for_its_size_or_for_the_budget() {
    let bomb = gzip(&vec![0; 50_000_000]);
    let limited = Fixture::start(|options| options.message_bytes_max = 1_000_000);
    let budgeted = Fixture::start(|options| options.buffered_bytes_max = 1_000_000);
    for fixture in [limited, budgeted] {
        let mut client = Client::connect(fixture.grpc()).await;
        let body = whole(framed_with_flag(1, &bomb));
        let answer = client.call("/test.Door/Echo", &[("grpc-encoding", "gzip")], body).await;
        assert_eq!(answer.status(), 8);
        fixture.wait_empty().await;
    }
}

#[tokio::test]
async fn a_message_that_cannot_be_expanded_is_an_internal_error() {
    let fixture = Fixture::start(|_| {});
    let mut client = Client::connect(fixture.grpc()).await;
    let body = whole(framed_with_flag(1, b"not compressed"));
    let answer = client.call("/test.Door/Echo", &[("grpc-encoding", "gzip")], body).await;
    assert_eq!(answer.status(), 13);
}
