//! Which versions are loaded, being loaded or being unloaded: one entry each. Locked by loads, unloads, publishes
//! and readers of statistics, never by a request.

use crate::{
    error::Error,
    servable::{ServableId, Slot},
};
use std::{collections::BTreeMap, sync::Arc};

/// Where one version is in its life here.
enum Entry {
    Loading,
    Loaded(Arc<Slot>),
    Unloading(Arc<Slot>),
}

/// Every version that is here, incarnations of one number apart from each other.
#[derive(Default)]
pub(crate) struct Registry {
    models: BTreeMap<String, BTreeMap<Key, Entry>>,
}

/// A version's number and incarnation.
type Key = (i64, u64);

fn key(id: ServableId<'_>) -> Key {
    (id.version, id.incarnation)
}

impl Registry {
    /// Notes that a load begins; `FAILED_PRECONDITION` when the version is here already.
    pub(crate) fn begin_load(&mut self, id: ServableId<'_>) -> Result<(), Error> {
        let versions = self.models.entry(id.name.to_owned()).or_default();
        let state = match versions.get(&key(id)) {
            None => {
                versions.insert(key(id), Entry::Loading);
                return Ok(());
            }
            Some(Entry::Loading) => "being loaded",
            Some(Entry::Loaded(_)) => "loaded",
            Some(Entry::Unloading(_)) => "being unloaded",
        };
        Err(Error::failed_precondition(format!("{id} is {state} already")))
    }

    /// The load succeeded.
    pub(crate) fn finish_load(&mut self, slot: Arc<Slot>) {
        let versions = self.models.entry(slot.name().as_ref().to_owned()).or_default();
        versions.insert(key(slot.id()), Entry::Loaded(slot));
    }

    /// Notes that an unload begins.
    pub(crate) fn begin_unload(&mut self, id: ServableId<'_>) -> Result<Arc<Slot>, Error> {
        let entry = self.models.get_mut(id.name).and_then(|versions| versions.get_mut(&key(id)));
        let entry = entry.ok_or_else(|| Error::not_found(format!("{id} is not loaded")))?;
        let state = match entry {
            Entry::Loaded(slot) => {
                let slot = Arc::clone(slot);
                *entry = Entry::Unloading(Arc::clone(&slot));
                return Ok(slot);
            }
            Entry::Loading => "still being loaded",
            Entry::Unloading(_) => "being unloaded already",
        };
        Err(Error::failed_precondition(format!("{id} is {state}")))
    }

    /// The version is not here any more.
    pub(crate) fn remove(&mut self, id: ServableId<'_>) {
        if let Some(versions) = self.models.get_mut(id.name) {
            versions.remove(&key(id));
            if versions.is_empty() {
                self.models.remove(id.name);
            }
        }
    }

    /// The slot of a version that may be routed.
    pub(crate) fn loaded(&self, id: ServableId<'_>) -> Option<Arc<Slot>> {
        match self.models.get(id.name)?.get(&key(id))? {
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
