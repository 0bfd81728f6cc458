//! gRPC on a UNIX socket: its file, who may connect, and what is there already.

use crate::support::{Client, Fixture, limits, soon, until};
use dataplane::{
    error::{Code, Error},
    plane::Plane,
    server::{Server, ServerOptions, socket_file::SocketFileOptions},
};
use std::{
    fs,
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    runtime::Handle,
};

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("grpc.sock");
    (folder, path)
}

/// A server that listens on this file alone.
fn start(path: &Path, mode: Option<u32>) -> Result<Server, Error> {
    let options = ServerOptions {
        grpc_socket: Some(SocketFileOptions { path: path.to_owned(), mode }),
        ..ServerOptions::default()
    };
    Server::start(Arc::new(Plane::new(limits()).unwrap()), &options, &Handle::current())
}

async fn connects(path: &Path) -> bool {
    UnixStream::connect(path).await.is_ok()
}

#[tokio::test]
async fn calls_are_answered_on_the_socket_and_beside_it() {
    let (_folder, path) = place();
    let fixture = Fixture::start(|options| {
        options.grpc_socket = Some(SocketFileOptions { path: path.clone(), mode: None });
    });
    let stream = UnixStream::connect(&path).await.unwrap();
    let mut client = Client::over(stream, |_| {}).await.unwrap();
    assert_eq!(client.echo(b"m").await.message(), b"m");
    assert_eq!(Client::connect(fixture.grpc()).await.echo(b"m").await.message(), b"m");
    drop(client);
    until(|| fixture.server.traffic().connections == 0).await;
}

#[tokio::test]
async fn a_client_that_names_the_sockets_path_as_authority_is_served_as_often_as_it_likes() {
    let (_folder, path) = place();
    let _fixture = Fixture::start(|options| {
        options.grpc_socket = Some(SocketFileOptions { path: path.clone(), mode: None });
    });
    let mut stream = UnixStream::connect(&path).await.unwrap();
    // POST, http, a path, application/grpc; the authority is put into the table, and then taken from there.
    let before = b"\x83\x86\x04\x05/None";
    let after = b"\x0f\x10\x10application/grpc";
    let first = [&before[..], b"\x41\x0a%2Ftmp%2Fs", after].concat();
    let again = [&before[..], b"\xbe", after].concat();
    let mut sent = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    for (call, headers) in [(1, &first), (3, &again), (5, &again)] {
        let length = u8::try_from(headers.len()).unwrap();
        sent.extend([0, 0, length, 1, 5, 0, 0, 0, call]);
        sent.extend(headers);
    }
    stream.write_all(&sent).await.unwrap();
    let mut answered = Vec::new();
    while answered.len() < 3 {
        let mut head = [0; 9];
        soon(stream.read_exact(&mut head)).await.unwrap();
        let [a, b, c, kind, _, _, _, _, call] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        soon(stream.read_exact(&mut payload)).await.unwrap();
        assert!(kind != 3 && kind != 7, "call {call} was reset, or all of them: {payload:?}");
        if kind == 1 {
            answered.push(call);
        }
    }
    answered.sort_unstable();
    assert_eq!(answered, [1, 3, 5]);
}

#[tokio::test]
async fn the_file_has_the_mode_that_was_asked_for_and_goes_with_the_server() {
    let (_folder, path) = place();
    let server = start(&path, Some(0o640)).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o640);
    assert!(connects(&path).await);
    assert_eq!(server.shutdown(Duration::from_secs(5)).await, 0);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_leftover_is_replaced_and_a_server_that_listens_is_not() {
    let (_folder, path) = place();
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let first = start(&path, None).unwrap();
    assert!(connects(&path).await);

    let error = start(&path, None).unwrap_err();
    assert_eq!(error.code, Code::Unavailable);
    assert!(error.message.contains("another process listens on it"), "{error}");
    assert!(error.message.contains("for gRPC"), "{error}");
    assert!(connects(&path).await, "the first one still listens");
    drop(first);
}

#[tokio::test]
async fn what_is_no_socket_is_never_touched() {
    let (folder, path) = place();
    fs::write(&path, "somebody's file").unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    for taken in [&path, &link, &folder.path().to_owned()] {
        let error = start(taken, None).unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument, "{error}");
        assert!(error.message.contains("is no socket"), "{error}");
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "somebody's file");
}

#[tokio::test]
async fn a_path_that_cannot_be_is_refused_with_the_reason() {
    let (folder, _) = place();
    let long = start(&folder.path().join("x".repeat(200)), None).unwrap_err();
    assert_eq!(long.code, Code::InvalidArgument, "{long}");
    let nowhere = start(&folder.path().join("nowhere/grpc.sock"), None).unwrap_err();
    assert_eq!(nowhere.code, Code::Unavailable);
    assert!(nowhere.message.contains("No such file"), "{nowhere}");
}

#[tokio::test]
async fn a_socket_that_another_server_put_there_meanwhile_stays() {
    let (_folder, path) = place();
    let server = start(&path, None).unwrap();
    fs::remove_file(&path).unwrap();
    let other = UnixListener::bind(&path).unwrap();
    server.shutdown(Duration::from_secs(5)).await;
    assert!(path.exists());
    drop(other);
}
