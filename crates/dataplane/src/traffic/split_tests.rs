//! Who answers: requests of a split model through the whole path.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test may panic

use crate::{
    error::Code,
    inference::{
        Call, Outcome, VersionChoice,
        tests::{House, limits},
    },
    testing::{FloatCodec, call, read_answer, traffic},
    traffic::{
        Arm, BUCKETS, BucketRange, Caller, KEY_BYTES_MAX, Reason, Remembering, ShadowSettings, Tolerance,
        TrafficSettings, bucket_of,
    },
};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::{sync::Arc, time::Duration};

const EXPLAIN: &str = "x-understudy-explain";

fn caller(headers: &[(&'static str, &str)]) -> Caller {
    let pairs = headers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()));
    pairs.collect::<HeaderMap>().into()
}

fn keyed(key: &str) -> Caller {
    caller(&[("x-routing-key", key)])
}

/// Versions 1 to 3, of which 1 is the default.
fn house(traffic: &TrafficSettings) -> House {
    let house = House::new(limits());
    for version in 1..=3 {
        house.load("m", version, r#"{"fail_on": 13.0}"#).unwrap();
    }
    house.publish_split("m", &[1, 2, 3], Some(traffic));
    house
}

async fn ask(house: &House, call: Call<FloatCodec>) -> Outcome {
    house.plane.infer(call).await
}

fn by(caller: Caller) -> Call<FloatCodec> {
    Call { caller, ..call("m", VersionChoice::Default, FloatCodec::new(2.0)) }
}

/// Version, arm and reason of an answer that must be one.
fn said(outcome: &Outcome) -> (i64, Arm, Reason) {
    let served = outcome.served.as_ref().unwrap();
    let (version, _) = read_answer(outcome.answer.as_ref().unwrap()).unwrap();
    assert_eq!(version, served.version);
    let assignment = served.assignment.as_ref().unwrap();
    (version, assignment.arm(), assignment.reason())
}

#[tokio::test]
async fn a_key_goes_where_its_bucket_is_each_time() {
    let house = house(&traffic(2, 2_500));
    for key in (0..200).map(|number| format!("user-{number}")) {
        let expected = if bucket_of("salt", key.as_bytes()) < 2_500 {
            (2, Arm::Candidate, Reason::Sticky)
        } else {
            (1, Arm::Baseline, Reason::Sticky)
        };
        for _ in 0..3 {
            assert_eq!(said(&ask(&house, by(keyed(&key))).await), expected);
        }
    }
}

#[tokio::test]
async fn several_ranges_are_found_by_their_places_and_the_rest_is_the_default_versions() {
    let range = |version, start, stop| BucketRange { version, start, stop };
    let ranges = vec![range(2, 9_999, BUCKETS), range(3, 2_000, 3_000), range(2, 1_000, 2_000)];
    let house = house(&TrafficSettings { ranges, ..traffic(2, 0) });
    for key in (0..500).map(|number| number.to_string()) {
        let expected = match bucket_of("salt", key.as_bytes()) {
            1_000..2_000 | 9_999 => (2, Arm::Candidate),
            2_000..3_000 => (3, Arm::Other),
            _ => (1, Arm::Baseline),
        };
        let (version, arm, _) = said(&ask(&house, by(keyed(&key))).await);
        assert_eq!((version, arm), expected, "{key}");
    }
}

/// `CANCELLED` is what a request gets whose caller went away, and what a graph may answer.
#[tokio::test]
async fn a_run_that_says_it_was_cancelled_is_the_versions_error_and_a_caller_that_left_is_not() {
    let house = house(&traffic(2, BUCKETS));
    let served = ask(&house, by(keyed("user-1"))).await.served.unwrap();
    let assignment = served.assignment.unwrap();
    let counts = || house.plane.trials().of("m").unwrap().epochs()[0].counts(Arm::Candidate);
    assignment.begin_run();
    assignment.record(Code::Cancelled, Duration::ZERO);
    assert_eq!((counts().errors.events, counts().refused), (0, 1));
    assignment.fail_run();
    assignment.record(Code::Cancelled, Duration::ZERO);
    assert_eq!((counts().errors.events, counts().refused), (1, 1));
}

/// Of any bytes that a door lets through as a header: visible ones, spaces, tabs, and those from 128 on.
fn any_value(random: &mut fastrand::Rng) -> HeaderValue {
    let lengths = [0, 1, 16, 128, 129, KEY_BYTES_MAX, KEY_BYTES_MAX + 1, 40_000];
    let length = lengths[random.usize(..lengths.len())];
    let alphabets: [&[u8]; 4] = [b"0123456789", b"abc-_.~XYZ", b" \t,;=\"%", b"\x80\xc3\xa9\xff+-"];
    let alphabet = alphabets[random.usize(..alphabets.len())];
    let bytes: Vec<u8> = (0..length).map(|_| alphabet[random.usize(..alphabet.len())]).collect();
    HeaderValue::from_bytes(&bytes).unwrap()
}

#[tokio::test]
async fn whatever_headers_say_a_request_is_answered_once_and_no_header_is_given_back_but_a_plain_id() {
    let remembering = Some(Remembering { output: None, window_s: 60.0 });
    let house = house(&TrafficSettings { may_override: true, remembering, ..traffic(2, 5_000) });
    let mut random = fastrand::Rng::with_seed(5);
    let (mut drawn, mut refused) = (0, 0);
    for _ in 0..1_000 {
        let mut headers = HeaderMap::new();
        for name in ["x-routing-key", "x-request-id", "x-understudy-version", "x-understudy-arm", EXPLAIN] {
            for _ in 0..random.usize(..3) {
                headers.append(HeaderName::from_static(name), any_value(&mut random));
            }
        }
        let asks_why = headers.contains_key(EXPLAIN);
        let outcome = ask(&house, by(headers.into())).await;
        let Some(served) = &outcome.served else {
            let code = outcome.answer.unwrap_err().code;
            assert!(matches!(code, Code::InvalidArgument | Code::NotFound), "{code:?}");
            refused += 1;
            continue;
        };
        drawn += u64::from(served.assignment.as_ref().unwrap().reason() != Reason::Override);
        let mut said = served.headers("text/plain");
        said.remove("content-type");
        assert_eq!(said.len(), 3);
        let id = said["x-request-id"].as_bytes();
        assert!((1..=128).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic), "{id:?}");
        let beside = served.headers_beside_message("text/plain").unwrap();
        assert_eq!(
            (&beside["x-request-id"], beside.len()),
            (&said["x-request-id"], 2 + usize::from(asks_why))
        );
        assert_eq!(beside.get("x-understudy-arm"), said.get("x-understudy-arm").filter(|_| asks_why));
    }
    let arms = [Arm::Baseline, Arm::Candidate];
    let epoch = &house.plane.trials().of("m").unwrap().epochs()[0];
    let counted: u64 = arms.iter().map(|arm| epoch.counts(*arm).requests.events).sum();
    assert_eq!(counted, drawn, "each that was drawn counts once, and no other");
    assert!(drawn > 100 && refused > 100, "{drawn} and {refused}");
}

