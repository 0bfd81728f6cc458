//! Whose counts there are: models that are loaded or routed, a bounded number of those that are gone, and one for all
//! names that are not here. A client that makes up names makes no series.
//!
//! Locked when a version or a model comes or goes and when somebody reads, never by a request.

use super::counts::ModelCounts;
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// How many models that are gone keep their counts; beyond it those that went first are forgotten.
const GONE_MAX: usize = 256;

/// Counts by model.
#[derive(Debug)]
pub struct Models {
    unknown: Arc<ModelCounts>,
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    present: HashMap<Arc<str>, Present>,
    gone: VecDeque<Arc<ModelCounts>>,
}

#[derive(Debug)]
struct Present {
    counts: Arc<ModelCounts>,
    /// By how many it was opened and not closed again.
    holders: usize,
}

impl Default for Models {
    fn default() -> Self {
        Self { unknown: ModelCounts::new(Arc::from("")), books: Mutex::default() }
    }
}

impl Models {
    /// The model's counts, which go on where they were if the model was here before.
    pub fn open(&self, model: &Arc<str>) -> Arc<ModelCounts> {
        let mut books = self.books();
        let Books { present, gone } = &mut *books;
        let entry = present.entry(Arc::clone(model)).or_insert_with(|| {
            let before = gone.iter().position(|counts| counts.model() == model);
            let counts = before.and_then(|index| gone.remove(index));
            Present { counts: counts.unwrap_or_else(|| ModelCounts::new(Arc::clone(model))), holders: 0 }
        });
        entry.holders += 1;
        Arc::clone(&entry.counts)
    }

    /// Takes one [`Self::open`] back; with the last of them the model is gone.
    pub fn close(&self, counts: &ModelCounts) {
        let mut books = self.books();
        let Some(entry) = books.present.get_mut(counts.model()) else { return };
        entry.holders -= 1;
        if entry.holders > 0 {
            return;
        }
        if let Some(Present { counts, .. }) = books.present.remove(counts.model()) {
            books.gone.push_back(counts);
        }
        if books.gone.len() > GONE_MAX {
            books.gone.pop_front();
        }
    }

    /// The same until what this returns is dropped.
    pub fn hold(&self, model: &Arc<str>) -> Held<'_> {
        Held { models: self, counts: self.open(model) }
    }

    /// The counts of all requests that named a model that is not here, or none.
    #[must_use]
    pub fn unknown(&self) -> &Arc<ModelCounts> {
        &self.unknown
    }

    /// All counts, by name; the unknown ones first.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<ModelCounts>> {
        let books = self.books();
        let present = books.present.values().map(|entry| &entry.counts);
        let mut all: Vec<_> = present.chain(&books.gone).chain([&self.unknown]).cloned().collect();
        drop(books);
        all.sort_unstable_by(|one, other| one.model().cmp(other.model()));
        all
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A model's counts, opened for a while.
#[derive(Debug)]
pub struct Held<'a> {
    models: &'a Models,
    counts: Arc<ModelCounts>,
}

impl Held<'_> {
    /// What is held.
    #[must_use]
    pub fn counts(&self) -> &ModelCounts {
        &self.counts
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.models.close(&self.counts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use crate::metrics::{CountedApi, Entry};
    use std::time::Duration;

    fn count(counts: &ModelCounts) {
        counts.record_request(Entry::Grpc(CountedApi::Predict), Code::Ok, Duration::ZERO);
    }

    fn counted(models: &Models, name: &str) -> u64 {
        let all = models.all();
        let of_name = all.iter().filter(|counts| counts.model().as_ref() == name);
        of_name.flat_map(|counts| counts.requests().map(|(_, count)| count)).sum()
    }

    #[test]
    fn versions_share_their_models_counts_and_one_that_returns_goes_on() {
        let models = Models::default();
        let name = Arc::from("m");
        let (first, second) = (models.open(&name), models.open(&name));
        count(&first);
        count(&second);
        models.close(&first);
        models.close(&second);
        assert_eq!(counted(&models, "m"), 2);
        count(&models.open(&name));
        assert_eq!(counted(&models, "m"), 3);
        assert_eq!(models.all().len(), 2, "the model and the unknown ones");
    }

    #[test]
    fn models_that_are_gone_are_kept_in_bounded_number() {
        let models = Models::default();
        for index in 0..GONE_MAX + 10 {
            let counts = models.open(&Arc::from(format!("m{index:04}")));
            count(&counts);
            models.close(&counts);
        }
        assert_eq!(models.all().len(), GONE_MAX + 1);
        assert_eq!((counted(&models, "m0009"), counted(&models, "m0010")), (0, 1));
    }

    #[test]
    fn counts_that_were_closed_once_too_often_do_no_harm() {
        let models = Models::default();
        let counts = models.open(&Arc::from("m"));
        models.close(&counts);
        models.close(&counts);
        assert_eq!(models.all().len(), 2);
    }
}
