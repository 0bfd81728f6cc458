//! TLS at both doors: who is let in, who is not, and certificates that are renewed while the server runs.

use crate::{
    authority::{Authority, connect, secure},
    support::{Client, Fixture, Trace, framed, impatient, soon, until, whole},
};
use dataplane::{
    error::Code,
    server::{
        socket_file::SocketFileOptions,
        tls::{Inside, Tls, TlsPem},
    },
};
use rustls::HandshakeKind;
use std::{io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
};
use tokio_rustls::TlsConnector;

/// An echo through the gRPC door, or that the connection was refused at any point of it.
async fn echo_over<IO>(connector: &TlsConnector, io: IO) -> Option<Vec<u8>>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stream = connect(connector, io).await.ok()?;
    let mut client = soon(Client::over(stream, |_| {})).await.ok()?;
    let response = client.send("/test.Door/Echo", &[], whole(framed(b"m"))).await.ok()?;
    Some(crate::support::Answer::read(response).await.message().to_vec())
}

async fn is_served(fixture: &Fixture, connector: &TlsConnector) -> bool {
    echo_over(connector, TcpStream::connect(fixture.grpc()).await.unwrap()).await.is_some()
}

/// What the REST door says to a request for a model that is not there.
async fn ask_rest(fixture: &Fixture, connector: &TlsConnector) -> io::Result<String> {
    let mut stream = connect(connector, TcpStream::connect(fixture.rest()).await.unwrap()).await?;
    stream.write_all(b"GET /v1/models/none HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").await?;
    let mut said = String::new();
    soon(stream.read_to_string(&mut said)).await?;
    Ok(said)
}

async fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut said = Vec::new();
    let _ = soon(stream.read_to_end(&mut said)).await;
    said
}

#[tokio::test]
async fn both_doors_and_the_socket_file_serve_clients_that_trust_the_certificate() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("grpc.sock");
    let fixture = Fixture::start(|options| {
        secure(options, &authority.server(None));
        options.grpc_socket = Some(SocketFileOptions { path: path.clone(), mode: None });
    });
    let client = authority.client("h2", None);
    let tcp = TcpStream::connect(fixture.grpc()).await.unwrap();
    assert_eq!(echo_over(&client, tcp).await.unwrap(), b"m");
    let unix = UnixStream::connect(&path).await.unwrap();
    assert_eq!(echo_over(&client, unix).await.unwrap(), b"m");
    for protocol in ["http/1.1", ""] {
        let said = ask_rest(&fixture, &authority.client(protocol, None)).await.unwrap();
        assert!(said.starts_with("HTTP/1.1 404 "), "{said}");
    }
    assert!(!is_served(&fixture, &Authority::new().client("h2", None)).await, "another authority");
    until(|| fixture.server.traffic().connections == 0).await;
}

#[tokio::test]
async fn a_large_message_travels_both_ways() {
    let authority = Authority::new();
    let fixture = Fixture::start(|options| secure(options, &authority.server(None)));
    let stream = TcpStream::connect(fixture.grpc()).await.unwrap();
    let stream = connect(&authority.client("h2", None), stream).await.unwrap();
    let mut client = Client::over(stream, |_| {}).await.unwrap();
    let message = vec![b'm'; 5_000_000];
    assert!(client.echo(&message).await.message() == message);
    drop(client);
    fixture.wait_empty().await;
}

#[tokio::test]
async fn grpc_is_served_only_to_clients_that_name_it_and_another_protocol_is_refused() {
    let authority = Authority::new();
    let fixture = Fixture::start(|options| secure(options, &authority.server(None)));
    for protocol in ["", "http/1.1"] {
        assert!(!is_served(&fixture, &authority.client(protocol, None)).await, "{protocol:?}");
    }
    assert!(ask_rest(&fixture, &authority.client("h2", None)).await.is_err());
    assert!(is_served(&fixture, &authority.client("h2", None)).await);
}