/// An id costs more than all else that an answer says.
#[tokio::test]
async fn an_id_is_made_only_where_something_is_kept_under_it() {
    let id = async |settings: &TrafficSettings, caller: Caller| {
        let served = ask(&house(settings), by(caller)).await.served.unwrap();
        served.assignment.unwrap().request_id().map(|id| id.as_str().to_owned())
    };
    let own = || caller(&[("x-request-id", "order/42")]);
    let plain = traffic(2, 5_000);
    assert_eq!(id(&plain, Caller::default()).await, None);
    assert_eq!(id(&plain, own()).await, None);
    let remembering = Some(Remembering { output: None, window_s: 60.0 });
    let awaiting = TrafficSettings { remembering, ..plain.clone() };
    assert_eq!(id(&awaiting, Caller::default()).await.unwrap().len(), 32);
    assert_eq!(id(&awaiting, own()).await.as_deref(), Some("order/42"));
    let tolerance = Tolerance { absolute: 0.0, relative: 0.0, top_1: false };
    let shadow = |share| Some(ShadowSettings { version: 2, share, tolerance });
    let (drawn, not) = (TrafficSettings { shadow: shadow(BUCKETS), ..traffic(2, 0) }, traffic(2, 0));
    assert_eq!(id(&drawn, Caller::default()).await.unwrap().len(), 32);
    assert_eq!(id(&TrafficSettings { shadow: shadow(0), ..not }, Caller::default()).await, None);
}

