//! Which versions are loaded, being loaded or being unloaded: one entry each. Locked by loads, unloads, publishes
//! and readers of statistics, never by a request.

use crate::{error::Error, servable::Slot};
use std::{collections::BTreeMap, sync::Arc};

/// Where one version is in its life here.
enum Entry {
    Loading,
    Loaded(Arc<Slot>),
    Unloading(Arc<Slot>),
}

/// Every version that is here.
#[derive(Default)]
pub(crate) struct Registry {
    models: BTreeMap<String, BTreeMap<i64, Entry>>,
}

impl Registry {
    /// Notes that a load begins; `FAILED_PRECONDITION` when the version is here already.
    pub(crate) fn begin_load(&mut self, name: &str, version: i64) -> Result<(), Error> {
        let versions = self.models.entry(name.to_owned()).or_default();
        let state = match versions.get(&version) {
            None => {
                versions.insert(version, Entry::Loading);
                return Ok(());
            }
            Some(Entry::Loading) => "being loaded",
            Some(Entry::Loaded(_)) => "loaded",
            Some(Entry::Unloading(_)) => "being unloaded",
        };
        Err(Error::failed_precondition(format!("version {version} of {name} is {state} already")))
    }

    /// The load succeeded.
    pub(crate) fn finish_load(&mut self, slot: Arc<Slot>) {
        let versions = self.models.entry(slot.name().as_ref().to_owned()).or_default();
        versions.insert(slot.version(), Entry::Loaded(slot));
    }

    /// Notes that an unload begins.
    pub(crate) fn begin_unload(&mut self, name: &str, version: i64) -> Result<Arc<Slot>, Error> {
        let entry = self.models.get_mut(name).and_then(|versions| versions.get_mut(&version));
        let entry =
            entry.ok_or_else(|| Error::not_found(format!("version {version} of {name} is not loaded")))?;
        let state = match entry {
            Entry::Loaded(slot) => {
                let slot = Arc::clone(slot);
                *entry = Entry::Unloading(Arc::clone(&slot));
                return Ok(slot);
            }
            Entry::Loading => "still being loaded",
            Entry::Unloading(_) => "being unloaded already",
        };
        Err(Error::failed_precondition(format!("version {version} of {name} is {state}")))
    }

    /// The version is not here any more.
    pub(crate) fn remove(&mut self, name: &str, version: i64) {
        if let Some(versions) = self.models.get_mut(name) {
            versions.remove(&version);
            if versions.is_empty() {
                self.models.remove(name);
            }
        }
    }

    /// The slot of a version that may be routed.
    pub(crate) fn loaded(&self, name: &str, version: i64) -> Option<Arc<Slot>> {
        match self.models.get(name)?.get(&version)? {
            Entry::Loaded(slot) => Some(Arc::clone(slot)),
            Entry::Loading | Entry::Unloading(_) => None,
        }
    }

    /// Every slot, those being unloaded included.
    pub(crate) fn slots(&self) -> impl Iterator<Item = &Arc<Slot>> {
        self.models.values().flat_map(BTreeMap::values).filter_map(|entry| match entry {
            Entry::Loaded(slot) | Entry::Unloading(slot) => Some(slot),
            Entry::Loading => None,
        })
    }
}
