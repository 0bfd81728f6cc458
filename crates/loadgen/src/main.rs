//! `understudy-loadgen`: drives a server on this machine with one request over and over, or with several that
//! take turns, and reports what came back as one JSON object on stdout.
//!
//! One thread does everything: it shares the machine with the server it measures, so a core of its own would be
//! a core taken away. Nothing here knows about rollouts or versions beyond counting which one answered.

mod answers;
mod client;
mod cost;
mod expectations;
mod grpc;
mod latencies;
mod options;
mod pace;
mod question;
mod report;
mod rest;
mod run;
mod stop;
mod tally;
mod timeline;
mod turns;

use std::process::ExitCode;

use clap::Parser;

use crate::{options::Arguments, options::Plan};

/// What shells and scripts read as "used wrongly", as clap itself exits.
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    let plan = match Plan::from_arguments(Arguments::parse()) {
        Ok(plan) => plan,
        Err(reason) => return fail(EXIT_USAGE, &reason),
    };
    match drive(plan) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(reason) => fail(1, &reason),
    }
}

fn drive(plan: Plan) -> Result<serde_json::Value, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start: {error}"))?;
    runtime.block_on(run::run(plan))
}

fn fail(code: u8, reason: &str) -> ExitCode {
    eprintln!("understudy-loadgen: {reason}");
    ExitCode::from(code)
}
