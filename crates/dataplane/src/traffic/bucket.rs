//! From salt and key to a bucket. The formula is a promise to programs in other languages: it never changes.

use xxhash_rust::xxh3::xxh3_64;

/// How many buckets the traffic of a model has; a weight of one is a hundredth of a per cent.
pub const BUCKETS: u16 = 10_000;

/// Up to so many bytes are put together on the stack. It is also as far as the hash's own short way goes.
const STACK_BYTES: usize = 240;

/// What a model's keys are hashed with: the salt, and a zero byte that ends it.
#[derive(Clone, Debug)]
pub(super) struct Salt(Box<[u8]>);

impl Salt {
    pub(super) fn new(salt: &str) -> Self {
        Self([salt.as_bytes(), &[0]].concat().into())
    }

    /// `xxh3_64(salt ‖ 0x00 ‖ key)`.
    pub(super) fn hash(&self, key: &[u8]) -> u64 {
        let (salt, length) = (self.0.len(), self.0.len() + key.len());
        let mut short = [0; STACK_BYTES];
        if let Some(whole) = short.get_mut(..length)
            && let Some((head, tail)) = whole.split_at_mut_checked(salt)
        {
            head.copy_from_slice(&self.0);
            tail.copy_from_slice(key);
            return xxh3_64(whole);
        }
        xxh3_64(&[&self.0, key].concat())
    }
}

/// The bucket of a hash.
pub(super) fn bucket(hash: u64) -> u16 {
    u16::try_from(hash % u64::from(BUCKETS)).unwrap_or_default() // below 10,000
}

/// The bucket of a key under a salt: `xxh3_64(salt ‖ 0x00 ‖ key) mod 10000`.
#[must_use]
pub fn bucket_of(salt: &str, key: &[u8]) -> u16 {
    bucket(Salt::new(salt).hash(key))
}

#[cfg(test)]
#[path = "bucket_tests.rs"]
mod tests;
