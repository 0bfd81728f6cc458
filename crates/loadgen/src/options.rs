//! The command line, and its limits: arguments become a [`Plan`], which needs no further checking.

use std::{net::IpAddr, net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Parser, ValueEnum};

use crate::{
    pace::Loop,
    question::{self, Description, Question, Side},
    turns::TurnLength,
};

const CONNECTIONS_MAX: usize = 4_096;
const STREAMS_PER_CONNECTION_MAX: usize = 1_024;
const CONCURRENCY_MAX: usize = 16_384;
const DURATION_S_MAX: f64 = 3_600.0;
const REQUESTS_MAX: u64 = 1_000_000_000;
const RATE_MAX: f64 = 1_000_000.0;
const TIMEOUT_S_MAX: f64 = 600.0;
const BUCKET_MS_MIN: u64 = 10;
const BUCKETS_MAX: u64 = 100_000;
const BESIDE_MAX: usize = 15;
/// Every turn's time is kept: at this least, and any rate that one thread can ask at, a million of them at most.
const TURN_REQUESTS_MIN: u64 = 100;
const TURN_REQUESTS_MAX: u64 = 1_000_000;

/// Which door is driven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protocol {
    /// HTTP/2 with gRPC's framing.
    Grpc,
    /// HTTP/1.1 with keep-alive.
    Rest,
}

/// Drives a server on this machine with one request over and over; prints one JSON report.
///
/// Ends after --duration, after --requests, on SIGTERM or SIGINT, or (with --until-stdin-closes) when standard
/// input closes; requests in flight are finished first, and the report is printed in every case.
#[derive(Debug, Parser)]
#[command(name = "understudy-loadgen", max_term_width = 100)]
pub(crate) struct Arguments {
    /// Which door to drive.
    #[arg(long, value_enum)]
    protocol: Protocol,
    /// HOST:PORT on the loopback interface; anything else is refused.
    #[arg(long)]
    address: String,
    /// What to ask for: `/tensorflow.serving.PredictionService/Predict`, `/v1/models/NAME:predict`.
    #[arg(long, required_unless_present = "beside")]
    path: Option<String>,
    /// File with the request: the serialized message for gRPC, the JSON text for REST (GET when left out).
    #[arg(long, requires = "path")]
    body: Option<PathBuf>,
    /// A header or gRPC metadata to send along, NAME=VALUE; may be given several times.
    #[arg(long, value_name = "NAME=VALUE", requires = "path")]
    header: Vec<String>,
    /// Connections to open.
    #[arg(long, default_value_t = 1)]
    connections: usize,
    /// Requests at once on each connection. HTTP/1.1 carries one, so REST opens connections * this many.
    #[arg(long, default_value_t = 1)]
    streams_per_connection: usize,
    /// File with what takes turns with the request described here, if there is one: a JSON list of requests, asked one after the
    /// other. Each is an object with `path`, `body`, `header` (a list) and `expect_output_by_version`, as the options
    /// of these names. May be given several times.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["rate", "record"])]
    beside: Vec<PathBuf>,
    /// Requests in each turn, with --beside. The next turn begins when the last of them is answered.
    #[arg(long, default_value_t = 1_000, requires = "beside")]
    turn_requests: u64,
    /// The first so many requests of a turn, whose time does not count: they pay for what another side left in the
    /// machine's caches.
    #[arg(long, default_value_t = 100, requires = "beside")]
    turn_warm_up: u64,
    /// Seconds to run at most.
    #[arg(long, default_value_t = 10.0)]
    duration: f64,
    /// Requests to send at most.
    #[arg(long)]
    requests: Option<u64>,
    /// Open loop: so many requests a second are due, and latency counts from when each was due, sent or not.
    #[arg(long)]
    rate: Option<f64>,
    /// Seconds after which a request is given up and counted as failed.
    #[arg(long, default_value_t = 10.0)]
    timeout: f64,
    /// Write one CSV row per answered request: `due_us,latency_us,outcome,version,mixed`.
    #[arg(long)]
    record: Option<PathBuf>,
    /// JSON object, version -> the floats it answers with; counts answers that fit no version, or the wrong one.
    #[arg(long, requires = "path")]
    expect_output_by_version: Option<PathBuf>,
    /// Width of the timeline's buckets, in milliseconds.
    #[arg(long, default_value_t = 1_000)]
    timeline_bucket_ms: u64,
    /// Add the whole latency histogram to the report: pairs of upper bound (microseconds) and count.
    #[arg(long)]
    histogram: bool,
    /// A line on standard error every second.
    #[arg(long)]
    progress: bool,
    /// Stop when standard input closes, so that the generator never outlives whoever started it.
    #[arg(long)]
    until_stdin_closes: bool,
}