#[tokio::test]
async fn a_client_needs_a_valid_certificate_of_the_authority_that_was_named() {
    let (servers, clients, others) = (Authority::new(), Authority::new(), Authority::new());
    let fixture = Fixture::start(|options| secure(options, &servers.server(Some(&clients))));
    let refused = [
        ("none", None),
        ("of another authority", Some(others.sign_valid())),
        ("of the server's authority", Some(servers.sign_valid())),
        ("expired", Some(clients.sign((2000, 2001)))),
        ("not valid yet", Some(clients.sign((2900, 2999)))),
    ];
    for (name, own) in &refused {
        assert!(!is_served(&fixture, &servers.client("h2", own.as_ref())).await, "{name}");
        let said = ask_rest(&fixture, &servers.client("http/1.1", own.as_ref())).await;
        assert!(!said.is_ok_and(|said| said.contains("HTTP/1.1")), "{name}");
    }
    let right = clients.sign_valid();
    assert!(is_served(&fixture, &servers.client("h2", Some(&right))).await);
    let said = ask_rest(&fixture, &servers.client("http/1.1", Some(&right))).await.unwrap();
    assert!(said.starts_with("HTTP/1.1 404 "), "{said}");
    until(|| fixture.server.traffic().connections == 0).await;
}

#[tokio::test]
async fn a_client_without_tls_is_told_so_and_garbage_is_cut() {
    let authority = Authority::new();
    let fixture = Fixture::start(|options| secure(options, &authority.server(None)));
    for address in [fixture.grpc(), fixture.rest()] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /v1/models/m HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
        let said = String::from_utf8(read_to_end(&mut stream).await).unwrap();
        let (head, body) = said.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 400 "), "{said}");
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{said}");
        assert!(body.contains("TLS"), "{said}");

        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&[&[0x16, 3, 1, 0xff, 0xff], &vec![7; 70_000][..]].concat()).await.unwrap();
        read_to_end(&mut stream).await;
    }
    assert!(is_served(&fixture, &authority.client("h2", None)).await);
    until(|| fixture.server.traffic().connections == 0).await;
}

#[tokio::test]
async fn a_handshake_that_stops_is_closed_and_meanwhile_others_are_served() {
    let authority = Authority::new();
    let fixture = Fixture::start(|options| secure(options, &authority.server(None)));
    let impatient = Fixture::start(|options| {
        secure(options, &authority.server(None));
        options.patience.head = impatient();
    });
    for beginning in [&b""[..], b"\x16", b"\x16\x03\x01\x00\xff\x01\x00\x00\xfb\x03\x03"] {
        for (address, fixture) in [(fixture.grpc(), &fixture), (fixture.rest(), &fixture)] {
            let mut silent = TcpStream::connect(address).await.unwrap();
            silent.write_all(beginning).await.unwrap();
            until(|| fixture.server.traffic().connections == 1).await;
            assert!(is_served(fixture, &authority.client("h2", None)).await);
            drop(silent);
            until(|| fixture.server.traffic().connections == 0).await;
        }
        let mut silent = TcpStream::connect(impatient.grpc()).await.unwrap();
        silent.write_all(beginning).await.unwrap();
        read_to_end(&mut silent).await;
    }
    until(|| impatient.server.traffic().connections == 0).await;
}

#[tokio::test]
async fn handshakes_count_as_connections() {
    let authority = Authority::new();
    let fixture = Fixture::start(|options| {
        secure(options, &authority.server(None));
        options.connections_max = 1;
    });
    let silent = TcpStream::connect(fixture.grpc()).await.unwrap();
    until(|| fixture.server.traffic().connections == 1).await;
    assert!(!is_served(&fixture, &authority.client("h2", None)).await);
    assert_eq!(fixture.server.traffic().connections_refused, 1);
    drop(silent);
    until(|| fixture.server.traffic().connections == 0).await;
    assert!(is_served(&fixture, &authority.client("h2", None)).await);
}

