//! Who answers a request that names neither version nor label: by override, by key, by chance.

use super::{
    assignment::{Arm, Assignment, Reason},
    bucket::{self, BUCKETS, Salt},
    caller::{Caller, Look},
    key::Key,
    settings::{BucketRange, TrafficSettings},
};
use crate::{
    error::Error,
    servable::Slot,
    shadow::Shadow,
    striped::{Padded, Striped},
    trial::Epoch,
};
use http::HeaderName;
use std::{fmt, sync::Arc};

/// Who asks: what a request says, as far as it matters for who answers.
pub struct Asker<'a> {
    /// Its metadata.
    pub caller: &'a Caller,
    /// The value of the input of this name, if that can be a key.
    pub input: &'a dyn Fn(&str) -> Option<Key>,
}

impl fmt::Debug for Asker<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Asker").field("caller", &self.caller).finish_non_exhaustive()
    }
}

/// The split of one model, ready for requests.
pub(crate) struct Split {
    settings: TrafficSettings,
    key_header: HeaderName,
    salt: Salt,
    /// Ascending.
    parts: Box<[Part]>,
    epoch: Striped<Held>,
    shadow: Option<Arc<Shadow>>,
}

/// An epoch as requests hold it: each counts itself in and out with its thread's own count.
pub(super) type Held = Arc<Padded<Arc<Epoch>>>;

/// A range of buckets.
struct Part {
    start: u16,
    stop: u16,
    arm: Arm,
    /// None while its version is not ready.
    slot: Option<Arc<Slot>>,
}

/// The version that a request goes to, and why.
pub(crate) struct Place<'a> {
    pub(crate) slot: &'a Arc<Slot>,
    assigned: Arm,
    reason: Reason,
    key: Option<u64>,
    is_explained: bool,
}

impl Split {
    /// A split by settings that were checked; `ready` are the versions that answer.
    pub(crate) fn new(settings: &TrafficSettings, ready: &[Arc<Slot>], epoch: &Arc<Epoch>) -> Self {
        let find = |version| ready.iter().find(|slot| slot.version() == version).cloned();
        let part = |range: BucketRange| Part {
            start: range.start,
            stop: range.stop,
            arm: if settings.candidate == Some(range.version) { Arm::Candidate } else { Arm::Other },
            slot: find(range.version),
        };
        Self {
            key_header: HeaderName::from_lowercase(settings.key_header.as_bytes())
                .unwrap_or(HeaderName::from_static("x-routing-key")), // it was checked
            salt: Salt::new(&settings.salt),
            parts: settings.ascending().into_iter().map(part).collect(),
            settings: settings.clone(),
            epoch: Striped::new(|| Arc::new(Padded(Arc::clone(epoch)))),
            shadow: None,
        }
    }

    /// The same split, whose default version has this shadow, or none.
    pub(crate) fn with_shadow(self, shadow: Option<Arc<Shadow>>) -> Self {
        Self { shadow, ..self }
    }

    pub(crate) fn settings(&self) -> &TrafficSettings {
        &self.settings
    }

    /// Where a request goes; `default` answers what belongs to nobody else, and `ready` finds a version that answers.
    pub(crate) fn place<'a>(
        &'a self,
        asker: &Asker<'_>,
        default: &'a Arc<Slot>,
        ready: impl Fn(i64) -> Option<&'a Arc<Slot>>,
    ) -> Result<Place<'a>, Error> {
        let Look { key, asks_why: is_explained } = asker.caller.look(&self.key_header);
        if self.settings.may_override
            && let Some(version) = asker.caller.version()?
        {
            let slot = ready(version).ok_or_else(|| not_ready(version, default))?;
            return Ok(Place {
                slot,
                assigned: self.arm_of(slot, default),
                reason: Reason::Override,
                key: None,
                is_explained,
            });
        }
        let (bucket, reason, key) = self.bucket(key, asker.input);
        let (slot, assigned, reason) = match self.part(bucket) {
            None => (default, self.arm_of(default, default), reason),
            Some(Part { slot: Some(own), .. }) => (own, self.arm_of(own, default), reason),
            Some(Part { arm, slot: None, .. }) => (default, *arm, Reason::Fallback),
        };
        Ok(Place { slot, assigned, reason, key, is_explained })
    }

    /// What the request is for the trial.
    pub(crate) fn assignment(&self, place: &Place<'_>, default: &Arc<Slot>, caller: &Caller) -> Assignment {
        let &Place { slot, assigned, reason, key, is_explained } = place;
        let epoch = self.epoch.mine();
        let is_key_known = epoch.assign(assigned, reason, key);
        let shadow = self.shadow(slot, default, reason).cloned();
        let is_kept = shadow.is_some() || epoch.remembers();
        Assignment {
            epoch: Arc::clone(epoch),
            assigned,
            answers: self.arm_of(slot, default),
            reason,
            key,
            is_key_known,
            request_id: is_kept.then(|| caller.request_id()),
            is_explained,
            stage: 0.into(),
            is_invalid: false.into(),
            shadow,
        }
    }

    /// The shadow that this request is drawn for: of those that the default version answers, and that did not ask who
    /// answers them.
    fn shadow(&self, slot: &Arc<Slot>, default: &Arc<Slot>, reason: Reason) -> Option<&Arc<Shadow>> {
        let shadow = self.shadow.as_ref()?;
        let may_be = reason != Reason::Override && slot.version() == default.version();
        (may_be && shadow.draws()).then_some(shadow)
    }

    fn bucket(&self, key: Option<&[u8]>, input: &dyn Fn(&str) -> Option<Key>) -> (u16, Reason, Option<u64>) {
        let hash = key.map(|key| self.salt.hash(key)).or_else(|| {
            let key = input(self.settings.key_input.as_deref()?)?;
            Some(self.salt.hash(key.as_bytes()))
        });
        match hash {
            Some(hash) => (bucket::bucket(hash), Reason::Sticky, Some(hash)),
            None => (fastrand::u16(..BUCKETS), Reason::Random, None),
        }
    }

    fn part(&self, bucket: u16) -> Option<&Part> {
        let after = self.parts.partition_point(|part| part.start <= bucket);
        self.parts.get(after.checked_sub(1)?).filter(|part| bucket < part.stop)
    }

    fn arm_of(&self, slot: &Arc<Slot>, default: &Arc<Slot>) -> Arm {
        if self.settings.candidate == Some(slot.version()) {
            Arm::Candidate
        } else if slot.version() == default.version() {
            Arm::Baseline
        } else {
            Arm::Other
        }
    }
}

fn not_ready(version: i64, default: &Slot) -> Error {
    Error::not_found(format!(
        "x-understudy-version asks for version {version} of {}, which is not ready; leave the header out, or name a \
         version that is",
        default.name()
    ))
}

#[cfg(test)]
#[path = "split_tests.rs"]
mod tests;