/// What to do; valid by construction.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) protocol: Protocol,
    pub(crate) address: SocketAddr,
    /// All that is asked, by its number.
    pub(crate) questions: Vec<Question>,
    /// Which take turns where there are several; at least one.
    pub(crate) sides: Vec<Side>,
    pub(crate) turn: TurnLength,
    pub(crate) connections: usize,
    pub(crate) streams_per_connection: usize,
    pub(crate) duration: Duration,
    pub(crate) requests: u64,
    /// None: closed loop, each worker sends as soon as its last answer is there.
    pub(crate) rate: Option<f64>,
    pub(crate) timeout: Duration,
    pub(crate) record: Option<PathBuf>,
    pub(crate) timeline_bucket: Duration,
    pub(crate) histogram: bool,
    pub(crate) progress: bool,
    pub(crate) until_stdin_closes: bool,
}

impl Plan {
    /// What makes a request due.
    pub(crate) fn pace(&self) -> Loop {
        match (self.rate, self.sides.len()) {
            (Some(rate), _) => Loop::Open { rate },
            (None, 1) => Loop::Closed,
            (None, sides) => Loop::Turns { sides, length: self.turn },
        }
    }

    /// Checks every argument; the reason says which one is wrong and what is allowed.
    pub(crate) fn from_arguments(arguments: Arguments) -> Result<Self, String> {
        let concurrency = arguments.connections.saturating_mul(arguments.streams_per_connection);
        within("--connections", arguments.connections, 1, CONNECTIONS_MAX)?;
        within("--streams-per-connection", arguments.streams_per_connection, 1, STREAMS_PER_CONNECTION_MAX)?;
        within("--connections * --streams-per-connection", concurrency, 1, CONCURRENCY_MAX)?;
        within("--duration", arguments.duration, 0.001, DURATION_S_MAX)?;
        within("--timeout", arguments.timeout, 0.001, TIMEOUT_S_MAX)?;
        within("--requests", arguments.requests.unwrap_or(1), 1, REQUESTS_MAX)?;
        within("--rate", arguments.rate.unwrap_or(1.0), 0.01, RATE_MAX)?;
        within("the number of --beside", arguments.beside.len(), 0, BESIDE_MAX)?;
        within("--turn-requests", arguments.turn_requests, TURN_REQUESTS_MIN, TURN_REQUESTS_MAX)?;
        within("--turn-warm-up", arguments.turn_warm_up, 0, arguments.turn_requests - 1)?;
        let turn = TurnLength { requests: arguments.turn_requests, warm_up: arguments.turn_warm_up };
        let duration = Duration::from_secs_f64(arguments.duration);
        let own = arguments.path.map(|path| Description {
            path,
            body: arguments.body,
            header: arguments.header,
            expect_output_by_version: arguments.expect_output_by_version,
        });
        let (questions, sides) = question::number(sides(arguments.protocol, own, &arguments.beside)?);
        Ok(Self {
            protocol: arguments.protocol,
            address: loopback(&arguments.address)?,
            questions,
            sides,
            turn,
            connections: arguments.connections,
            streams_per_connection: arguments.streams_per_connection,
            duration,
            requests: arguments.requests.unwrap_or(REQUESTS_MAX),
            rate: arguments.rate,
            timeout: Duration::from_secs_f64(arguments.timeout),
            record: arguments.record,
            timeline_bucket: bucket(arguments.timeline_bucket_ms, duration)?,
            histogram: arguments.histogram,
            progress: arguments.progress,
            until_stdin_closes: arguments.until_stdin_closes,
        })
    }
}

/// The request of the command line, and those beside it.
fn sides(
    protocol: Protocol,
    own: Option<Description>,
    beside: &[PathBuf],
) -> Result<Vec<Vec<Question>>, String> {
    let read =
        |described: Vec<Description>| described.into_iter().map(|one| one.question(protocol)).collect();
    let others = beside.iter().map(|file| {
        Description::read(file)
            .and_then(read)
            .map_err(|reason| format!("--beside {}: {reason}", file.display()))
    });
    own.map(|own| read(vec![own])).into_iter().chain(others).collect()
}

