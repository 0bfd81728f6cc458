//! Malformed and hostile bytes against a live server, by every way in: each case is answered, refused or cut as it
//! says, in bounded time and memory, and leaves nothing behind. The cases are data, in `cases/`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    missing_docs,
    unreachable_pub
)] // a test may panic, nobody imports it, and it uses some of what the tests of the doors share

#[path = "../doors/authority.rs"]
mod authority;
mod case;
mod run;
#[path = "../doors/support.rs"]
mod support;

use case::{Case, parse};
use run::{Way, World};

/// What the process may hold at the most while all cases run: far less than what the floods
/// send together, and than what a server without limits would hold.
const PEAK_BYTES_MAX: usize = 400 * 1024 * 1024;

const HTTP1: &str = include_str!("cases/http1.txt");
const HTTP2: &str = include_str!("cases/http2.txt");
const NO_TLS: &str = include_str!("cases/tls.txt");
const TLS: &str = include_str!("cases/plain.txt");

#[tokio::test]
async fn http1_at_the_rest_door() {
    play(HTTP1, Way::Rest).await;
}

#[tokio::test]
async fn http1_in_tls() {
    play(HTTP1, Way::RestTls).await;
}

#[tokio::test]
async fn http2_at_the_grpc_door() {
    play(HTTP2, Way::Grpc).await;
}

#[tokio::test]
async fn http2_at_the_unix_socket() {
    play(HTTP2, Way::GrpcUnix).await;
}

#[tokio::test]
async fn http2_in_tls() {
    play(HTTP2, Way::GrpcTls).await;
}

#[tokio::test]
async fn no_tls_where_it_is_asked_for() {
    tokio::join!(play(NO_TLS, Way::GrpcUnderTls), play(NO_TLS, Way::RestUnderTls));
}

#[tokio::test]
async fn tls_where_nobody_speaks_it() {
    play(TLS, Way::Grpc).await;
    play(TLS, Way::GrpcUnix).await;
    play(TLS, Way::Rest).await;
}

async fn play(text: &str, way: Way) {
    let cases: Vec<Case> = parse(text);
    let world = World::start(way);
    // A door must be empty after each of its cases, so it has them one after the other. The impatient door, whose
    // cases wait for a time to pass, has its own beside those of the patient one.
    let in_turn = async |impatient: bool| {
        let mut wrong = Vec::new();
        for case in cases.iter().filter(|case| case.impatient == impatient) {
            wrong.extend(run::play(&world, way, case).await);
        }
        wrong
    };
    let (patient, impatient) = tokio::join!(in_turn(false), in_turn(true));
    let wrong = [patient, impatient].concat();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let peak = peak_bytes();
    assert!(peak < PEAK_BYTES_MAX, "the process held {peak} bytes");
}

/// The most memory that this process has held.
fn peak_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}
