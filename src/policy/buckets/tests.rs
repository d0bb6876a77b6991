//! What a split must keep: right shares, few moves, the same on every node.

use proptest::prelude::*;

use super::*;
use crate::base::hash::steering_hash;
use crate::base::limits::REGION_BUCKETS;

fn member(key: usize, weight: u32, usable: bool) -> Member {
    Member { hash: steering_hash(&[format!("region-{key}").as_bytes()]), weight, usable }
}

fn shares(members: &[Member]) -> Vec<usize> {
    let mut counts = vec![0; members.len()];
    Buckets::assign(members, REGION_BUCKETS).unwrap().slots().iter().for_each(|&m| counts[usize::from(m)] += 1);
    counts
}

/// Buckets that name another member in `b` than in `a`.
fn moved(a: &[Member], b: &[Member]) -> usize {
    let (a, b) = (Buckets::assign(a, REGION_BUCKETS).unwrap(), Buckets::assign(b, REGION_BUCKETS).unwrap());
    a.slots().iter().zip(b.slots()).filter(|(x, y)| x != y).count()
}

#[test]
fn the_table_never_changes() {
    // A node of another version must agree: the fingerprint of whole tables, computed once by an independent script.
    let fingerprint = |members: &[Member]| {
        let buckets = Buckets::assign(members, REGION_BUCKETS).unwrap();
        let bytes: Vec<u8> = buckets.slots().iter().flat_map(|m| m.to_be_bytes()).collect();
        steering_hash(&[&bytes])
    };
    let members = |usable: [bool; 3]| [member(0, 1, usable[0]), member(1, 2, usable[1]), member(2, 5, usable[2])];
    assert_eq!(fingerprint(&members([true, true, true])), 0x8395_2995_2518_e694);
    assert_eq!(fingerprint(&members([true, false, true])), 0x1677_4702_5eed_9adc);
}

#[test]
fn the_logarithm_is_right() {
    for draw in [1, 2, 3, 0xffff, 1 << 32, (1 << 63) - 1, 1 << 63, u64::MAX / 3, u64::MAX] {
        #[expect(clippy::cast_precision_loss, reason = "compared to seven digits")]
        let (exact, found) = (64.0 - (draw as f64).log2(), negative_log2(draw) as f64 / 4_294_967_296.0);
        assert!((exact - found).abs() < 1e-7, "{draw}: {exact} {found}");
    }
    assert!(negative_log2(0) <= 64 << 32);
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

proptest! {
    // Each case builds tables of 1,024 buckets without optimization.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn shares_are_right_to_a_bucket(weights in proptest::collection::vec(1_u32..1000, 1..10)) {
        let members: Vec<Member> = weights.iter().enumerate().map(|(i, &w)| member(i, w, true)).collect();
        let total: u32 = weights.iter().sum();
        for (count, weight) in shares(&members).into_iter().zip(weights) {
            let exact = REGION_BUCKETS as f64 * f64::from(weight) / f64::from(total);
            prop_assert!((count as f64 - exact).abs() < 1.0, "{count} buckets, {exact} are right");
        }
    }

    #[test]
    fn after_a_loss_shares_are_right_to_three_buckets(
        weights in proptest::collection::vec(1_u32..100, 2..8),
        lost in any::<proptest::sample::Index>(),
    ) {
        let lost = lost.index(weights.len());
        let members: Vec<Member> = weights.iter().enumerate().map(|(i, &w)| member(i, w, i != lost)).collect();
        let left: u32 = weights.iter().enumerate().filter(|&(i, _)| i != lost).map(|(_, w)| w).sum();
        for (i, count) in shares(&members).into_iter().enumerate() {
            let exact = if i == lost { 0.0 } else { REGION_BUCKETS as f64 * f64::from(weights[i]) / f64::from(left) };
            prop_assert!((count as f64 - exact).abs() < 3.0, "{count} buckets, {exact} are right");
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
        weights in proptest::collection::vec(1_u32..100, 2..8),
        changed in any::<proptest::sample::Index>(),
        weight in 1_u32..100,
    ) {
        let changed = changed.index(weights.len());
        let before: Vec<Member> = weights.iter().enumerate().map(|(i, &w)| member(i, w, true)).collect();
        let mut after = before.clone();
        after[changed].weight = weight;
        let (from, to) = (shares(&before), shares(&after));
        let must = from.iter().zip(&to).map(|(a, b)| a.abs_diff(*b)).sum::<usize>() / 2;
        let moves = moved(&before, &after);
        prop_assert!(moves <= must + REGION_BUCKETS / 16, "{moves} moved, {must} had to");
    }

    #[test]
    fn a_member_that_leaves_the_model_moves_little_more_than_its_share(
        weights in proptest::collection::vec(1_u32..100, 3..8),
    ) {
        let before: Vec<Member> = weights.iter().enumerate().map(|(i, &w)| member(i, w, true)).collect();
        let after = &before[..before.len() - 1];
        let share = shares(&before)[before.len() - 1];
        prop_assert!(moved(&before, after) <= share + REGION_BUCKETS / 16);
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