#[tokio::test]
async fn an_end_in_good_order_closes_tls_and_waits_for_no_handshake() {
    let authority = Authority::new();
    let mut fixture = Fixture::start(|options| secure(options, &authority.server(None)));
    let stream = TcpStream::connect(fixture.grpc()).await.unwrap();
    let stream = connect(&authority.client("h2", None), stream).await.unwrap();
    let mut client = Client::over(stream, |_| {}).await.unwrap();
    let call = tokio::spawn(async move { client.call("/test.Door/Gated", &[], whole(framed(b"m"))).await });
    fixture.expect_trace(Trace::Began).await;
    let mut idle =
        connect(&authority.client("http/1.1", None), TcpStream::connect(fixture.rest()).await.unwrap())
            .await
            .unwrap();
    let _silent = TcpStream::connect(fixture.grpc()).await.unwrap();
    until(|| fixture.server.traffic().connections == 3).await;

    let gate = Arc::clone(&fixture.gate);
    let shutdown = tokio::spawn(async move { fixture.server.shutdown(Duration::from_mins(10)).await });
    // A connection that is cut ends with an error here; one that is closed says so.
    assert_eq!(soon(idle.read(&mut [0; 1])).await.unwrap(), 0);
    gate.add_permits(1);
    assert_eq!(soon(call).await.unwrap().message(), b"m");
    assert_eq!(soon(shutdown).await.unwrap(), 0);
}

#[tokio::test]
async fn renewed_certificates_hold_for_the_next_handshake_and_leave_connections_alone() {
    let (before, after) = (Authority::new(), Authority::new());
    let tls = Arc::new(Tls::new(Inside::Http2, &before.server(None)).unwrap());
    let fixture = Fixture::start(|options| options.grpc_tls = Some(Arc::clone(&tls)));
    let stream = TcpStream::connect(fixture.grpc()).await.unwrap();
    let stream = connect(&before.client("h2", None), stream).await.unwrap();
    let mut client = Client::over(stream, |_| {}).await.unwrap();
    assert_eq!(client.echo(b"m").await.message(), b"m");

    let renewal = tls.prepare(&after.server(Some(&after))).unwrap();
    assert!(is_served(&fixture, &before.client("h2", None)).await, "not yet");
    tls.renew(renewal);
    assert!(!is_served(&fixture, &before.client("h2", None)).await);
    assert!(!is_served(&fixture, &after.client("h2", None)).await, "clients are asked now");
    assert!(is_served(&fixture, &after.client("h2", Some(&after.sign_valid()))).await);
    assert_eq!(client.echo(b"still here").await.message(), b"still here");
}

#[tokio::test]
async fn a_session_of_before_a_renewal_is_not_resumed() {
    let authority = Authority::new();
    let tls = Arc::new(Tls::new(Inside::Http2, &authority.server(None)).unwrap());
    let fixture = Fixture::start(|options| options.grpc_tls = Some(Arc::clone(&tls)));
    let client = authority.client("h2", None);
    assert!(is_served(&fixture, &client).await, "it takes a session along");
    let again = connect(&client, TcpStream::connect(fixture.grpc()).await.unwrap()).await.unwrap();
    assert_eq!(again.get_ref().1.handshake_kind(), Some(HandshakeKind::Resumed));
    tls.renew(tls.prepare(&authority.server(Some(&authority))).unwrap());
    assert!(!is_served(&fixture, &client).await, "it has no certificate");
}

#[test]
fn certificates_that_cannot_be_used_are_refused_with_the_reason() {
    let authority = Authority::new();
    let good = authority.server(Some(&authority));
    assert!(Tls::new(Inside::Http2, &good).is_ok());
    let cases = [
        (TlsPem { certificates: vec![], ..good.clone() }, "the server certificate holds no certificate"),
        (TlsPem { certificates: good.key.clone(), ..good.clone() }, "the server certificate holds no"),
        (TlsPem { key: vec![], ..good.clone() }, "the server key is no private key in PEM"),
        (TlsPem { key: good.certificates.clone(), ..good.clone() }, "the server key is no private key"),
        (TlsPem { key: authority.server(None).key, ..good.clone() }, "does not belong to the certificate"),
        (TlsPem { client_ca: Some(vec![]), ..good.clone() }, "the CA for clients holds no certificate"),
        (
            TlsPem {
                certificates: b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----".to_vec(),
                ..good
            },
            "the server certificate is no PEM",
        ),
    ];
    for (pem, reason) in cases {
        let error = Tls::new(Inside::Http2, &pem).unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument);
        assert!(error.message.contains(reason), "{error}: {reason}");
        assert!(!format!("{pem:?}").contains("PRIVATE"), "{pem:?}");
    }
}
