//! What src/understudy/routing/traffic.py hands over: one struct for each dataclass there, field by field.

use dataplane::traffic;
use pyo3::FromPyObject;

#[derive(FromPyObject)]
pub(crate) struct Traffic {
    trial: String,
    epoch: u64,
    candidate: Option<i64>,
    salt: String,
    key_header: String,
    key_input: Option<String>,
    ranges: Vec<BucketRange>,
    may_override: bool,
    shadow: Option<ShadowRoute>,
    slow_after_s: Vec<(String, f64)>,
    remembering: Option<Remembering>,
}

#[derive(FromPyObject)]
struct BucketRange {
    version: i64,
    start: u16,
    stop: u16,
}

#[derive(FromPyObject)]
struct ShadowRoute {
    version: i64,
    share: u16,
    tolerance: Tolerance,
}

#[derive(FromPyObject)]
struct Tolerance {
    absolute: f64,
    relative: f64,
    top_1: bool,
}

#[derive(FromPyObject)]
struct Remembering {
    output: Option<String>,
    window_s: f64,
}

impl From<Traffic> for traffic::TrafficSettings {
    fn from(traffic: Traffic) -> Self {
        Self {
            trial: traffic.trial,
            epoch: traffic.epoch,
            candidate: traffic.candidate,
            salt: traffic.salt,
            key_header: traffic.key_header,
            key_input: traffic.key_input,
            ranges: traffic.ranges.into_iter().map(traffic::BucketRange::from).collect(),
            may_override: traffic.may_override,
            shadow: traffic.shadow.map(traffic::ShadowSettings::from),
            slow_after_s: traffic.slow_after_s,
            remembering: traffic.remembering.map(traffic::Remembering::from),
        }
    }
}

impl From<BucketRange> for traffic::BucketRange {
    fn from(range: BucketRange) -> Self {
        let BucketRange { version, start, stop } = range;
        Self { version, start, stop }
    }
}

impl From<ShadowRoute> for traffic::ShadowSettings {
    fn from(shadow: ShadowRoute) -> Self {
        let ShadowRoute { version, share, tolerance: Tolerance { absolute, relative, top_1 } } = shadow;
        Self { version, share, tolerance: traffic::Tolerance { absolute, relative, top_1 } }
    }
}

impl From<Remembering> for traffic::Remembering {
    fn from(remembering: Remembering) -> Self {
        let Remembering { output, window_s } = remembering;
        Self { output, window_s }
    }
}
