//! Named, seeded streams of random numbers: the only source of randomness in bitline.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use sha2::{Digest, Sha256};

/// Open the stream of that name for that seed.
///
/// Streams of different names are independent, so that one more draw in one place moves no number elsewhere.
/// The ChaCha key is SHA-256 of the name, a zero byte, and the seed as eight little-endian bytes; it depends on
/// neither the platform nor the number of threads.
pub fn stream(name: &str, seed: u64) -> ChaCha8Rng {
    let key = Sha256::new().chain_update(name.as_bytes()).chain_update([0]).chain_update(seed.to_le_bytes()).finalize();
    ChaCha8Rng::from_seed(key.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::RngCore;

    #[test]
    fn stream_same_name_and_seed_repeats() {
        let (mut a, mut b) = (stream("weights", 7), stream("weights", 7));
        assert!((0..100).all(|_| a.next_u64() == b.next_u64()));
    }

    #[test]
    fn stream_other_name_or_seed_differs() {
        let first = |name, seed| stream(name, seed).next_u64();
        assert_ne!(first("weights", 7), first("weights", 8));
        assert_ne!(first("weights", 7), first("inputs", 7));
        assert_ne!(first("a", 0x62), first("ab", 0));
    }
}
