//! What a split must keep: right shares, few moves, the same on every node.

use proptest::prelude::*;

use super::*;
use crate::base::hash::{mix, steering_hash};
use crate::base::limits::REGION_BUCKETS;

fn member(key: usize, weight: u32, usable: bool) -> Member {
    Member { hash: steering_hash(&[format!("region-{key}").as_bytes()]), weight, usable }
}

fn shares(members: &[Member]) -> Vec<usize> {
    let mut counts = vec![0; members.len()];
    Buckets::assign(members, REGION_BUCKETS).unwrap().slots().iter().for_each(|&m| counts[usize::from(m)] += 1);
    counts
}

fn table(members: &[Member]) -> Buckets {
    Buckets::assign(members, REGION_BUCKETS).unwrap()
}

/// Buckets that name another member in `b` than in `a` though neither is `changed`, or though `changed` was to lose or
/// to win: all that did not have to move.
fn needless(a: &[Member], b: &[Member], changed: usize) -> usize {
    let part = |members: &[Member]| {
        let usable: u64 = members.iter().filter(|m| m.usable).map(|m| u64::from(m.weight)).sum();
        let own = if members[changed].usable { u64::from(members[changed].weight) } else { 0 };
        (own << 32) / usable
    };
    let wins = part(b) >= part(a);
    let (a, b) = (table(a), table(b));
    let moves = a.slots().iter().zip(b.slots()).filter(|(x, y)| x != y);
    moves.filter(|&(&from, &to)| usize::from(if wins { to } else { from }) != changed).count()
}

/// What a share may be off by in a table of `size` buckets.
fn tolerance(size: usize, exact: f64) -> f64 {
    (size as f64 / 256.0).min(exact / 16.0) + 1.0
}

/// Buckets that may move needlessly at worst: 1/32 of all, twice what was ever measured.
const NEEDLESS_MAX: usize = REGION_BUCKETS / 32;

#[test]
fn the_table_never_changes() {
    // A node of another version must agree: the fingerprint of whole tables, computed once by an independent script.
    let fingerprint = |members: &[Member]| {
        let buckets = Buckets::assign(members, REGION_BUCKETS).unwrap();
        let bytes: Vec<u8> = buckets.slots().iter().flat_map(|m| m.to_be_bytes()).collect();
        steering_hash(&[&bytes])
    };
    let members = |usable: [bool; 3]| [member(0, 1, usable[0]), member(1, 2, usable[1]), member(2, 5, usable[2])];
    assert_eq!(fingerprint(&members([true, true, true])), 0x07e4_53c1_6f87_bc2c);
    assert_eq!(fingerprint(&members([true, false, true])), 0xf7aa_f979_7ef9_68ec);
}

#[test]
fn nobody_usable_is_nobody() {
    assert_eq!(Buckets::assign(&[], 64), None);
    assert_eq!(Buckets::assign(&[member(0, 1, false), member(1, 0, true)], 64), None);
}

#[test]
fn every_hash_finds_a_member() {
    let buckets = Buckets::assign(&[member(0, 1, true), member(1, 1, true)], 64).unwrap();
    let mut counts = [0_u32; 2];
    for i in 0..10_000_u64 {
        counts[buckets.at(mix(i))] += 1;
    }
    assert!(counts.iter().all(|count| (4_700..5_300).contains(count)), "{counts:?}");
    let _ = (buckets.at(0), buckets.at(u64::MAX));
    assert_eq!([0, 1, 4, 5, 16, 1000].map(endpoint_bucket_count), [64, 64, 64, 128, 256, 256]);
}

#[test]
fn on_average_next_to_nothing_moves_needlessly() {
    // Shares of four regions, as operators write them: each weight doubled, and each region reintroduced.
    let (mut of_weights, mut of_ramps, mut cases) = (0, 0, 0);
    for (case, weights) in [[1, 1, 1, 1], [2, 1, 1, 1], [4, 2, 1, 1], [50, 30, 15, 5]].into_iter().enumerate() {
        for changed in 0..4 {
            let plain: Vec<Member> =
                weights.iter().enumerate().map(|(i, &w)| member(10 * case + i, w * 256, true)).collect();
            let with = |part: u32| {
                let mut members = plain.clone();
                members[changed].weight = weights[changed] * part;
                members
            };
            let mut lost = plain.clone();
            lost[changed].usable = false;
            of_weights += needless(&plain, &with(512), changed);
            of_ramps += needless(&lost, &with(25), changed) + needless(&with(25), &with(51), changed);
            cases += 1;
        }
    }
    // A quarter of a percent of the clients.
    assert!(of_weights <= cases * REGION_BUCKETS / 400, "{of_weights} in {cases} cases");
    assert!(of_ramps <= 2 * cases * REGION_BUCKETS / 400, "{of_ramps} in {cases} cases");
}