/// The reason says what is allowed.
pub(crate) fn within<T: Copy + PartialOrd + std::fmt::Display>(
    name: &str,
    value: T,
    low: T,
    high: T,
) -> Result<(), String> {
    if value >= low && value <= high {
        return Ok(());
    }
    Err(format!("{name} must be between {low} and {high}, not {value}"))
}

/// The address, when it is on this machine; a load generator pointed elsewhere by mistake is an attack.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let literal =
        text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    let address: SocketAddr = literal
        .parse()
        .map_err(|_| format!("--address must be HOST:PORT such as 127.0.0.1:8500, not {text:?}"))?;
    let ip: IpAddr = address.ip();
    if ip.is_loopback() {
        return Ok(address);
    }
    Err(format!("--address must be on the loopback interface (127.0.0.1, [::1] or localhost), not {ip}"))
}

fn bucket(milliseconds: u64, duration: Duration) -> Result<Duration, String> {
    within("--timeline-bucket-ms", milliseconds, BUCKET_MS_MIN, BUCKETS_MAX)?;
    let buckets = duration.as_millis() / u128::from(milliseconds);
    if buckets <= u128::from(BUCKETS_MAX) {
        return Ok(Duration::from_millis(milliseconds));
    }
    Err(format!(
        "--timeline-bucket-ms is too narrow: --duration would fill {buckets} buckets, {BUCKETS_MAX} at most"
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test may fail by panicking

    use super::*;

    fn plan(extra: &[&str]) -> Result<Plan, String> {
        let usual = ["understudy-loadgen", "--protocol", "rest", "--path", "/v1/models/m"];
        Plan::from_arguments(Arguments::try_parse_from(usual.iter().chain(extra)).unwrap())
    }

    #[test]
    fn only_loopback_addresses_are_taken() {
        for good in ["127.0.0.1:80", "127.9.9.9:80", "[::1]:80", "localhost:80"] {
            assert!(plan(&["--address", good]).is_ok(), "{good}");
        }
        for bad in ["10.0.0.1:80", "0.0.0.0:80", "[2001:db8::1]:80"] {
            assert!(plan(&["--address", bad]).unwrap_err().contains("loopback"), "{bad}");
        }
        assert!(plan(&["--address", "example.org:80"]).unwrap_err().contains("HOST:PORT"));
    }

    #[test]
    fn every_limit_is_named_when_it_is_passed() {
        let cases: &[&[&str]] = &[
            &["--connections", "0"],
            &["--connections", "4097"],
            &["--streams-per-connection", "1025"],
            &["--duration", "3601"],
            &["--duration", "NaN"],
            &["--requests", "0"],
            &["--rate", "1e9"],
            &["--timeout", "601"],
            &["--timeline-bucket-ms", "9"],
            &["--turn-requests", "99", "--beside", "any"],
            &["--turn-warm-up", "1000", "--beside", "any"],
        ];
        for case in cases {
            let arguments: Vec<&str> = ["--address", "127.0.0.1:80"].iter().chain(*case).copied().collect();
            let reason = plan(&arguments).unwrap_err();
            assert!(reason.contains(case.first().unwrap()), "{reason}");
        }
    }

    #[test]
    fn headers_are_read_or_refused() {
        let with = |header| plan(&["--address", "127.0.0.1:80", "--header", header]);
        assert_eq!(
            with("X-Routing-Key=a=b").unwrap().questions[0].headers.get("x-routing-key").unwrap(),
            "a=b"
        );
        for bad in ["x-routing-key", "a b=c", "=c", "a=\n"] {
            assert!(with(bad).unwrap_err().contains("--header must be NAME=VALUE"), "{bad}");
        }
    }

    #[test]
    fn the_product_of_connections_and_streams_has_its_own_limit() {
        let reason =
            plan(&["--address", "127.0.0.1:80", "--connections", "4096", "--streams-per-connection", "5"]);
        assert!(reason.unwrap_err().contains("--connections * --streams-per-connection"));
    }

    #[test]
    fn a_long_run_needs_a_wide_enough_timeline() {
        let arguments = ["--address", "127.0.0.1:80", "--duration", "3600", "--timeline-bucket-ms", "10"];
        assert!(plan(&arguments).unwrap_err().contains("too narrow"));
    }
}
