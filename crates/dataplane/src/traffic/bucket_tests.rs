//! The formula against the test vectors that are documented, which another implementation made; whether buckets are
//! filled evenly by keys as there are; whether two salts know nothing of each other.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test may panic

use super::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Vector {
    salt: String,
    key_hex: String,
    hash_hex: String,
    bucket: u16,
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("../../../../docs/reference/traffic-assignment.json")).unwrap()
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn every_documented_key_has_its_documented_bucket() {
    let vectors = vectors();
    assert!(vectors.len() > 20);
    for Vector { salt, key_hex, hash_hex, bucket } in vectors {
        let key = bytes(&key_hex);
        assert_eq!(format!("{:016x}", Salt::new(&salt).hash(&key)), hash_hex, "{salt} {key_hex}");
        assert_eq!(bucket_of(&salt, &key), bucket, "{salt} {key_hex}");
    }
}

#[test]
fn a_key_is_hashed_alike_on_the_stack_and_beyond_it() {
    for length in 0..2 * STACK_BYTES {
        let key = vec![b'k'; length];
        assert_eq!(Salt::new("salt").hash(&key), xxh3_64(&[&b"salt\0"[..], &key].concat()), "{length}");
    }
}

const KEYS: u32 = 200_000;

/// Keys as people have them, each kind by itself.
fn kinds() -> Vec<(&'static str, Vec<String>)> {
    let mut random = fastrand::Rng::with_seed(7);
    let names = ["ada", "grace", "alan", "kurt", "emmy", "john", "katherine", "edsger"];
    let hosts = ["example.org", "example.com", "mail.example.net"];
    let emails = (0..KEYS).map(|number| {
        let (name, host) = (random.choice(names).unwrap(), random.choice(hosts).unwrap());
        format!("{name}.{number}@{host}")
    });
    let emails = emails.collect();
    let mut uuid = || {
        let (high, low) = (random.u64(..), random.u64(..));
        format!("{:08x}-{:04x}-4{:03x}-{:016x}", high >> 32, high & 0xffff, high >> 16 & 0xfff, low)
    };
    vec![
        ("emails", emails),
        ("UUIDs", (0..KEYS).map(|_| uuid()).collect()),
        ("integers", (0..KEYS).map(|number| number.to_string()).collect()),
        ("integers far apart", (0..KEYS).map(|number| (u64::from(number) << 32).to_string()).collect()),
        ("one long prefix", (0..KEYS).map(|number| format!("{}/{number}", "tenant/".repeat(40))).collect()),
    ]
}

/// Chi-square of counts that should be `expected`.
fn chi_square(counts: impl IntoIterator<Item = u32>, expected: f64) -> f64 {
    counts.into_iter().map(|count| (f64::from(count) - expected).powi(2) / expected).sum()
}

/// What chi-square with so many degrees of freedom exceeds once in 100,000 times (Wilson and Hilferty, PNAS 1931).
fn limit(degrees: f64) -> f64 {
    const Z: f64 = 4.265;
    let spread = 2.0 / (9.0 * degrees);
    degrees * (1.0 - spread + Z * spread.sqrt()).powi(3)
}

#[test]
fn buckets_are_filled_evenly_by_keys_of_every_kind() {
    for (kind, keys) in kinds() {
        for salt in ["digits-2-1", "digits-2-2", "x"] {
            let mut counts = vec![0; usize::from(BUCKETS)];
            for key in &keys {
                counts[usize::from(bucket_of(salt, key.as_bytes()))] += 1;
            }
            let found = chi_square(counts, f64::from(KEYS) / f64::from(BUCKETS));
            let (least, most) =
                (2.0 * f64::from(BUCKETS - 1) - limit(f64::from(BUCKETS - 1)), limit(9_999.0));
            assert!(found > least && found < most, "{kind} under {salt}: {found} not in {least} to {most}");
        }
    }
}

/// Who is in the first tenth of one salt is in each tenth of another alike.
#[test]
fn two_salts_know_nothing_of_each_other() {
    for (kind, keys) in kinds() {
        let mut cells = vec![0; 100];
        for key in &keys {
            let tenth = |salt| usize::from(bucket_of(salt, key.as_bytes()) / (BUCKETS / 10));
            cells[tenth("digits-2-1") * 10 + tenth("digits-3-1")] += 1;
        }
        let found = chi_square(cells, f64::from(KEYS) / 100.0);
        assert!(found < limit(99.0), "{kind}: {found}");
    }
}