proptest! {
    // Each case builds tables of 4,096 buckets without optimization.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn shares_are_right_within_the_tolerance(
        weights in proptest::collection::vec(1_u32..1000, 1..10),
        bits in 6_u32..=12,
    ) {
        let size = 1 << bits;
        let members: Vec<Member> = weights.iter().enumerate().map(|(i, &w)| member(i, w, true)).collect();
        let total: u32 = weights.iter().sum();
        let mut counts = vec![0_usize; members.len()];
        Buckets::assign(&members, size).unwrap().slots().iter().for_each(|&m| counts[usize::from(m)] += 1);
        for (count, weight) in counts.into_iter().zip(weights) {
            let exact = size as f64 * f64::from(weight) / f64::from(total);
            prop_assert!((count as f64 - exact).abs() < tolerance(size, exact), "{count} buckets, {exact} are right");
        }
    }

    #[test]
    fn after_a_loss_shares_are_right_within_the_double(
        weights in proptest::collection::vec(1_u32..100, 2..8),
        lost in any::<proptest::sample::Index>(),
    ) {
        let lost = lost.index(weights.len());
        let members: Vec<Member> = weights.iter().enumerate().map(|(i, &w)| member(i, w, i != lost)).collect();
        let left: u32 = weights.iter().enumerate().filter(|&(i, _)| i != lost).map(|(_, w)| w).sum();
        for (i, count) in shares(&members).into_iter().enumerate() {
            let exact = if i == lost { 0.0 } else { REGION_BUCKETS as f64 * f64::from(weights[i]) / f64::from(left) };
            // Of a group that is too small for corrections each may have all.
            let most = 2.0 * REGION_BUCKETS as f64 / 256.0 + CORRECTED_MIN as f64;
            prop_assert!((count as f64 - exact).abs() < most, "{count} buckets, {exact} are right");
        }
    }

    #[test]
    fn losing_a_member_moves_its_buckets_and_no_others(
        weights in proptest::collection::vec(1_u32..100, 2..8),
        down in proptest::collection::vec(any::<bool>(), 8),
        lost in any::<proptest::sample::Index>(),
    ) {
        let lost = lost.index(weights.len());
        let mut members: Vec<Member> = weights.iter().enumerate().map(|(i, &w)| member(i, w, !down[i])).collect();
        members[lost].usable = true;
        let mut after = members.clone();
        after[lost].usable = false;
        prop_assume!(after.iter().any(|m| m.usable));
        let (before, after) =
            (Buckets::assign(&members, REGION_BUCKETS).unwrap(), Buckets::assign(&after, REGION_BUCKETS).unwrap());
        for (x, y) in before.slots().iter().zip(after.slots()) {
            prop_assert!(x == y || usize::from(*x) == lost);
        }
    }

    #[test]
    fn a_changed_weight_moves_little_more_than_its_share(
        weights in proptest::collection::vec(1_u32..100, 2..10),
        changed in any::<proptest::sample::Index>(),
        weight in 1_u32..100,
    ) {
        let changed = changed.index(weights.len());
        let before: Vec<Member> = weights.iter().enumerate().map(|(i, &w)| member(i, w, true)).collect();
        let mut after = before.clone();
        after[changed].weight = weight;
        let found = needless(&before, &after, changed);
        prop_assert!(found <= NEEDLESS_MAX, "{found} moved needlessly");
    }

    #[test]
    fn each_step_of_a_ramp_moves_little_more_than_its_share(
        weights in proptest::collection::vec(1_u32..10, 2..6),
        ramping in any::<proptest::sample::Index>(),
    ) {
        let ramping = ramping.index(weights.len());
        let mut now: Vec<Member> = weights.iter().enumerate().map(|(i, &w)| member(i, w * 256, i != ramping)).collect();
        for step in 1..=10 {
            let before = now.clone();
            now[ramping] = member(ramping, weights[ramping] * (256 * step / 10), true);
            let found = needless(&before, &now, ramping);
            prop_assert!(found <= NEEDLESS_MAX, "step {step}: {found} moved needlessly");
        }
    }

    #[test]
    fn between_two_nothing_moves_needlessly(
        keys in any::<[u64; 2]>(),
        weights in any::<[u16; 3]>(),
    ) {
        let members = |a: u16, b: u16| {
            [(keys[0], a), (keys[1], b)].map(|(hash, weight)| Member { hash, weight: u32::from(weight) + 1, usable: true })
        };
        prop_assert_eq!(needless(&members(weights[0], weights[1]), &members(weights[0], weights[2]), 1), 0);
    }

    #[test]
    fn a_member_that_leaves_the_model_moves_little_more_than_its_share(
        weights in proptest::collection::vec(1_u32..100, 3..10),
    ) {
        let before: Vec<Member> = weights.iter().enumerate().map(|(i, &w)| member(i, w, true)).collect();
        let mut after = before.clone();
        after[0].weight = 0;
        let found = needless(&before, &after, 0);
        prop_assert!(found <= NEEDLESS_MAX, "{found} moved needlessly");
    }

    #[test]
    fn the_order_of_members_decides_nothing(
        weights in proptest::collection::vec(0_u32..50, 2..8),
        down in proptest::collection::vec(any::<bool>(), 8),
    ) {
        let members: Vec<Member> = weights.iter().enumerate().map(|(i, &w)| member(i, w, !down[i])).collect();
        let mut turned = members.clone();
        turned.rotate_left(1);
        let (a, b) = (Buckets::assign(&members, 256), Buckets::assign(&turned, 256));
        prop_assert_eq!(a.is_some(), b.is_some());
        if let (Some(a), Some(b)) = (a, b) {
            for (x, y) in a.slots().iter().zip(b.slots()) {
                prop_assert_eq!(members[usize::from(*x)], turned[usize::from(*y)]);
            }
        }
    }
}
