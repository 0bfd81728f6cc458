//! The generator as a process, against a server that answers by script.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test may fail by panicking

mod server;

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use serde_json::{Value, json};
use server::{Reply, Script};
use tempfile::TempDir;

const PREDICT: &str = "/tensorflow.serving.PredictionService/Predict";
const DOORS: [&str; 2] = ["grpc", "rest"];

/// A generator with one protocol's usual arguments, and the folder of its files.
struct Generator {
    command: Command,
    folder: TempDir,
}

impl Generator {
    fn new(protocol: &str, address: SocketAddr) -> Self {
        let folder = TempDir::new().unwrap();
        let (body, path) =
            (folder.path().join("body"), if protocol == "grpc" { PREDICT } else { "/v1/models/m:predict" });
        fs::write(&body, "{}").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_understudy-loadgen"));
        command
            .args(["--protocol", protocol, "--path", path, "--address", &address.to_string(), "--body"])
            .arg(&body);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { command, folder }
    }

    fn args(mut self, arguments: &[&str]) -> Self {
        self.command.args(arguments);
        self
    }

    fn expecting(mut self, outputs: &Value) -> Self {
        let file = self.folder.path().join("expected.json");
        fs::write(&file, outputs.to_string()).unwrap();
        self.command.arg("--expect-output-by-version").arg(file);
        self
    }

    /// What takes turns with the request, as its file says it; each request with the body of the command line.
    fn beside(mut self, requests: &Value) -> Self {
        let file = self.folder.path().join("beside.json");
        fs::write(
            &file,
            requests.to_string().replace("BODY", &self.folder.path().join("body").to_string_lossy()),
        )
        .unwrap();
        self.command.arg("--beside").arg(file);
        self
    }

    /// A file with what a version answers.
    fn expectation(&self, version: i64) -> String {
        let file = self.folder.path().join(format!("expected-{version}.json"));
        fs::write(&file, json!({ version.to_string(): [version] }).to_string()).unwrap();
        file.to_string_lossy().into_owned()
    }

    async fn report(self) -> Value {
        let output = tokio::task::spawn_blocking(move || {
            let Self { mut command, folder } = self;
            let output = command.output().unwrap();
            drop(folder);
            output
        });
        parse(&output.await.unwrap())
    }
}

