//! Which ends of requests are counted as what.

use super::*;
use crate::testing::traffic;

fn ended(code: Code, stage: Stage) -> Ended {
    let (assigned, reason) = (Arm::Candidate, Reason::Sticky);
    Ended { assigned, reason, key: Some(7), stage, code, took: Duration::ZERO }
}

#[test]
fn an_end_is_the_versions_the_callers_or_the_servers_doing() {
    use Class::{Answered, CallersMistake, Error, Refused};
    for (code, stage, class) in [
        (Code::Ok, Stage::Ran, Answered),
        (Code::InvalidArgument, Stage::Chosen, CallersMistake),
        (Code::InvalidArgument, Stage::Running, Error),
        (Code::InvalidArgument, Stage::Ran, Error),
        (Code::FailedPrecondition, Stage::Chosen, CallersMistake),
        (Code::DeadlineExceeded, Stage::Chosen, Error),
        (Code::DeadlineExceeded, Stage::Running, Error),
        (Code::ResourceExhausted, Stage::Chosen, Refused),
        (Code::ResourceExhausted, Stage::Running, Error),
        (Code::Unavailable, Stage::Chosen, Refused),
        (Code::Cancelled, Stage::Running, Refused),
    ] {
        assert_eq!(Class::of(&ended(code, stage)), class, "{code:?} {stage:?}");
    }
}

#[test]
fn what_was_not_drawn_is_no_evidence() {
    let epoch = Epoch::new(&traffic(2, 100));
    let good = ended(Code::Ok, Stage::Ran);
    epoch.record(&Ended { reason: Reason::Override, ..good });
    epoch.record(&Ended { assigned: Arm::Other, ..good });
    assert_eq!(epoch.counts(Arm::Candidate), ArmCounts::default());
    epoch.record(&good);
    assert_eq!(epoch.counts(Arm::Candidate), ArmCounts { requests: 1, ..ArmCounts::default() });
    assert_eq!(epoch.counts(Arm::Baseline), ArmCounts::default());
}

#[test]
fn a_trial_keeps_so_many_epochs_and_no_more() {
    let trials = Trials::default();
    let model = Arc::from("m");
    for epoch in 0..=EPOCHS_MAX as u64 {
        trials.open(&model, &TrafficSettings { epoch, ..traffic(2, 100) });
    }
    let (_, trial) = trials.all().remove(0);
    let numbers: Vec<_> = trial.epochs().iter().map(|epoch| epoch.number()).collect();
    assert_eq!(numbers, (1..=EPOCHS_MAX as u64).collect::<Vec<_>>());
}
