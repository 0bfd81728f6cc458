//! Which settings can be, and which contradict what was in force.
#![allow(clippy::unwrap_used)] // a test may panic

use super::*;
use crate::{error::Code, testing::traffic};

fn range(version: i64, start: u16, stop: u16) -> BucketRange {
    BucketRange { version, start, stop }
}

fn with_ranges(ranges: Vec<BucketRange>) -> TrafficSettings {
    TrafficSettings { ranges, ..traffic(2, 0) }
}

#[test]
fn ranges_are_disjoint_and_end_where_the_buckets_do() {
    for good in [
        vec![],
        vec![range(2, 0, 1)],
        vec![range(2, 0, BUCKETS)],
        vec![range(2, 0, 100), range(3, 100, 200), range(2, 9_999, BUCKETS)],
        vec![range(2, 100, 200), range(3, 0, 100)],
    ] {
        assert_eq!(with_ranges(good.clone()).check(None), Ok(()), "{good:?}");
    }
    for bad in [
        vec![range(2, 0, 0)],
        vec![range(2, 5, 4)],
        vec![range(2, 0, BUCKETS + 1)],
        vec![range(2, 0, 100), range(3, 99, 200)],
        vec![range(2, 100, 200), range(3, 150, 160)],
        (0..=64).map(|start| range(2, start, start + 1)).collect(),
    ] {
        assert_eq!(with_ranges(bad.clone()).check(None).unwrap_err().code, Code::InvalidArgument, "{bad:?}");
    }
}

#[test]
fn names_and_numbers_are_bounded() {
    let shadow = |share, absolute| {
        let tolerance = Tolerance { absolute, relative: 0.0, top_1: false };
        Some(ShadowSettings { version: 2, share, tolerance })
    };
    let remembering = |window_s| Some(Remembering { output: None, window_s });
    let good = traffic(2, 100);
    for bad in [
        TrafficSettings { trial: String::new(), ..good.clone() },
        TrafficSettings { salt: String::new(), ..good.clone() },
        TrafficSettings { salt: "a\0b".into(), ..good.clone() },
        TrafficSettings { salt: "s".repeat(257), ..good.clone() },
        TrafficSettings { key_header: "X-Routing-Key".into(), ..good.clone() },
        TrafficSettings { key_header: "no header".into(), ..good.clone() },
        TrafficSettings { shadow: shadow(BUCKETS + 1, 0.0), ..good.clone() },
        TrafficSettings { shadow: shadow(1, f64::NAN), ..good.clone() },
        TrafficSettings { slow_after_s: vec![("slow:p99".into(), -1.0)], ..good.clone() },
        TrafficSettings { slow_after_s: vec![("slow:p99".into(), 1.0); 17], ..good.clone() },
        TrafficSettings { remembering: remembering(f64::INFINITY), ..good.clone() },
    ] {
        assert_eq!(bad.check(None).unwrap_err().code, Code::InvalidArgument, "{bad:?}");
    }
    let whole = TrafficSettings { shadow: shadow(BUCKETS, 1.0), remembering: remembering(60.0), ..good };
    assert_eq!(whole.check(None), Ok(()));
}

#[test]
fn another_split_of_one_trial_needs_a_higher_epoch() {
    let before = TrafficSettings { epoch: 3, ..traffic(2, 100) };
    let at = |epoch, ranges: u16| TrafficSettings { epoch, ..traffic(2, ranges) };
    assert_eq!(at(3, 100).check(Some(&before)), Ok(()));
    assert_eq!(at(4, 500).check(Some(&before)), Ok(()));
    assert_eq!(at(3, 500).check(Some(&before)).unwrap_err().code, Code::FailedPrecondition);
    assert_eq!(at(2, 100).check(Some(&before)).unwrap_err().code, Code::FailedPrecondition);
    let other = TrafficSettings { trial: "another".into(), ..at(0, 500) };
    assert_eq!(other.check(Some(&before)), Ok(()));
}
