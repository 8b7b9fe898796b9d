//! Images shifted and mirrored at random, so that a network does not learn where a pixel was.

use bitline_golden::random::stream;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;
use serde::{Deserialize, Serialize};

/// What is done to every image of an epoch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augmentation {
    /// Pixels that an image moves by at most, up or down and left or right, each as likely; code 0 moves in.
    pub shift: usize,
    /// Whether every other image is mirrored left to right.
    pub mirror: bool,
}

impl Augmentation {
    /// The generator of an epoch, counted from 1: stream `{streams} augmentation`, ChaCha stream number `epoch`.
    pub fn random(streams: &str, seed: u64, epoch: usize) -> ChaCha8Rng {
        let mut random = stream(&format!("{streams} augmentation"), seed);
        random.set_stream(epoch as u64);
        random
    }

    /// Append an image of `side` x `side` codes to `batch`, changed.
    ///
    /// Draws: one `u64` an image. Its lowest 21 bits k move it down by `k (2 shift + 1) >> 21` less `shift`, the next 21 to the
    /// right in the same way; bit 42 mirrors it, before it moves. An augmentation of nothing draws nothing.
    pub fn append(&self, image: &[u8], side: usize, random: &mut ChaCha8Rng, batch: &mut Vec<f32>) {
        if *self == Self::default() {
            batch.extend(image.iter().map(|code| f32::from(*code)));
            return;
        }
        let draw = random.next_u64();
        let distance = |part: u64| {
            let places = 2 * self.shift as u64 + 1;
            (((part & 0x1f_ffff) * places) >> 21) as isize - self.shift as isize
        };
        let (down, right) = (distance(draw), distance(draw >> 21));
        let mirrored = self.mirror && (draw >> 42) & 1 == 1;
        let inside = |at: isize| (0..side as isize).contains(&at).then_some(at as usize);
        for (y, x) in (0..side as isize).flat_map(|y| (0..side as isize).map(move |x| (y, x))) {
            batch.push(match (inside(y - down), inside(x - right)) {
                (Some(y), Some(x)) => f32::from(image[y * side + if mirrored { side - 1 - x } else { x }]),
                _ => 0.0,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: [u8; 9] = [1, 2, 3, 4, 5, 6, 7, 8, 9];

    fn made(augmentation: Augmentation, count: usize) -> Vec<Vec<f32>> {
        let mut random = Augmentation::random("test", 1, 1);
        let mut one = || {
            let mut batch = Vec::new();
            augmentation.append(&IMAGE, 3, &mut random, &mut batch);
            batch
        };
        (0..count).map(|_| one()).collect()
    }

    #[test]
    fn nothing_changes_nothing() {
        assert_eq!(made(Augmentation::default(), 1)[0], [1., 2., 3., 4., 5., 6., 7., 8., 9.]);
    }

    #[test]
    fn every_shift_and_mirror_comes_up_about_equally_often() {
        let all = made(Augmentation { shift: 1, mirror: true }, 3600);
        let mut different = all.clone();
        different.sort_by(|a, b| a.partial_cmp(b).unwrap());
        different.dedup();
        assert_eq!(different.len(), 18, "nine shifts, mirrored or not");
        // 200 expected of each, deviation 14.
        for one in &different {
            let count = all.iter().filter(|other| *other == one).count();
            assert!((140..260).contains(&count), "{count} of {one:?}");
        }
        assert!(different.contains(&vec![0., 0., 0., 0., 1., 2., 0., 4., 5.]), "down and right by one");
        assert!(different.contains(&vec![0., 0., 0., 0., 3., 2., 0., 6., 5.]), "mirrored first");
    }
}
