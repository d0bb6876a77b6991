//! Two hashes that must never be confused.
//!
//! The **table hash** places names in tables. It is keyed at start with a random key, so that nobody outside can aim
//! names at one slot, and it is built label by label from the root, so that the hash of every parent of a name falls
//! out on the way. The **steering hash** chooses regions and endpoints. It is fixed for all time: every node and
//! every version must choose alike.

/// The random key of the table hash; one for the life of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashKey {
    seed: u64,
    spin: u64,
}

impl HashKey {
    /// A key from two random words.
    #[must_use]
    pub const fn new(a: u64, b: u64) -> Self {
        // Mixed, so that small words make a good key too; odd, because a zero factor would collapse every product.
        Self { seed: mix(a), spin: mix(b) | 1 }
    }

    /// The hash of the root name.
    #[must_use]
    pub const fn root(self) -> NameHash {
        NameHash(self.seed)
    }

    /// The hash of a name from its parent's hash and its first label, which must be in lower case.
    #[inline]
    #[must_use]
    pub fn child(self, parent: NameHash, label: &[u8]) -> NameHash {
        let mut state = parent.0 ^ (label.len() as u64).wrapping_mul(SPREAD);
        let mut rest = label;
        while rest.len() > 8 {
            state = fold(state ^ word(rest), self.spin);
            rest = &rest[8..];
        }
        state = fold(state ^ tail(rest), self.spin);
        NameHash(fold(state, SPREAD))
    }
}

/// The hash of a text, to tell whether it changed. Keyed, so that nobody can make two texts that collide.
#[must_use]
pub fn content_hash(key: HashKey, bytes: &[u8]) -> u64 {
    let (blocks, rest) = bytes.as_chunks::<32>();
    let mut lanes = [key.seed, key.spin, key.seed ^ SPREAD, key.spin ^ SPREAD];
    for block in blocks {
        let (words, _) = block.as_chunks::<8>();
        for (lane, word) in lanes.iter_mut().zip(words) {
            *lane = fold(*lane ^ u64::from_le_bytes(*word), key.spin).rotate_left(23);
        }
    }
    let mut state = lanes.iter().fold(bytes.len() as u64, |state, &lane| fold(state ^ lane, SPREAD));
    let (words, last) = rest.as_chunks::<8>();
    for word in words {
        state = fold(state ^ u64::from_le_bytes(*word), key.spin);
    }
    mix(fold(state ^ tail(last), SPREAD))
}

/// The table hash of a name; equal for names that differ in case only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NameHash(pub u64);

impl NameHash {
    /// The upper 32 bits: what indexes of names keep.
    #[inline]
    #[must_use]
    pub const fn prefix(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// The steering hash, version 1: FNV-1a over the bytes, then the finalizer of `SplitMix64`. Fixed for ever; see the
/// test vectors below.
#[must_use]
pub fn steering_hash(parts: &[&[u8]]) -> u64 {
    let mut state: u64 = 0xcbf2_9ce4_8422_2325;
    for part in parts {
        for &byte in *part {
            state = (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        // The length after each part keeps ("ab", "c") and ("a", "bc") apart.
        state = (state ^ (part.len() as u64 | 0x100)).wrapping_mul(0x0100_0000_01b3);
    }
    mix(state)
}

/// The finalizer of `SplitMix64`: a bijection of 64 bits in which every input bit changes half of the output.
#[inline]
#[must_use]
pub const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    #[expect(clippy::cast_possible_truncation, reason = "both halves of the product are wanted")]
    let (low, high) = (product as u64, (product >> 64) as u64);
    low ^ high
}

#[inline]
fn word(bytes: &[u8]) -> u64 {
    bytes.first_chunk::<8>().map_or(0, |chunk| u64::from_le_bytes(*chunk))
}

/// Up to eight bytes as one word, without a loop: overlapping reads cover every length.
#[inline]
fn tail(bytes: &[u8]) -> u64 {
    let len = bytes.len();
    if let (Some(low), Some(high)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        u64::from(u32::from_le_bytes(*low)) | u64::from(u32::from_le_bytes(*high)) << 32
    } else if len == 0 {
        0
    } else {
        u64::from(bytes[0]) | u64::from(bytes[len / 2]) << 8 | u64::from(bytes[len - 1]) << 16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steering_hash_never_changes() {
        // Vectors computed once by an independent script; a node of another version must agree with every one.
        assert_eq!(steering_hash(&[]), 0xf52a_15e9_a9b5_e89b);
        assert_eq!(steering_hash(&[b"web", &[192, 0, 2]]), 0x8695_37d8_13bf_030b);
        assert_ne!(steering_hash(&[b"ab", b"c"]), steering_hash(&[b"a", b"bc"]));
    }

    #[test]
    fn every_bit_of_a_text_matters() {
        let key = HashKey::new(1, 2);
        let text = vec![b'x'; 100];
        let mut seen = std::collections::HashSet::from([content_hash(key, &text), content_hash(key, &text[..99])]);
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut changed = text.clone();
                changed[at] ^= 1 << bit;
                assert!(seen.insert(content_hash(key, &changed)), "byte {at}, bit {bit}");
            }
        }
    }

    #[test]
    fn labels_of_every_length_hash_apart() {
        let key = HashKey::new(1, 2);
        let mut seen = std::collections::HashSet::new();
        for len in 0..=63 {
            assert!(seen.insert(key.child(key.root(), &vec![b'a'; len])));
            for at in 0..len {
                let mut label = vec![b'a'; len];
                label[at] = b'b';
                assert!(seen.insert(key.child(key.root(), &label)), "length {len}, byte {at}");
            }
        }
    }
}
