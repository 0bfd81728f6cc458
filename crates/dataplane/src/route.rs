//! Which version answers: the route table, an immutable snapshot that is replaced whole.
//!
//! Requests read it without a lock. A publish builds the next table from the present one; the map is persistent,
//! so that costs in proportion to what changed, not to how many models there are.

use crate::{
    error::Error,
    inference::{Target, VersionChoice},
    request_log::{CapturePoint, Drawn, LogSettings, ModelLog},
    servable::{Handle, ServableId, Slot},
    shadow::{Mirroring, Shadow, Shadows},
    stats::{Ledger, Rows},
    traffic::{Asker, ShadowSettings, Split, TrafficSettings},
    trial::Trials,
    wire::tensorflow::serving::ModelVersionStatus,
};
use arc_swap::ArcSwap;
use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// How often one request looks again because the version it chose was closed under its hands. Each time takes a
/// publish and an unload between two instructions, so the second look practically always succeeds.
const ATTEMPTS_MAX: usize = 16;

/// The step from one table to the next: only what changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RouteUpdate {
    /// Of the table after the step; must be greater than the present one's.
    pub generation: u64,
    /// Models that are new or differ, whole.
    pub changed: Vec<ModelUpdate>,
    /// Names of models that are gone; one that is not there is gone already.
    pub removed: Vec<String>,
}

/// What requests of one model shall see.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelUpdate {
    /// The model.
    pub name: String,
    /// Its versions that answer; each must be loaded, and each number may answer once.
    pub ready: Vec<ReadyVersion>,
    /// Who answers a request that names neither version nor label; one of the ready ones.
    pub default_version: Option<i64>,
    /// Label and version; a version that is not ready answers `NOT_FOUND`.
    pub labels: Vec<(String, i64)>,
    /// Every version ever seen, descending.
    pub statuses: Vec<ModelVersionStatus>,
    /// What to log of its requests; none: nothing.
    pub log: Option<LogSettings>,
    /// How requests that name neither version nor label are split; none: the default version answers all.
    pub traffic: Option<TrafficSettings>,
}

impl ModelUpdate {
    fn has_shadow(&self) -> bool {
        self.traffic.as_ref().is_some_and(|traffic| traffic.shadow.is_some())
    }
}

/// A version that answers. Requests choose it by its number; which of the incarnations of that number they reach
/// is decided here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadyVersion {
    /// Its number.
    pub version: i64,
    /// Which of those that are loaded under this number.
    pub incarnation: u64,
}

/// What requests of one model see.
pub struct ModelRoute {
    /// Ascending by version.
    ready: Box<[Arc<Slot>]>,
    choice: DefaultChoice,
    /// Ascending by label.
    labels: Box<[(Box<str>, i64)]>,
    statuses: Box<[ModelVersionStatus]>,
    log: Option<Arc<ModelLog>>,
    split: Option<Split>,
    /// The same as long as the model is routed, and so are its rows.
    captures: Arc<CapturePoint>,
    /// What is counted of requests that reached no version.
    rows: Arc<Rows>,
}

/// Who answers a request that names neither version nor label, and belongs to no part of a split.
enum DefaultChoice {
    Nobody,
    One(Arc<Slot>),
}

/// One generation of routes.
#[derive(Default)]
pub struct RouteTable {
    generation: u64,
    models: imbl::HashMap<Arc<str>, Arc<ModelRoute>>,
}

impl fmt::Debug for RouteTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RouteTable {{ generation: {}, models: {} }}", self.generation, self.models.len())
    }
}

impl ModelRoute {
    fn version(&self, version: i64) -> Option<&Arc<Slot>> {
        let index = self.ready.binary_search_by_key(&version, |slot| slot.version()).ok()?;
        self.ready.get(index)
    }

    fn label(&self, label: &str) -> Option<i64> {
        let index = self.labels.binary_search_by(|(name, _)| name.as_ref().cmp(label)).ok()?;
        self.labels.get(index).map(|(_, version)| *version)
    }

    fn lasting(&self) -> Lasting {
        Lasting { captures: Arc::clone(&self.captures), rows: Arc::clone(&self.rows) }
    }

    /// Who keeps a request that this version answers.
    fn draw(&self, version: i64) -> Option<Box<Drawn>> {
        Drawn::by(self.log.as_ref().filter(|log| log.draws()).cloned(), self.captures.draw(version))
    }