fn parse(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

async fn start(protocol: &str, script: Script) -> SocketAddr {
    server::start(protocol == "grpc", script).await.unwrap()
}

#[tokio::test]
async fn every_answer_is_counted_by_the_version_that_gave_it() {
    for door in DOORS {
        let address = start(door, |request| Reply::Version(if request < 30 { 1 } else { 2 })).await;
        let generator = Generator::new(door, address).expecting(&json!({"1": [1.0], "2": [2.0]}));
        let report = generator.args(&["--requests", "100", "--connections", "2"]).report().await;
        assert_eq!(
            (&report["ok"], &report["failed"], &report["mixed"]),
            (&json!(100), &json!(0), &json!(0)),
            "{door}"
        );
        assert_eq!(
            (&report["versions"]["1"]["count"], &report["versions"]["2"]["count"]),
            (&json!(30), &json!(70))
        );
        assert_eq!(report["stopped_by"], "requests");
        let answered: u64 =
            report["timeline"].as_array().unwrap().iter().map(|row| row["ok"].as_u64().unwrap()).sum();
        assert_eq!(answered, 100);
    }
}

#[tokio::test]
async fn an_answer_with_the_output_of_no_version_or_another_one_is_mixed() {
    let script: Script = |request| if request % 4 == 0 { Reply::Mixed(1, 7) } else { Reply::Version(1) };
    for door in DOORS {
        let generator =
            Generator::new(door, start(door, script).await).expecting(&json!({"1": [1.0], "2": [2.0]}));
        assert_eq!(generator.args(&["--requests", "20"]).report().await["mixed"], 5, "{door}");
    }
    let script: Script = |request| if request % 4 == 0 { Reply::Mixed(1, 2) } else { Reply::Version(1) };
    let generator =
        Generator::new("grpc", start("grpc", script).await).expecting(&json!({"1": [1.0], "2": [2.0]}));
    assert_eq!(generator.args(&["--requests", "20"]).report().await["mixed"], 5);
}

#[tokio::test]
async fn sides_take_turns_and_each_has_its_own_counts() {
    // The first turn is one side's, the next two the other's, and so on: every other round goes backwards.
    let script: Script = |request| Reply::Version(if matches!(request / 100 % 4, 0 | 3) { 1 } else { 2 });
    for (door, path) in [("grpc", PREDICT), ("rest", "/v1/models/other:predict")] {
        let generator = Generator::new(door, start(door, script).await);
        let [own, other] = [1, 2].map(|version| generator.expectation(version));
        let described = json!([{"path": path, "body": "BODY", "expect_output_by_version": other}]);
        let arguments = [
            "--turn-requests",
            "100",
            "--turn-warm-up",
            "10",
            "--requests",
            "450",
            "--streams-per-connection",
            "7",
        ];
        let generator = generator.beside(&described).args(&["--expect-output-by-version", &own]);
        let report = generator.args(&arguments).report().await;
        let [first, second] = [&report["sides"][0], &report["sides"][1]];
        assert_eq!((&first["ok"], &second["ok"]), (&json!(250), &json!(200)), "{door}: {report}");
        assert_eq!((&first["mixed"], &second["mixed"]), (&json!(0), &json!(0)), "{door}: {report}");
        let rounds = report["rounds_us"].as_array().unwrap();
        assert_eq!((rounds.len(), rounds[0].as_array().unwrap().len()), (2, 2), "only whole ones");
    }
}

#[tokio::test]
async fn requests_of_one_side_are_asked_one_after_the_other() {
    let script: Script = |request| Reply::Version(if request < 100 || request % 2 == 0 { 1 } else { 2 });
    let generator = Generator::new("grpc", start("grpc", script).await);
    let described: Vec<Value> = [1, 2]
        .map(|version| json!({"path": PREDICT, "body": "BODY", "expect_output_by_version": generator.expectation(version)}))
        .into();
    let generator = generator.beside(&json!(described));
    let report = generator
        .args(&["--turn-requests", "100", "--turn-warm-up", "0", "--requests", "300"])
        .report()
        .await;
    assert_eq!(
        (&report["sides"][1]["ok"], &report["sides"][1]["mixed"]),
        (&json!(200), &json!(0)),
        "{report}"
    );
}

#[tokio::test]
async fn sides_may_all_come_from_files() {
    let generator = Generator::new("grpc", start("grpc", |_| Reply::Version(1)).await);
    let file = generator.folder.path().join("side.json");
    let body = generator.folder.path().join("body");
    fs::write(&file, json!([{"path": PREDICT, "body": body}]).to_string()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_understudy-loadgen"));
    command.args([
        "--protocol",
        "grpc",
        "--requests",
        "400",
        "--turn-requests",
        "100",
        "--turn-warm-up",
        "0",
    ]);
    let address: Vec<_> =
        generator.command.get_args().skip_while(|each| *each != "--address").take(2).collect();
    command.args(address).arg("--beside").arg(&file).arg("--beside").arg(&file);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let report = parse(&output);
    assert_eq!((&report["sides"][0]["ok"], &report["sides"][1]["ok"]), (&json!(200), &json!(200)));
}

#[tokio::test]
async fn what_is_wrong_beside_is_said_with_its_file() {
    let address = "127.0.0.1:1".parse().unwrap();
    for (described, reason) in [
        (json!([]), "the number of its requests must be between 1 and 16"),
        (json!([{"body": "BODY"}]), "missing field `path`"),
        (json!([{"path": PREDICT, "boddy": "BODY"}]), "unknown field `boddy`"),
        (json!([{"path": "x", "body": "BODY"}]), "--path must be an absolute path"),
        (json!([{"path": PREDICT}]), "--body is needed for gRPC"),
    ] {
        let output = Generator::new("grpc", address).beside(&described).command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("beside.json: ") && said.contains(reason), "{said}");
    }
}

#[tokio::test]
async fn failures_are_counted_by_status_with_the_first_text() {
    for (door, status, name) in [("grpc", 14, "UNAVAILABLE"), ("rest", 503, "HTTP 503")] {
        let script: Script = match door {
            "grpc" => |request| if request < 3 { Reply::Status(14) } else { Reply::Version(1) },
            _ => |request| if request < 3 { Reply::Status(503) } else { Reply::Version(1) },
        };
        let report =
            Generator::new(door, start(door, script).await).args(&["--requests", "10"]).report().await;
        assert_eq!((&report["ok"], &report["failed"]), (&json!(7), &json!(3)), "{status}");
        assert_eq!(report["failures"][name], json!({"count": 3, "first": "as scripted"}));
    }
}

#[tokio::test]
async fn a_lost_connection_is_one_failure_and_a_new_connection() {
    let script: Script = |request| if request == 4 { Reply::Hangup } else { Reply::Version(1) };
    // gRPC loses the one stream, HTTP/1.1 the connection; both go on.
    for door in DOORS {
        let report =
            Generator::new(door, start(door, script).await).args(&["--requests", "10"]).report().await;
        assert_eq!((&report["ok"], &report["failed"]), (&json!(9), &json!(1)), "{door}");
        assert_eq!(report["failures"]["connection"]["count"], 1);
    }
}

#[tokio::test]
async fn an_answer_that_comes_too_late_is_a_timeout() {
    let script: Script =
        |request| if request == 0 { Reply::Late(Duration::from_hours(1)) } else { Reply::Version(1) };
    for door in DOORS {
        let generator = Generator::new(door, start(door, script).await);
        let report = generator.args(&["--requests", "3", "--timeout", "0.5"]).report().await;
        assert_eq!(
            (&report["ok"], &report["failures"]["timeout"]["count"]),
            (&json!(2), &json!(1)),
            "{door}"
        );
    }
}

#[tokio::test]
async fn in_the_open_loop_a_stall_delays_every_request_that_was_due_meanwhile() {
    // All 50 requests are due within 50 ms; the first one stalls for 300 ms, on the only stream there is.
    let script: Script =
        |request| if request == 0 { Reply::Late(Duration::from_millis(300)) } else { Reply::Version(1) };
    let generator =
        Generator::new("grpc", start("grpc", script).await).args(&["--requests", "50", "--rate", "1000"]);
    let kept = TempDir::new().unwrap();
    let record = kept.path().join("record.csv");
    let report = generator.args(&["--record", record.to_str().unwrap()]).report().await;
    assert_eq!((&report["ok"], &report["unsent"]), (&json!(50), &json!(0)));
    assert!(report["latency_us"]["p50"].as_f64().unwrap() >= 250_000.0, "{}", report["latency_us"]);
    let rows = read_record(&record);
    assert_eq!(rows.len(), 50);
    for (index, row) in rows.iter().enumerate() {
        assert_eq!(row[0], (index * 1000).to_string(), "due times do not shift");
        assert_eq!((row[2].as_str(), row[3].as_str()), ("ok", "1"));
    }
}

fn read_record(path: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

static ASKED: AtomicBool = AtomicBool::new(false);

/// Starts a run that would last a minute, and waits until the server has been asked something.
async fn start_long_run(stop_arguments: &[&str]) -> Child {
    ASKED.store(false, Ordering::SeqCst);
    let address = start("grpc", |_| {
        ASKED.store(true, Ordering::SeqCst);
        Reply::Version(1)
    });
    let mut generator =
        Generator::new("grpc", address.await).args(&["--duration", "60"]).args(stop_arguments);
    let child = generator.command.stdin(Stdio::piped()).spawn().unwrap();
    while !ASKED.load(Ordering::SeqCst) {
        tokio::task::yield_now().await;
    }
    child
}

#[tokio::test]
async fn a_signal_or_a_closed_standard_input_ends_the_run_with_a_report() {
    let child = start_long_run(&[]).await;
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    let report = parse(&tokio::task::spawn_blocking(|| child.wait_with_output().unwrap()).await.unwrap());
    assert_eq!((&report["stopped_by"], &report["failed"]), (&json!("signal"), &json!(0)));

    let child = start_long_run(&["--until-stdin-closes"]).await;
    let report = parse(&tokio::task::spawn_blocking(|| child.wait_with_output().unwrap()).await.unwrap());
    assert_eq!((&report["stopped_by"], &report["failed"]), (&json!("stdin"), &json!(0)));
}

#[tokio::test]
async fn nothing_to_connect_to_is_said_at_once() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let output = Generator::new("grpc", closed).command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot connect to"));
}

#[test]
fn an_address_off_this_machine_is_refused_as_wrong_use() {
    let output = Generator::new("rest", "192.0.2.1:80".parse().unwrap()).command.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("loopback"));
}
