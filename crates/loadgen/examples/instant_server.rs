//! A server that answers at once: what the generator's own cost is measured against, beside h2load's and wrk's.
//!
//! `cargo run --release -p understudy-loadgen --example instant_server -- grpc` prints its address and serves
//! until its standard input closes.

#[allow(dead_code)] // most of the script is for the tests
#[path = "../tests/server/mod.rs"]
mod server;

use std::io;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let grpc = std::env::args().nth(1).as_deref() != Some("rest");
    println!("{}", server::start(grpc, |_| server::Reply::Version(1)).await?);
    tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink())).await??;
    Ok(())
}