    fn default_version(&self) -> Option<&Arc<Slot>> {
        match &self.choice {
            DefaultChoice::Nobody => None,
            DefaultChoice::One(slot) => Some(slot),
        }
    }
}

impl RouteTable {
    /// Its number; only grows.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    fn model(&self, name: &str) -> Option<&ModelRoute> {
        self.models.get(name).map(AsRef::as_ref)
    }

    /// The version that answers this target, with TensorFlow Serving's words when there is none.
    pub fn resolve(&self, target: &Target) -> Result<&Arc<Slot>, Error> {
        self.find(target).map(|(_, slot)| slot)
    }

    /// The same, with the model's route.
    fn find(&self, target: &Target) -> Result<(Option<&ModelRoute>, &Arc<Slot>), Error> {
        let name = target.model.as_str();
        if name.is_empty() {
            return Err(Error::invalid_argument("ModelSpec has no name specified."));
        }
        let model = self.model(name);
        let slot = match &target.version {
            VersionChoice::Version(version) => specific(model, name, *version),
            VersionChoice::Label(label) => {
                let version = model.and_then(|model| model.label(label)).ok_or_else(|| {
                    Error::invalid_argument(format!("Unrecognized servable version label: {label}"))
                })?;
                specific(model, name, version)
            }
            VersionChoice::Default => model
                .and_then(ModelRoute::default_version)
                .ok_or_else(|| Error::not_found(format!("Servable not found for request: Latest({name})"))),
        };
        Ok((model, slot?))
    }

    /// Whether some version of this model answers; none for a model that is not here.
    #[must_use]
    pub fn has_ready(&self, name: &str) -> Option<bool> {
        self.model(name).map(|model| !model.ready.is_empty())
    }

    /// Whether this version, in this incarnation, is among those that answer.
    #[must_use]
    pub fn routes(&self, id: ServableId<'_>) -> bool {
        let answering = self.model(id.name).and_then(|model| model.version(id.version));
        answering.is_some_and(|slot| slot.id() == id)
    }

    /// Every version of a model that was ever seen, descending, or the one asked for. A label is ignored.
    pub fn status(&self, target: &Target) -> Result<Vec<ModelVersionStatus>, Error> {
        let name = &target.model;
        let all = self.model(name).map_or(&[][..], |model| &model.statuses);
        let (found, missing): (Vec<_>, _) = match target.version {
            VersionChoice::Version(version) => (
                all.iter().filter(|status| status.version == version).cloned().collect(),
                format!("Could not find version {version} of model {name}"),
            ),
            _ => (all.to_vec(), format!("Could not find any versions of model {name}")),
        };
        if found.is_empty() { Err(Error::not_found(missing)) } else { Ok(found) }
    }
}

fn specific<'a>(model: Option<&'a ModelRoute>, name: &str, version: i64) -> Result<&'a Arc<Slot>, Error> {
    model.and_then(|model| model.version(version)).ok_or_else(|| {
        Error::not_found(format!("Servable not found for request: Specific({name}, {version})"))
    })
}

/// The present table, and the only one who replaces it.
#[derive(Debug)]
pub struct Router {
    table: ArcSwap<RouteTable>,
    publishing: Mutex<()>,
    trials: Trials,
    shadows: Shadows,
}

impl Default for Router {
    fn default() -> Self {
        Self::new(Shadows::default())
    }
}

impl Router {
    /// An empty table, and who runs what its models' shadows are given.
    #[must_use]
    pub fn new(shadows: Shadows) -> Self {
        let table = ArcSwap::from_pointee(RouteTable::default());
        Self { table, publishing: Mutex::new(()), trials: Trials::default(), shadows }
    }

    /// A hold on the version that answers this target; of a split model the default one.
    pub fn acquire(&self, target: &Target) -> Result<Handle, Error> {
        self.hold(target, None)
    }

    /// A hold on the version that answers this request.
    pub fn acquire_for(&self, target: &Target, asker: &Asker<'_>) -> Result<Handle, Error> {
        self.hold(target, Some(asker).filter(|_| target.version == VersionChoice::Default))
    }

