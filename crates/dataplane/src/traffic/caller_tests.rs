//! What is read from a request's metadata, and what is not.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test may panic

use super::*;
use crate::traffic::KEY_BYTES_MAX;
use std::{collections::HashSet, thread};

const KEY: HeaderName = HeaderName::from_static("x-routing-key");

fn caller(headers: &[(HeaderName, &[u8])]) -> Caller {
    let value = |bytes: &[u8]| HeaderValue::from_bytes(bytes).unwrap();
    let mut map = HeaderMap::new();
    for (name, bytes) in headers {
        map.append(name, value(bytes));
    }
    map.into()
}

#[test]
fn the_first_value_of_the_header_is_the_key() {
    assert_eq!(caller(&[(KEY, b"a"), (KEY, b"b")]).look(&KEY).key, Some(&b"a"[..]));
    assert_eq!(caller(&[(KEY, "Zoë".as_bytes())]).look(&KEY).key, Some("Zoë".as_bytes()));
    assert_eq!(caller(&[]).look(&KEY).key, None);
}

#[test]
fn what_is_empty_or_longer_than_a_key_is_none() {
    let long = vec![b'k'; KEY_BYTES_MAX + 1];
    assert_eq!(caller(&[(KEY, b"")]).look(&KEY).key, None);
    assert_eq!(caller(&[(KEY, &long)]).look(&KEY).key, None);
    assert_eq!(caller(&[(KEY, &long[1..])]).look(&KEY).key, Some(&long[1..]));
}

#[test]
fn who_wants_to_know_why_sends_a_header_whatever_its_value() {
    for (headers, asks) in [(&[(EXPLAIN, &b""[..]), (KEY, b"a")][..], true), (&[(KEY, b"a")], false)] {
        assert_eq!(caller(headers).look(&KEY), Look { key: Some(b"a"), asks_why: asks });
    }
    let own_name = caller(&[(EXPLAIN, b"a")]);
    assert_eq!(
        own_name.look(&EXPLAIN),
        Look { key: Some(b"a"), asks_why: false },
        "a key, where the model calls it so"
    );
}

#[test]
fn a_version_is_a_number_or_an_error() {
    assert_eq!(caller(&[]).version(), Ok(None));
    assert_eq!(caller(&[(VERSION, b"3")]).version(), Ok(Some(3)));
    for text in ["", "three", "-1", "1.0", "9223372036854775808", "\u{663}"] {
        let error = caller(&[(VERSION, text.as_bytes())]).version().unwrap_err();
        assert_eq!(error.code, crate::error::Code::InvalidArgument, "{text}");
    }
}

#[test]
fn a_callers_request_id_is_kept_if_it_can_be_given_back() {
    let given = |id: &[u8]| caller(&[(REQUEST_ID, id)]).request_id().as_str().to_owned();
    assert_eq!(given(b"req/42:a"), "req/42:a");
    let long = [b'a'; REQUEST_ID_BYTES_MAX + 1];
    assert_eq!(given(&long[1..]).len(), REQUEST_ID_BYTES_MAX);
    for replaced in [&b""[..], b"a b", &long, "Zoë".as_bytes()] {
        let made = given(replaced);
        assert!(made.len() == 32 && made.bytes().all(|byte| byte.is_ascii_hexdigit()), "{made}");
    }
}

#[test]
fn no_id_takes_a_place_in_a_connections_table_of_headers() {
    let own = caller(&[(REQUEST_ID, b"order/42")]).request_id();
    assert!(own.value().is_sensitive() && RequestId::make().value().is_sensitive());
}

#[test]
fn no_two_ids_that_are_made_are_alike() {
    let some = || (0..1_000).map(|_| RequestId::make().as_str().to_owned()).collect::<Vec<_>>();
    let threads: Vec<_> = (0..4).map(|_| thread::spawn(some)).collect();
    let made: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    assert_eq!(made.iter().collect::<HashSet<_>>().len(), made.len());
}