/// A message names its version itself.
#[tokio::test]
async fn beside_a_message_who_asks_is_told_why_and_everybody_the_id_under_which_something_is_kept() {
    let told = async |settings: &TrafficSettings, headers: &[(&'static str, &str)]| {
        let served = ask(&house(settings), by(caller(headers))).await.served.unwrap();
        let said = served.headers_beside_message("text/plain")?;
        let line =
            |(name, value): (&HeaderName, &HeaderValue)| format!("{name}: {}", value.to_str().unwrap());
        let mut lines: Vec<_> = said.iter().map(line).collect();
        lines.sort();
        Some(lines.join(", "))
    };
    let (key, id, why) = (("x-routing-key", "user-1"), ("x-request-id", "order/42"), (EXPLAIN, "1"));
    let plain = TrafficSettings { may_override: true, ..traffic(2, BUCKETS) };
    assert_eq!(told(&plain, &[key, id]).await, None);
    let sticky = "content-type: text/plain, x-understudy-arm: candidate; reason=sticky";
    assert_eq!(told(&plain, &[key, id, why]).await.as_deref(), Some(sticky));
    let third = ("x-understudy-version", "3");
    assert_eq!(told(&plain, &[third]).await, None);
    let other = "content-type: text/plain, x-understudy-arm: other; reason=override";
    assert_eq!(told(&plain, &[third, why]).await.as_deref(), Some(other));
    let awaiting =
        TrafficSettings { remembering: Some(Remembering { output: None, window_s: 60.0 }), ..plain.clone() };
    let kept = "content-type: text/plain, x-request-id: order/42";
    assert_eq!(told(&awaiting, &[key, id]).await.as_deref(), Some(kept));
    let both = "content-type: text/plain, x-request-id: order/42, x-understudy-arm: candidate; reason=sticky";
    assert_eq!(told(&awaiting, &[key, id, why]).await.as_deref(), Some(both));
}

#[tokio::test]
async fn who_names_a_version_or_meets_no_split_is_told_nothing_beside_a_message_even_when_asking_why() {
    let split = house(&traffic(2, BUCKETS));
    let named = Call {
        caller: caller(&[(EXPLAIN, "1")]),
        ..call("m", VersionChoice::Version(1), FloatCodec::new(2.0))
    };
    assert!(ask(&split, named).await.served.unwrap().headers_beside_message("text/plain").is_none());
    split.publish("m", &[1, 2]);
    let unsplit = ask(&split, by(caller(&[(EXPLAIN, "1")]))).await;
    assert!(unsplit.served.unwrap().headers_beside_message("text/plain").is_none());
}

/// Thousands of changes of a split, and requests that hold what was: nothing is left of them at the end.
#[tokio::test]
async fn what_publishes_leave_behind_is_bounded_and_goes_with_the_last_request() {
    let house = house(&traffic(2, 1));
    let held = ask(&house, by(keyed("user-1"))).await.served.unwrap().assignment.unwrap();
    let first = Arc::downgrade(&house.plane.trials().of("m").unwrap());
    for epoch in 1..=2_000 {
        let settings = TrafficSettings { epoch, ..traffic(2, u16::try_from(epoch).unwrap()) };
        house.publish_split("m", &[1, 2, 3], Some(&settings));
    }
    assert!(house.plane.trials().of("m").unwrap().epochs().len() <= 64);
    let other = TrafficSettings { trial: "another".to_owned(), ..traffic(2, 1) };
    house.publish_split("m", &[1, 2, 3], Some(&other));
    assert!(first.upgrade().is_none(), "a trial that was replaced is gone, though a request holds its epoch");
    held.record(Code::Ok, Duration::ZERO);
    house.publish_split("m", &[1, 2, 3], None);
    assert!(house.plane.trials().all().is_empty());
}

#[tokio::test]
async fn a_request_without_a_key_is_drawn_by_itself() {
    let house = house(&traffic(2, BUCKETS / 2));
    let mut answered = [0; 4];
    for _ in 0..400 {
        let (version, _, reason) = said(&ask(&house, by(Caller::default())).await);
        assert_eq!(reason, Reason::Random);
        answered[usize::try_from(version).unwrap()] += 1;
    }
    // 200 each, give or take five standard deviations.
    assert!(answered[1] > 150 && answered[2] > 150 && answered[1] + answered[2] == 400, "{answered:?}");
}

#[tokio::test]
async fn who_names_a_version_or_a_label_is_never_split() {
    let house = house(&TrafficSettings { may_override: true, ..traffic(2, BUCKETS) });
    for choice in [VersionChoice::Version(1), VersionChoice::Label("stable".into())] {
        let caller = caller(&[("x-routing-key", "user-1"), ("x-understudy-version", "3")]);
        let call = Call { caller, ..call("m", choice, FloatCodec::new(2.0)) };
        let outcome = ask(&house, call).await;
        let served = outcome.served.unwrap();
        assert!(served.version == 1 && served.assignment.is_none());
    }
}

#[tokio::test]
async fn a_tester_gets_the_version_asked_for_only_where_that_is_allowed() {
    let asking = |version: &str| by(caller(&[("x-understudy-version", version)]));
    let closed = house(&traffic(2, 0));
    assert_eq!(said(&ask(&closed, asking("3")).await), (1, Arm::Baseline, Reason::Random));
    assert_eq!(said(&ask(&closed, asking("rubbish")).await).0, 1);
    let open = house(&TrafficSettings { may_override: true, ..traffic(2, 0) });
    assert_eq!(said(&ask(&open, asking("3")).await), (3, Arm::Other, Reason::Override));
    assert_eq!(said(&ask(&open, asking("2")).await), (2, Arm::Candidate, Reason::Override));
    let error = ask(&open, asking("9")).await.answer.unwrap_err();
    assert_eq!(error.code, Code::NotFound);
    assert!(error.message.starts_with("x-understudy-version asks for version 9 of m, which is not ready"));
    assert_eq!(ask(&open, asking("rubbish")).await.answer.unwrap_err().code, Code::InvalidArgument);
}

#[tokio::test]
async fn a_part_whose_version_is_not_ready_is_answered_by_the_default_one_and_says_so() {
    let house = house(&traffic(2, BUCKETS));
    house.publish_split("m", &[1, 3], Some(&traffic(2, BUCKETS)));
    assert_eq!(said(&ask(&house, by(keyed("user-1"))).await), (1, Arm::Baseline, Reason::Fallback));
    let (_, trial) = house.plane.trials().all().remove(0);
    let counts = trial.epochs()[0].counts(Arm::Candidate);
    assert_eq!((counts.fallbacks, counts.requests.events), (1, 0));
    assert_eq!(trial.epochs()[0].counts(Arm::Baseline).requests.events, 0, "nobody drew it for the baseline");
}

#[tokio::test]
async fn a_trial_goes_on_across_publishes_and_ends_with_its_split() {
    let house = house(&traffic(2, BUCKETS));
    let trials = || house.plane.trials().all();
    let requests = |epoch: usize| trials()[0].1.epochs()[epoch].counts(Arm::Candidate).requests.events;
    ask(&house, by(keyed("a"))).await.answer.unwrap();
    house.publish_split("m", &[1, 2], Some(&traffic(2, BUCKETS)));
    ask(&house, by(keyed("a"))).await.answer.unwrap();
    assert_eq!(requests(0), 2);
    let next = TrafficSettings { epoch: 1, ..traffic(2, 9_000) };
    house.publish_split("m", &[1, 2], Some(&next));
    assert_eq!((requests(0), requests(1)), (2, 0));
    let other = TrafficSettings { trial: "another".into(), ..traffic(2, BUCKETS) };
    house.publish_split("m", &[1, 2], Some(&other));
    assert_eq!((trials().len(), trials()[0].1.name(), requests(0)), (1, "another", 0));
    house.publish("m", &[1, 2]);
    assert!(trials().is_empty());
    assert!(ask(&house, by(keyed("a"))).await.served.unwrap().assignment.is_none());
}

#[tokio::test]
async fn what_goes_wrong_is_counted_by_whose_doing_it_is() {
    let house = house(&traffic(2, BUCKETS));
    let with = |codec: FloatCodec| Call { caller: keyed("a"), ..call("m", VersionChoice::Default, codec) };
    let broken = FloatCodec { broken: true, ..FloatCodec::new(1.0) };
    let lost = FloatCodec { signature: "lost".into(), ..FloatCodec::new(1.0) };
    let late = Call { deadline: Some(std::time::Instant::now()), ..with(FloatCodec::new(1.0)) };
    assert!(ask(&house, with(FloatCodec::new(1.0))).await.answer.is_ok());
    for call in [with(FloatCodec::new(13.0)), with(broken), with(lost), late] {
        let outcome = ask(&house, call).await;
        assert!(outcome.answer.is_err());
        assert_eq!(outcome.served.unwrap().version, 2, "an error says who answered, too");
    }
    let (_, trial) = house.plane.trials().all().remove(0);
    let counts = trial.epochs()[0].counts(Arm::Candidate);
    let events = (counts.requests.events, counts.errors.events);
    assert_eq!((events, counts.callers_mistakes), ((3, 2), 2));
}