    /// `asker` is none where nothing is split.
    fn hold(&self, target: &Target, asker: Option<&Asker<'_>>) -> Result<Handle, Error> {
        for _ in 0..ATTEMPTS_MAX {
            // A closed slot means that this table is no longer the present one: a version is unloaded only after
            // a publish took it out.
            let table = self.table.load();
            let (model, slot) = table.find(target)?;
            let held = match (asker, model.and_then(|model| Some((model, model.split.as_ref()?)))) {
                (Some(asker), Some((model, split))) => {
                    let place = split.place(asker, slot, |version| model.version(version))?;
                    let assignment = || split.assignment(&place, slot, asker.caller);
                    place.slot.acquire().map(|handle| handle.assigned(assignment()))
                }
                _ => slot.acquire(),
            };
            if let Some(handle) = held {
                let drawn = model.and_then(|model| model.draw(handle.slot().version()));
                return Ok(handle.logged(drawn));
            }
        }
        Err(Error::unavailable(format!("the versions of {} change too fast; try again", target.model)))
    }

    /// The trials under way.
    #[must_use]
    pub fn trials(&self) -> &Trials {
        &self.trials
    }

    /// The present table.
    #[must_use]
    pub fn table(&self) -> Arc<RouteTable> {
        self.table.load_full()
    }

    /// Where to count a request that reached no version; none for a model that is not routed.
    #[must_use]
    pub fn rows(&self, name: &str) -> Option<Arc<Rows>> {
        self.table.load().model(name).map(|model| Arc::clone(&model.rows))
    }

    /// Where requests of a model are captured, and its name; none for a model that is not routed.
    #[must_use]
    pub fn captures(&self, name: &str) -> Option<(Arc<str>, Arc<CapturePoint>)> {
        let table = self.table.load();
        let (name, model) = table.models.get_key_value(name)?;
        Some((Arc::clone(name), Arc::clone(&model.captures)))
    }

