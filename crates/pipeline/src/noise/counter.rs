//! Our own noise: ChaCha8, a stream of its own for every draw.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// `count` normal values: the `draw`th stream of the seed.
pub(super) fn normals(seed: u64, draw: usize, count: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(draw as u64);
    rng.sample_iter::<f32, _>(StandardNormal).take(count).collect()
}
