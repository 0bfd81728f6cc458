//! What requests do to a trial's counts, from their assignment to their truth.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // a test may panic

use super::{one::EPOCHS_MAX, *};
use crate::{
    error::Code,
    inference::{Inputs, SignatureRun},
    signature::{PREDICT_METHOD, Signature, Signatures, TensorSpec},
    tensor::{DType, Data, Tensor},
    testing::traffic,
    traffic::{Arm, Reason, Remembering, Stage},
};
use std::time::Duration;

const GOOD: Ended = Ended {
    assigned: Arm::Candidate,
    reason: Reason::Sticky,
    key: Some(7),
    is_key_known: false,
    stage: Stage::Ran,
    is_invalid: false,
    code: Code::Ok,
    took: Duration::ZERO,
};

fn model() -> Arc<str> {
    Arc::from("m")
}

fn events(epoch: &Epoch, arm: Arm) -> (u64, u64) {
    let counts = epoch.counts(arm);
    (counts.assigned.events, counts.requests.events)
}

#[test]
fn what_was_not_drawn_is_no_evidence() {
    let epoch = Trials::default().open(&model(), &traffic(2, 100));
    for ended in [Ended { reason: Reason::Override, ..GOOD }, Ended { assigned: Arm::Other, ..GOOD }] {
        epoch.assign(ended.assigned, ended.reason, ended.key);
        epoch.record(&ended);
    }
    assert_eq!(events(&epoch, Arm::Candidate), (0, 0));
    epoch.assign(GOOD.assigned, GOOD.reason, GOOD.key);
    epoch.record(&GOOD);
    assert_eq!((events(&epoch, Arm::Candidate), events(&epoch, Arm::Baseline)), ((1, 1), (0, 0)));
    assert_eq!(events(&epoch, Arm::Other), (0, 0));
}

#[test]
fn of_a_key_that_was_here_before_only_what_is_bad_is_looked_up() {
    let trials = Trials::default();
    let open = |epoch| trials.open(&model(), &TrafficSettings { epoch, ..traffic(2, 100) });
    let (first, second) = (open(1), open(2));
    let ask = |epoch: &Epoch, code| {
        let is_key_known = epoch.assign(GOOD.assigned, GOOD.reason, GOOD.key);
        epoch.record(&Ended { is_key_known, code, ..GOOD });
        is_key_known
    };
    let known = [Code::Ok, Code::Ok, Code::Internal, Code::Internal].map(|code| ask(&first, code));
    assert_eq!(known, [false, true, true, true]);
    let CountSnapshot { events, keys, .. } = first.counts(Arm::Candidate).requests;
    assert_eq!((events, keys), (4, 1));
    let CountSnapshot { events, keys, .. } = first.counts(Arm::Candidate).errors;
    assert_eq!((events, keys), (2, 1), "once, though the key was known");
    assert!(!ask(&second, Code::Ok) && ask(&second, Code::Ok), "each epoch begins anew");
    assert_eq!(second.counts(Arm::Candidate).requests.keys, 1);
}

#[test]
fn what_the_baseline_answers_for_the_candidate_is_neithers_evidence() {
    let epoch = Trials::default().open(&model(), &traffic(2, 100));
    epoch.assign(Arm::Candidate, Reason::Fallback, Some(7));
    epoch.record(&Ended { reason: Reason::Fallback, code: Code::Internal, ..GOOD });
    let counts = epoch.counts(Arm::Candidate);
    assert_eq!((counts.assigned.keys, counts.fallbacks, counts.requests.events), (1, 1, 0));
    assert_eq!(events(&epoch, Arm::Baseline), (0, 0));
}

#[test]
fn a_trial_keeps_so_many_epochs_and_no_more() {
    let trials = Trials::default();
    for epoch in 0..=EPOCHS_MAX as u64 {
        trials.open(&model(), &TrafficSettings { epoch, ..traffic(2, 100) });
    }
    let trial = trials.of("m").unwrap();
    let numbers: Vec<_> = trial.epochs().iter().map(|epoch| epoch.number()).collect();
    assert_eq!(numbers, (1..=EPOCHS_MAX as u64).collect::<Vec<_>>());
}

#[test]
fn counts_outlive_a_publish_and_end_with_their_trial() {
    let trials = Trials::default();
    trials.open(&model(), &traffic(2, 100)).record(&GOOD);
    let again = trials.open(&model(), &traffic(2, 100));
    assert_eq!(events(&again, Arm::Candidate), (0, 1));
    let other = TrafficSettings { trial: "another".to_owned(), ..traffic(2, 100) };
    assert_eq!(events(&trials.open(&model(), &other), Arm::Candidate), (0, 0));
    trials.close("m");
    assert!(trials.of("m").is_none());
}

#[test]
fn a_key_is_slow_by_a_threshold_once_in_the_trial_wherever_the_threshold_stands() {
    let trials = Trials::default();
    let with = |epoch, names: &[&str]| {
        let slow_after_s = names.iter().map(|name| ((*name).to_owned(), 0.01)).collect();
        trials.open(&model(), &TrafficSettings { epoch, slow_after_s, ..traffic(2, 100) })
    };
    let slow = Ended { took: Duration::from_secs(1), ..GOOD };
    let (first, second) = (with(1, &["p99"]), with(2, &["p50", "p99"]));
    first.record(&slow);
    second.record(&slow);
    let keys = |epoch: &Epoch| -> Vec<u64> {
        epoch.counts(Arm::Candidate).slow.iter().map(|(_, count)| count.keys).collect()
    };
    assert_eq!((keys(&first), keys(&second)), (vec![1], vec![1, 0]));
}

