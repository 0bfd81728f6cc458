//! What the route table answers, word by word, and what it refuses.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test may panic

use super::*;
use crate::{
    error::Code,
    lane::{Lane, Width},
    reaper::Reaper,
    request_log::{RequestLog, RequestLogOptions},
    runtime::{Model, RunOptions},
    servable::Fittings,
    signature::Signatures,
    tensor::Tensor,
    testing::first_incarnations,
};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use tempfile::TempDir;

struct Nothing(Signatures);

impl Model for Nothing {
    fn signatures(&self) -> &Signatures {
        &self.0
    }
    fn run(&self, _: usize, _: &[Tensor], _: &[usize], _: RunOptions) -> Result<Vec<Tensor>, Error> {
        Ok(Vec::new())
    }
}

fn log_options(directory: &std::path::Path) -> RequestLogOptions {
    RequestLogOptions {
        directory: directory.to_owned(),
        file_bytes_max: 1 << 20,
        file_age_max: Duration::from_hours(1),
        bytes_max: 1 << 20,
        saved_model_tags: Vec::new(),
    }
}

/// A router beside the versions that are loaded.
struct World {
    router: Router,
    ledger: Ledger,
    reaper: Reaper,
    request_log: RequestLog,
    logs: TempDir,
    loaded: BTreeMap<(String, i64, u64), Arc<Slot>>,
}

impl World {
    fn with(loaded: &[(&str, i64)]) -> Self {
        let logs = tempfile::tempdir().unwrap();
        let mut world = Self {
            request_log: RequestLog::start(log_options(logs.path())).unwrap(),
            logs,
            router: Router::default(),
            ledger: Ledger::default(),
            reaper: Reaper::start().unwrap(),
            loaded: BTreeMap::new(),
        };
        for (name, version) in loaded {
            world.load(ServableId::first(name, *version));
        }
        world
    }

    fn load(&mut self, id: ServableId<'_>) {
        let ServableId { name, version, incarnation } = id;
        let model = Box::new(Nothing(Signatures::new(Vec::new(), BTreeMap::new())));
        let fittings = Fittings {
            name: Arc::from(name),
            version,
            incarnation,
            lane: Lane::new(0, Width { runs_max: 1, queue_max: 1 }),
            rows: self.ledger.open_version(&Arc::from(name), version, Vec::new()),
            batching: None,
            reaper: self.reaper.clone(),
        };
        self.loaded.insert((name.to_owned(), version, incarnation), Slot::new(model, fittings));
    }

    fn publish(&self, generation: u64, changed: Vec<ModelUpdate>, removed: &[&str]) -> Result<(), Error> {
        let removed = removed.iter().map(|name| (*name).to_owned()).collect();
        let update = RouteUpdate { generation, changed, removed };
        let loaded = |ServableId { name, version, incarnation }: ServableId<'_>| {
            self.loaded.get(&(name.to_owned(), version, incarnation)).cloned()
        };
        self.router.publish(&update, &self.ledger, loaded, |model, settings| {
            self.request_log.open(&Arc::from(model), settings)
        })
    }

    fn version(&self, name: &str, version: VersionChoice) -> Result<i64, Error> {
        let target = Target { model: name.to_owned(), version };
        self.router.acquire(&target).map(|handle| handle.slot().version())
    }
}

fn model(name: &str, ready: &[i64], default: Option<i64>, labels: &[(&str, i64)]) -> ModelUpdate {
    ModelUpdate {
        name: name.to_owned(),
        ready: first_incarnations(ready),
        default_version: default,
        labels: labels.iter().map(|(label, version)| ((*label).to_owned(), *version)).collect(),
        statuses: ready
            .iter()
            .rev()
            .map(|version| ModelVersionStatus { version: *version, state: 30, status: None })
            .collect(),
        log: None,
        traffic: None,
    }
}

fn label(label: &str) -> VersionChoice {
    VersionChoice::Label(label.to_owned())
}

