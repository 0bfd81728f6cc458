//! The report: one JSON object; times in microseconds unless a name says otherwise.

use std::{collections::BTreeMap, time::SystemTime, time::UNIX_EPOCH};

use serde_json::{Value, json};

use crate::{
    cost::ThreadCost,
    latencies::{lossy, rounded},
    options::Plan,
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

/// Everything that a run found.
pub(crate) fn report(plan: &Plan, tally: &Tally, circumstances: Circumstances) -> Value {
    let requests = tally.ok + tally.failed;
    let elapsed_s = tally.elapsed.as_secs_f64();
    let started = circumstances.started_at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut report = json!({
        "concurrency": plan.connections * plan.streams_per_connection,
        "started_at_unix_ms": u64::try_from(started.as_millis()).unwrap_or(u64::MAX),
        "stopped_by": circumstances.stopped_by.to_string(),
        "elapsed_s": elapsed_s,
        "requests": requests,
        "ok": tally.ok,
        "failed": tally.failed,
        "failures": failures(tally),
        "unsent": circumstances.unsent,
        "throughput_per_s": if elapsed_s > 0.0 { rounded(lossy(tally.ok) / elapsed_s) } else { 0.0 },
        "latency_us": tally.latencies.report(),
        "send_lag_us": tally.lags.report(),
        "versions": versions(tally),
        "mixed": plan.expectations.as_ref().map(|_| tally.mixed),
        "generator": cost(circumstances.cost, requests),
        "timeline": tally.timeline.report(),
    });
    if plan.histogram {
        insert(&mut report, "latency_histogram_us", tally.latencies.buckets());
    }
    if tally.records_left_out > 0 {
        insert(&mut report, "records_left_out", json!(tally.records_left_out));
    }
    report
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

fn insert(report: &mut Value, name: &str, value: Value) {
    if let Some(object) = report.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
}
