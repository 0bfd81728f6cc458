//! The report: one JSON object; times in microseconds unless a name says otherwise.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::{Map, Value, json};

use crate::{
    cost::ThreadCost,
    latencies::{lossy, rounded},
    options::Plan,
    question::Side,
    stop::StoppedBy,
    tally::Tally,
};

/// What is known besides the counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances {
    pub(crate) started_at: SystemTime,
    pub(crate) stopped_by: StoppedBy,
    pub(crate) unsent: u64,
    pub(crate) cost: Option<ThreadCost>,
}

/// Everything that a run found: of one request, or side by side of those that took turns, with how long each turn
/// took, round by round.
pub(crate) fn report(
    plan: &Plan,
    tallies: &[Tally],
    rounds: Option<Vec<Vec<Duration>>>,
    circumstances: Circumstances,
) -> Value {
    let requests = tallies.iter().map(requests).sum();
    let started = circumstances.started_at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut report = Map::new();
    let mut add = |name: &str, value: Value| report.insert(name.to_owned(), value);
    add("concurrency", json!(plan.connections * plan.streams_per_connection));
    add("started_at_unix_ms", json!(u64::try_from(started.as_millis()).unwrap_or(u64::MAX)));
    add("stopped_by", json!(circumstances.stopped_by.to_string()));
    add("unsent", json!(circumstances.unsent));
    add("generator", cost(circumstances.cost, requests));
    let mut sides = plan.sides.iter().zip(tallies).map(|(side, tally)| found(plan, side, tally));
    if let Some(rounds) = rounds {
        add("turn_requests", json!(plan.turn.requests));
        add("turn_warm_up", json!(plan.turn.warm_up));
        add("sides", sides.collect());
        let microseconds = |round: Vec<Duration>| -> Value { round.into_iter().map(in_us).collect() };
        add("rounds_us", rounds.into_iter().map(microseconds).collect());
    } else if let (Some(Value::Object(found)), Some(tally)) = (sides.next(), tallies.first()) {
        report.extend(found);
        report.extend(over_time(tally));
    }
    Value::Object(report)
}

fn requests(tally: &Tally) -> u64 {
    tally.ok + tally.failed
}

/// What came back.
fn found(plan: &Plan, side: &Side, tally: &Tally) -> Value {
    let is_expected = side.of(&plan.questions).iter().any(|question| question.expectations.is_some());
    let mut found = json!({
        "requests": requests(tally),
        "ok": tally.ok,
        "failed": tally.failed,
        "failures": failures(tally),
        "latency_us": tally.latencies.report(),
        "send_lag_us": tally.lags.report(),
        "versions": versions(tally),
        "mixed": is_expected.then_some(tally.mixed),
    });
    if let (true, Some(found)) = (plan.histogram, found.as_object_mut()) {
        found.insert("latency_histogram_us".to_owned(), tally.latencies.buckets());
    }
    found
}

/// When it came.
fn over_time(tally: &Tally) -> Map<String, Value> {
    let elapsed_s = tally.elapsed.as_secs_f64();
    let throughput = if elapsed_s > 0.0 { rounded(lossy(tally.ok) / elapsed_s) } else { 0.0 };
    let mut over_time = Map::new();
    over_time.insert("elapsed_s".to_owned(), json!(elapsed_s));
    over_time.insert("throughput_per_s".to_owned(), json!(throughput));
    over_time.insert("timeline".to_owned(), tally.timeline.report());
    if tally.records_left_out > 0 {
        over_time.insert("records_left_out".to_owned(), json!(tally.records_left_out));
    }
    over_time
}

fn in_us(duration: Duration) -> f64 {
    rounded(duration.as_secs_f64() * 1e6)
}

fn failures(tally: &Tally) -> Value {
    let entry = |(kind, failures): (&crate::answers::FailureKind, &crate::tally::Failures)| {
        (kind.to_string(), json!({"count": failures.count, "first": failures.first_text}))
    };
    json!(tally.failures.iter().map(entry).collect::<BTreeMap<String, Value>>())
}

fn versions(tally: &Tally) -> Value {
    let milliseconds = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let entry = |(version, span): (&i64, &crate::tally::VersionSpan)| {
        let (first, last) = (milliseconds(span.first), milliseconds(span.last));
        (version.to_string(), json!({"count": span.count, "first_at_ms": first, "last_at_ms": last}))
    };
    json!(tally.versions.iter().map(entry).collect::<BTreeMap<String, Value>>())
}

fn cost(cost: Option<ThreadCost>, requests: u64) -> Value {
    let Some(cost) = cost else { return Value::Null };
    json!({
        "cpu_s": cost.running.as_secs_f64(),
        "cpu_us_per_request": rounded(cost.running.as_secs_f64() * 1e6 / lossy(requests.max(1))),
        "waited_for_cpu_s": cost.waiting.as_secs_f64(),
    })
}