fn said<T: fmt::Debug>(result: Result<T, Error>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn a_request_gets_the_version_it_names_or_the_label_names_or_the_default() {
    let world = World::with(&[("m", 1), ("m", 2), ("m", 3)]);
    world.publish(1, vec![model("m", &[3, 1, 2], Some(2), &[("z", 1), ("a", 3)])], &[]).unwrap();
    assert_eq!(world.version("m", VersionChoice::Default), Ok(2));
    assert_eq!(world.version("m", VersionChoice::Version(1)), Ok(1));
    assert_eq!(world.version("m", label("a")), Ok(3));
    assert_eq!(world.version("m", label("z")), Ok(1));
}

#[test]
fn what_is_not_there_is_refused_in_tensorflow_servings_words() {
    let world = World::with(&[("m", 1)]);
    world.publish(1, vec![model("m", &[1], None, &[("next", 2)])], &[]).unwrap();
    let cases = [
        ("", VersionChoice::Default, "INVALID_ARGUMENT: ModelSpec has no name specified."),
        ("", label("x"), "INVALID_ARGUMENT: ModelSpec has no name specified."),
        ("m", VersionChoice::Default, "NOT_FOUND: Servable not found for request: Latest(m)"),
        ("n", VersionChoice::Default, "NOT_FOUND: Servable not found for request: Latest(n)"),
        ("m", VersionChoice::Version(0), "NOT_FOUND: Servable not found for request: Specific(m, 0)"),
        ("n", VersionChoice::Version(-7), "NOT_FOUND: Servable not found for request: Specific(n, -7)"),
        ("m", label("next"), "NOT_FOUND: Servable not found for request: Specific(m, 2)"),
        ("m", label("other"), "INVALID_ARGUMENT: Unrecognized servable version label: other"),
        ("m", label(""), "INVALID_ARGUMENT: Unrecognized servable version label: "),
        ("n", label("next"), "INVALID_ARGUMENT: Unrecognized servable version label: next"),
    ];
    for (name, choice, text) in cases {
        assert_eq!(said(world.version(name, choice)), text);
    }
}

#[test]
fn an_update_that_is_wrong_anywhere_changes_nothing_at_all() {
    let world = World::with(&[("m", 1), ("n", 1)]);
    world.publish(5, vec![model("m", &[1], Some(1), &[])], &[]).unwrap();
    let good = model("n", &[1], Some(1), &[]);
    let wrong = [
        (5, vec![good.clone()], "generation 5 does not follow the present one, 5"),
        (6, vec![good.clone(), model("m", &[1, 2], Some(1), &[])], "version 2 of m is not loaded"),
        (6, vec![good.clone(), model("m", &[1], Some(2), &[])], "the default version 2 of m is not ready"),
        (6, vec![good.clone(), model("m", &[1, 1], Some(1), &[])], "version 1 of m appears twice"),
        (6, vec![good.clone(), model("m", &[], None, &[("a", 1), ("a", 2)])], "label a of m appears twice"),
        (6, vec![good.clone(), good.clone()], "model n appears twice"),
        (6, vec![good.clone(), model("", &[], None, &[])], "a model has no name"),
    ];
    for (generation, changed, reason) in wrong {
        let error = world.publish(generation, changed, &[]).unwrap_err();
        assert_eq!(error.code, Code::FailedPrecondition);
        assert!(error.message.ends_with(reason), "{error}");
    }
    assert!(said(world.publish(6, vec![good], &["n"])).ends_with("model n appears twice"));
    assert_eq!(world.router.table().generation(), 5);
    assert_eq!(world.router.table().has_ready("n"), None);
    assert_eq!(world.version("m", VersionChoice::Default), Ok(1));
}

#[test]
fn of_two_incarnations_of_a_number_the_one_that_the_route_names_answers_and_never_both() {
    let mut world = World::with(&[("m", 1)]);
    let (former, present) =
        (ServableId::first("m", 1), ServableId { incarnation: 4, ..ServableId::first("m", 1) });
    world.load(present);
    let ready = |incarnations: &[u64]| {
        let ready = incarnations.iter().map(|&incarnation| ReadyVersion { version: 1, incarnation });
        vec![ModelUpdate { ready: ready.collect(), ..model("m", &[1], Some(1), &[("a", 1)]) }]
    };
    world.publish(1, ready(&[0]), &[]).unwrap();
    assert!(said(world.publish(2, ready(&[0, 4]), &[])).ends_with("version 1 of m appears twice"));
    assert!(
        said(world.publish(2, ready(&[3]), &[])).ends_with("version 1, incarnation 3, of m is not loaded")
    );
    assert!(world.router.table().routes(former) && !world.router.table().routes(present));
    world.publish(2, ready(&[4]), &[]).unwrap();
    assert!(!world.router.table().routes(former) && world.router.table().routes(present));
    for choice in [VersionChoice::Default, VersionChoice::Version(1), label("a")] {
        let target = Target { model: "m".into(), version: choice };
        assert_eq!(world.router.acquire(&target).unwrap().slot().id(), present);
    }
}

#[test]
fn a_removed_model_is_gone_and_the_others_stay() {
    let world = World::with(&[("m", 1), ("n", 1)]);
    world.publish(1, vec![model("m", &[1], Some(1), &[]), model("n", &[1], Some(1), &[])], &[]).unwrap();
    world.publish(2, vec![], &["m", "never there"]).unwrap();
    let table = world.router.table();
    assert_eq!((table.has_ready("m"), table.has_ready("n")), (None, Some(true)));
    assert!(!table.routes(ServableId::first("m", 1)));
    let target = Target { model: "m".into(), version: VersionChoice::Default };
    assert_eq!(said(table.status(&target)), "NOT_FOUND: Could not find any versions of model m");
}

#[test]
fn status_lists_all_versions_or_the_one_asked_for_and_ignores_a_label() {
    let world = World::with(&[("m", 1), ("m", 2)]);
    world.publish(1, vec![model("m", &[1, 2], Some(2), &[])], &[]).unwrap();
    let versions = |version| {
        let target = Target { model: "m".into(), version };
        let status = world.router.table().status(&target)?;
        Ok(status.iter().map(|status| status.version).collect::<Vec<_>>())
    };
    assert_eq!(versions(VersionChoice::Default), Ok(vec![2, 1]));
    assert_eq!(versions(label("no such")), Ok(vec![2, 1]));
    assert_eq!(versions(VersionChoice::Version(1)), Ok(vec![1]));
    let missing = versions(VersionChoice::Version(9));
    assert_eq!(said(missing), "NOT_FOUND: Could not find version 9 of model m");
}

#[test]
fn a_version_that_is_closed_while_still_routed_fails_in_bounded_time() {
    let world = World::with(&[("m", 1)]);
    world.publish(1, vec![model("m", &[1], Some(1), &[])], &[]).unwrap();
    world.loaded[&("m".to_owned(), 1, 0)].retire(Instant::now());
    assert_eq!(world.version("m", VersionChoice::Default).unwrap_err().code, Code::Unavailable);
}

#[test]
fn a_request_that_reaches_no_version_is_counted_with_its_model_only_if_that_is_routed() {
    let world = World::with(&[]);
    world.publish(1, vec![model("m", &[], None, &[])], &[]).unwrap();
    let before = world.router.rows("m").unwrap();
    world.publish(2, vec![model("m", &[], None, &[("a", 1)])], &[]).unwrap();
    assert!(Arc::ptr_eq(&before, &world.router.rows("m").unwrap()));
    assert!(world.router.rows("made up").is_none());
}

#[test]
fn a_request_is_drawn_by_the_log_of_its_model_and_of_no_other() {
    let world = World::with(&[("logged", 1), ("quiet", 1)]);
    let log = |sampling_rate| Some(LogSettings { filename_prefix: "logged".into(), sampling_rate });
    let logged = |sampling_rate| ModelUpdate {
        log: log(sampling_rate),
        ..model("logged", &[1], Some(1), &[("stable", 1)])
    };
    world.publish(1, vec![logged(1.0), model("quiet", &[1], Some(1), &[])], &[]).unwrap();
    let draws = |name: &str, version| {
        let target = Target { model: name.to_owned(), version };
        world.router.acquire(&target).unwrap().log().is_some()
    };
    for version in
        [VersionChoice::Default, VersionChoice::Version(1), VersionChoice::Label("stable".to_owned())]
    {
        assert!(draws("logged", version));
    }
    assert!(!draws("quiet", VersionChoice::Default));
    world.publish(2, vec![logged(0.0)], &[]).unwrap();
    assert!(!draws("logged", VersionChoice::Default));
    world.publish(3, vec![model("logged", &[1], Some(1), &[])], &[]).unwrap();
    assert!(!draws("logged", VersionChoice::Default));
}

#[test]
fn a_log_that_cannot_be_opened_refuses_the_whole_update() {
    let world = World::with(&[("m", 1)]);
    let log = Some(LogSettings { filename_prefix: "../out".into(), sampling_rate: 1.0 });
    let error = world.publish(1, vec![ModelUpdate { log, ..model("m", &[1], Some(1), &[]) }], &[]);
    assert!(error.unwrap_err().message.contains("does not stay in the directory"));
    assert_eq!(world.router.table().generation(), 0);
    assert!(std::fs::read_dir(world.logs.path()).unwrap().next().is_none());
}