    /// Replaces the table, or refuses the whole update and leaves the present one. `loaded` finds the slot of a
    /// version, `open_log` the log of a model.
    pub fn publish(
        &self,
        update: &RouteUpdate,
        ledger: &Ledger,
        loaded: impl Fn(ServableId<'_>) -> Option<Arc<Slot>>,
        open_log: impl Fn(&str, &LogSettings) -> Result<Arc<ModelLog>, Error>,
    ) -> Result<(), Error> {
        let _one_at_a_time = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        let present = self.table.load_full();
        check_whole(&present, update)?;
        let mut checked = Vec::with_capacity(update.changed.len());
        for model in &update.changed {
            let log = model.log.as_ref().map(|settings| open_log(&model.name, settings)).transpose();
            check_traffic(model, present.model(&model.name))?;
            checked.push((model, check_model(model, &loaded)?, log.map_err(|error| refused(error.message))?));
        }
        if update.changed.iter().any(ModelUpdate::has_shadow) {
            self.shadows.start().map_err(|error| refused(error.message))?;
        }
        // Nothing below can fail, so that a refused update has left no trace.
        let mut models = present.models.clone();
        for name in &update.removed {
            self.trials.close(name);
            if let Some(gone) = models.remove(name.as_str()) {
                ledger.retire(&gone.rows);
            }
        }
        for (model, ready, log) in checked {
            let known = models.get_key_value(model.name.as_str());
            let (name, lasting) = known.map_or_else(
                || newcomer(&model.name, ledger),
                |(name, before)| (Arc::clone(name), before.lasting()),
            );
            let split = self.open_split(&name, model, &ready);
            models.insert(name, Arc::new(build_model(model, ready, Kept { log, split, lasting })));
        }
        self.table.store(Arc::new(RouteTable { generation: update.generation, models }));
        Ok(())
    }

    /// The model's split, whose requests add to its trial; without one, its trial is over.
    fn open_split(&self, name: &Arc<str>, model: &ModelUpdate, ready: &[Arc<Slot>]) -> Option<Split> {
        let Some(traffic) = &model.traffic else {
            self.trials.close(name);
            return None;
        };
        let split = Split::new(traffic, ready, &self.trials.open(name, traffic));
        Some(split.with_shadow(self.open_shadow(name, model, ready)))
    }

    /// The shadow of the model's default version, if it is to have one and both versions are ready.
    fn open_shadow(&self, name: &str, model: &ModelUpdate, ready: &[Arc<Slot>]) -> Option<Arc<Shadow>> {
        let settings = model.traffic.as_ref()?.shadow?;
        let find = |version| ready.iter().find(|slot| slot.version() == version);
        let (baseline, candidate) = (find(model.default_version?)?, find(settings.version)?);
        let tally = Arc::clone(self.trials.of(name)?.shadow());
        let ShadowSettings { share, tolerance, .. } = settings;
        self.shadows.open(baseline, candidate, Mirroring { share, tolerance, tally })
    }
}

/// Whether this model's traffic can be split so, after what is in force.
fn check_traffic(model: &ModelUpdate, present: Option<&ModelRoute>) -> Result<(), Error> {
    let Some(traffic) = &model.traffic else { return Ok(()) };
    let before = present.and_then(|present| present.split.as_ref()).map(Split::settings);
    let checked = traffic.check(before);
    checked.map_err(|error| refused(format!("the traffic of {}: {}", model.name, error.message)))
}

/// What stays the same from one route of a model to its next.
struct Lasting {
    captures: Arc<CapturePoint>,
    rows: Arc<Rows>,
}

fn newcomer(name: &str, ledger: &Ledger) -> (Arc<str>, Lasting) {
    let name = Arc::from(name);
    let rows = ledger.open_model(&name);
    (name, Lasting { captures: Arc::default(), rows })
}

fn check_whole(present: &RouteTable, update: &RouteUpdate) -> Result<(), Error> {
    if update.generation <= present.generation {
        return Err(refused(format!(
            "generation {} does not follow the present one, {}",
            update.generation, present.generation
        )));
    }
    let changed = update.changed.iter().map(|model| model.name.as_str());
    let mut seen = HashSet::new();
    match changed.chain(update.removed.iter().map(String::as_str)).find(|name| !seen.insert(*name)) {
        Some(twice) => Err(refused(format!("model {twice} appears twice"))),
        None => Ok(()),
    }
}

/// The slots of the ready versions, ascending, or why this model's route cannot be.
fn check_model(
    model: &ModelUpdate,
    loaded: &impl Fn(ServableId<'_>) -> Option<Arc<Slot>>,
) -> Result<Vec<Arc<Slot>>, Error> {
    let name = model.name.as_str();
    if name.is_empty() {
        return Err(refused("a model has no name"));
    }
    let mut ready = Vec::with_capacity(model.ready.len());
    for &ReadyVersion { version, incarnation } in &model.ready {
        let id = ServableId { name, version, incarnation };
        ready.push(loaded(id).ok_or_else(|| refused(format!("{id} is not loaded")))?);
    }
    ready.sort_by_key(|slot| slot.version());
    if let Some(twice) = first_twice(ready.iter().map(|slot| slot.version())) {
        return Err(refused(format!("version {twice} of {name} appears twice")));
    }
    let is_ready = |version: &i64| model.ready.iter().any(|ready| ready.version == *version);
    if let Some(default) = model.default_version.filter(|version| !is_ready(version)) {
        return Err(refused(format!("the default version {default} of {name} is not ready")));
    }
    if let Some(twice) = first_twice(model.labels.iter().map(|(label, _)| label)) {
        return Err(refused(format!("label {twice} of {name} appears twice")));
    }
    Ok(ready)
}

fn first_twice<T: Eq + std::hash::Hash + Copy>(mut items: impl Iterator<Item = T>) -> Option<T> {
    let mut seen = HashSet::new();
    items.find(|item| !seen.insert(*item))
}

fn refused(reason: impl fmt::Display) -> Error {
    Error::failed_precondition(format!("the route update is refused, nothing changed: {reason}"))
}

/// What a route has beside what its update says.
struct Kept {
    log: Option<Arc<ModelLog>>,
    split: Option<Split>,
    lasting: Lasting,
}

fn build_model(model: &ModelUpdate, ready: Vec<Arc<Slot>>, kept: Kept) -> ModelRoute {
    let Kept { log, split, lasting: Lasting { captures, rows } } = kept;
    let default = ready.iter().find(|slot| Some(slot.version()) == model.default_version);
    let choice = default.map_or(DefaultChoice::Nobody, |slot| DefaultChoice::One(Arc::clone(slot)));
    let mut labels: Box<[_]> =
        model.labels.iter().map(|(label, version)| (Box::from(label.as_str()), *version)).collect();
    labels.sort();
    let statuses = model.statuses.as_slice().into();
    ModelRoute { ready: ready.into(), choice, labels, statuses, log, split, captures, rows }
}

#[cfg(test)]
#[path = "route_tests.rs"]
mod tests;