#[test]
fn quantiles_of_all_epochs_together_are_the_baselines_latency() {
    let trials = Trials::default();
    for epoch in 1..=2 {
        let settings = TrafficSettings { epoch, ..traffic(2, 100) };
        let took = Duration::from_millis(10 * epoch);
        trials.open(&model(), &settings).record(&Ended { assigned: Arm::Baseline, took, ..GOOD });
    }
    let read = trials.of("m").unwrap().read();
    let quantiles = read.baseline.latency.quantiles_s(&[0.5, 1.0]);
    let [(_, low), (_, high)] = quantiles[..] else { panic!("{quantiles:?}") };
    assert!((low / 0.010 - 1.0).abs() < 0.04 && (high / 0.020 - 1.0).abs() < 0.04, "{quantiles:?}");
}

/// Whoever ends a trial frees what it remembers, though a request still holds it.
#[test]
fn a_trial_that_ends_remembers_nothing_for_those_who_still_hold_it() {
    let trials = Trials::default();
    let held = trials.open(&model(), &remembering());
    held.record(&GOOD);
    answer(&held, "a", 1.0);
    let trial = trials.of("m").unwrap();
    assert_eq!(trial.read().predictions.kept, 1);
    trials.close("m");
    let after = trial.read().predictions;
    assert_eq!((after.kept, after.bytes), (0, 0));
    assert_eq!(trial.find_prediction("a"), Found::Unknown);
    held.record(&GOOD);
    assert_eq!(events(&held, Arm::Candidate), (0, 2));
}

fn signatures() -> Signatures {
    let spec = TensorSpec {
        alias: "y".to_owned(),
        name: "y:0".to_owned(),
        dtype_number: DType::Float.number(),
        shape: None,
    };
    let signature = Signature {
        name: "serving_default".to_owned(),
        method_name: PREDICT_METHOD.to_owned(),
        inputs: Vec::new(),
        outputs: vec![spec],
        defaults: BTreeMap::new(),
    };
    Signatures::new(vec![signature], BTreeMap::new())
}

fn answer(epoch: &Epoch, request_id: &str, y: f32) -> bool {
    let run = SignatureRun { signature: 0, inputs: Inputs { tensors: Vec::new(), outputs: vec![0] } };
    let y = Tensor::new(DType::Float, vec![1], Data::Packed(y.to_le_bytes().to_vec().into())).unwrap();
    let (arm, reason, key) = (Arm::Candidate, Reason::Sticky, Some(7));
    let observed = Observed { signatures: &signatures(), run: Some(&run), outputs: &[y] };
    let request_id = Some(request_id);
    epoch.observe(Answerer { arm, reason, key, request_id, version: 2 }, observed)
}

fn remembering() -> TrafficSettings {
    let remembering = Some(Remembering { output: None, window_s: f64::MAX });
    TrafficSettings { remembering, ..traffic(2, 100) }
}

#[test]
fn a_truth_counts_once_in_the_epoch_of_its_request() {
    let trials = Trials::default();
    let first = trials.open(&model(), &remembering());
    assert!(!answer(&first, "a", 1.5));
    let epoch = first.number() + 1;
    let second = trials.open(&model(), &TrafficSettings { epoch, ..remembering() });
    let trial = trials.of("m").unwrap();
    let Found::Kept(prediction) = trial.find_prediction("a") else { panic!("it is kept") };
    assert_eq!((prediction.version, &prediction.values), (2, &Values::Floats([1.5].into())));
    let truth = Truth { is_wrong: Some(true), score: Some(("log_loss".to_owned(), 0.25)) };
    assert!(matches!(trial.tell_truth("a", &truth), Found::Kept(_)));
    assert_eq!(trial.tell_truth("a", &truth), Found::Judged);
    assert_eq!(trial.tell_truth("b", &truth), Found::Unknown);
    let wrong = |epoch: &Epoch| epoch.counts(Arm::Candidate).wrong;
    assert_eq!(wrong(&first), CountSnapshot { events: 1, keys: 1, keyless: 0 });
    assert_eq!(wrong(&second), CountSnapshot::default());
    let expected = TruthCounts { counted: 1, again: 1, unknown: 1, ..TruthCounts::default() };
    assert_eq!(trial.read().truths, expected);
}

#[test]
fn an_output_that_is_no_number_is_told_and_profiled() {
    let trials = Trials::default();
    let epoch = trials.open(&model(), &remembering());
    assert!(answer(&epoch, "a", f32::NAN));
    let read = trials.of("m").unwrap().read();
    assert_eq!(
        (read.candidate.outputs[0].name.as_str(), read.candidate.outputs[0].values.not_finite()),
        ("y", 1)
    );
    assert!(read.baseline.outputs.is_empty());
}

#[test]
fn what_has_not_the_output_to_remember_is_counted() {
    let trials = Trials::default();
    let other = Some(Remembering { output: Some("z".to_owned()), window_s: 60.0 });
    let epoch = trials.open(&model(), &TrafficSettings { remembering: other, ..traffic(2, 100) });
    answer(&epoch, "a", 1.0);
    let trial = trials.of("m").unwrap();
    assert_eq!((trial.read().unfit, trial.find_prediction("a")), (1, Found::Unknown));
}
