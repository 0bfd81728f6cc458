//! Shadow traffic through the whole path: which requests are mirrored, and that none of them is the worse for it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test may panic

use super::*;
use crate::{
    error::Code,
    inference::{
        Call, VersionChoice,
        tests::{House, limits},
    },
    plane::Plane,
    testing::{FloatCodec, call, read_answer, traffic},
    traffic::{BUCKETS, Caller, ShadowSettings, Tolerance, TrafficSettings},
};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(30);
const HANG: f32 = 99.0;
/// The candidate of most tests: worse in every way.
const WORSE: &str = r#"{"a": 1.5, "fail_on": 13.0, "panic_on": 14.0, "hang_on": 99.0}"#;

/// Half plus two as version 1, by default, and a candidate as version 2.
fn house(candidate: &str) -> House {
    let house = House::of(Plane::new(limits()).unwrap().with_shadows(PATIENT));
    house.load("m", 1, r#"{"fail_on": 15.0}"#).unwrap();
    house.load("m", 2, candidate).unwrap();
    house
}

const PATIENT: ShadowOptions = ShadowOptions { patience: LONG, lateness_max: LONG, floor_every: LONG };

/// All of the default version's requests are mirrored; version 2 answers so many buckets.
fn mirrored(weight: u16) -> TrafficSettings {
    let tolerance = Tolerance { absolute: 1e-5, relative: 1e-3, top_1: false };
    let shadow = Some(ShadowSettings { version: 2, share: BUCKETS, tolerance });
    TrafficSettings { shadow, ..traffic(2, weight) }
}

fn report(house: &House) -> ShadowReport {
    house.plane.trials().of("m").unwrap().shadow().report()
}

/// Looks until it is so; how long that takes does not matter.
async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn wait(house: &House, is_so: impl Fn(&ShadowReport) -> bool) -> ShadowReport {
    until(|| is_so(&report(house))).await;
    report(house)
}

async fn answer(house: &House, call: Call<FloatCodec>) -> Result<(i64, f32), Code> {
    let answer = house.plane.infer(call).await.answer;
    answer.map(|body| read_answer(&body).unwrap()).map_err(|error| error.code)
}

#[tokio::test]
async fn whatever_the_candidate_does_each_answer_is_the_baselines() {
    let house = house(WORSE);
    house.publish_split("m", &[1, 2], Some(&mirrored(0)));
    for x in [0.0, 2.0, 13.0, 14.0] {
        assert_eq!(
            answer(&house, call("m", VersionChoice::Default, FloatCodec::new(x))).await,
            Ok((1, 0.5 * x + 2.0))
        );
    }
    assert_eq!(
        answer(&house, call("m", VersionChoice::Default, FloatCodec::new(15.0))).await,
        Err(Code::InvalidArgument)
    );
    let seen = wait(&house, |seen| seen.compared == 5).await;
    assert_eq!((seen.mirrored, seen.disagreed), (5, 1));
    assert_eq!(seen.only_candidate, Bad { errors: 2, invalid_outputs: 0 });
    assert_eq!(seen.only_baseline, Bad { errors: 1, invalid_outputs: 0 });
    house.ask("m", HANG).await.unwrap();
    until(|| in_flight(&house) == 1).await;
    assert_eq!(house.ask("m", 4.0).await.unwrap(), (1, 4.0), "nobody waits for a run that hangs");
    house.release("m", 2);
    wait(&house, |seen| seen.compared == 7).await;
}

/// Holds on version 2.
fn in_flight(house: &House) -> u64 {
    let servables = house.plane.statistics().servables;
    servables.iter().find(|servable| servable.version == 2).unwrap().in_flight
}

#[tokio::test]
async fn a_sample_says_whose_request_it_was() {
    let house = house(WORSE);
    house.publish_split("m", &[1, 2], Some(&mirrored(0)));
    let headers = [("x-request-id", "order-7"), ("x-routing-key", "ann")];
    let pairs = headers.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    let caller: Caller = pairs.into_iter().collect::<HeaderMap>().into();
    answer(&house, Call { caller, ..call("m", VersionChoice::Default, FloatCodec::new(2.0)) }).await.unwrap();
    let seen = wait(&house, |seen| seen.compared == 1).await;
    let sample = &seen.outputs[0].worst[0];
    assert_eq!((sample.request_id.as_str(), sample.key.is_some()), ("order-7", true));
    assert_eq!((sample.baseline.as_str(), sample.candidate.as_str()), ("3", "5"));
}

#[tokio::test]
async fn only_what_the_default_version_answers_by_default_is_mirrored() {
    let house = house("{}");
    let settings = TrafficSettings { may_override: true, ..mirrored(BUCKETS) };
    house.publish_split("m", &[1, 2], Some(&settings));
    let asked = |version| call("m", version, FloatCodec::new(2.0));
    let pair = (HeaderName::from_static("x-understudy-version"), HeaderValue::from_static("1"));
    let caller: Caller = [pair].into_iter().collect::<HeaderMap>().into();
    let calls = [
        (asked(VersionChoice::Default), 2),
        (asked(VersionChoice::Version(1)), 1),
        (asked(VersionChoice::Label("stable".to_owned())), 1),
        (Call { caller, ..asked(VersionChoice::Default) }, 1),
    ];
    for (call, version) in calls {
        assert_eq!(answer(&house, call).await, Ok((version, 3.0)));
    }
    house.publish_split("m", &[1, 2], Some(&TrafficSettings { epoch: 1, ..mirrored(0) }));
    house.ask("m", 2.0).await.unwrap();
    let seen = wait(&house, |seen| seen.compared == 1).await;
    assert_eq!((seen.mirrored, seen.disagreed), (1, 0));
}

#[tokio::test]
async fn what_never_reached_a_model_is_not_mirrored() {
    let house = house("{}");
    house.publish_split("m", &[1, 2], Some(&mirrored(0)));
    let broken = FloatCodec { broken: true, ..FloatCodec::new(1.0) };
    assert_eq!(answer(&house, call("m", VersionChoice::Default, broken)).await, Err(Code::InvalidArgument));
    assert_eq!(report(&house), ShadowReport::default());
}

#[tokio::test]
async fn batched_requests_are_mirrored_one_by_one_those_that_fail_too() {
    let house = House::of(Plane::new(limits()).unwrap().with_shadows(PATIENT));
    house.load_batched("m", 1, r#"{"fail_on": 15.0}"#);
    house.load_batched("m", 2, WORSE);
    house.publish_split("m", &[1, 2], Some(&mirrored(0)));
    for x in [0.0, 2.0, 13.0] {
        assert_eq!(house.ask("m", x).await.unwrap(), (1, 0.5 * x + 2.0));
    }
    house.ask("m", 15.0).await.unwrap_err();
    let seen = wait(&house, |seen| seen.compared == 4).await;
    assert_eq!((seen.disagreed, seen.only_candidate.errors, seen.only_baseline.errors), (1, 1, 1));
}

#[tokio::test]
async fn counts_go_on_as_long_as_the_trial_does() {
    let house = house(WORSE);
    house.publish_split("m", &[1, 2], Some(&mirrored(0)));
    house.ask("m", 2.0).await.unwrap();
    wait(&house, |seen| seen.compared == 1).await;
    house.publish_split("m", &[1, 2], Some(&TrafficSettings { epoch: 1, ..mirrored(0) }));
    house.ask("m", 2.0).await.unwrap();
    wait(&house, |seen| seen.compared == 2).await;
    let another = TrafficSettings { trial: "m-2-2".to_owned(), ..mirrored(0) };
    house.publish_split("m", &[1, 2], Some(&another));
    assert_eq!(report(&house), ShadowReport::default());
}

#[tokio::test]
async fn a_candidate_that_is_not_ready_casts_no_shadow() {
    let house = house(WORSE);
    house.publish_split("m", &[1], Some(&mirrored(0)));
    assert_eq!(house.ask("m", 2.0).await.unwrap(), (1, 3.0));
    assert_eq!(report(&house), ShadowReport::default());
    assert_eq!(house.unload("m", 2, LONG).unwrap(), 0);
}

#[tokio::test]
async fn a_candidate_is_unloaded_while_its_shadow_is_busy() {
    let house = house(WORSE);
    house.publish_split("m", &[1, 2], Some(&mirrored(0)));
    house.ask("m", HANG).await.unwrap();
    until(|| in_flight(&house) == 1).await;
    let trial = house.plane.trials().of("m").unwrap();
    house.ask("m", 2.0).await.unwrap();
    house.publish_split("m", &[1], None);
    assert_eq!(house.unload("m", 2, Duration::ZERO).unwrap(), 1, "the run under way");
    house.release("m", 2);
    until(|| trial.shadow().report().incomparable == [(Incomparable::Unloaded, 1)]).await;
    until(|| house.plane.statistics().unloaded_late == 0).await;
}
