//! `torch.randn` on a GPU: Philox 4×32-10 (Salmon et al.) with a subsequence per thread, and
//! cuRAND's Box-Muller transform.

use crate::Precision;

/// Threads of a block of PyTorch's kernel.
const BLOCK: u64 = 256;
/// Normal values a thread draws at a time.
const UNROLL: u64 = 4;
/// Blocks that run at once on the GPU whose noise is made: more values than this many blocks hold
/// are drawn by the same threads again. The figure is an A100's (108 processors, 8 blocks each);
/// latents of 1024×1024 pixels need 256 blocks, so GPUs do not differ for them.
const MAX_BLOCKS: u64 = 864;

const MULTIPLIERS: [u32; 2] = [0xd251_1f53, 0xcd9e_8d57];
const WEYL: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];

/// Ten rounds over a counter of four words.
fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for round in 0..10 {
        if round > 0 {
            key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        }
        let product = |i: usize| u64::from(MULTIPLIERS[i]) * u64::from(counter[2 * i]);
        let (a, b) = (product(0), product(1));
        counter = [
            (b >> 32) as u32 ^ counter[1] ^ key[0],
            b as u32,
            (a >> 32) as u32 ^ counter[3] ^ key[1],
            a as u32,
        ];
    }
    counter
}

/// cuRAND's transform of two words; the sine comes first.
///
/// Source: 2⁻³² and 2π·2⁻³² in f32, as `curand_normal.h` has them (`CURAND_2POW32_INV`,
/// `CURAND_2POW32_INV_2PI`).
fn box_muller(x: u32, y: u32) -> [f32; 2] {
    const INVERSE: f32 = 2.328_306_4e-10;
    const INVERSE_2PI: f32 = 2.328_306_4e-10 * 6.283_185_5;
    let u = x as f32 * INVERSE + INVERSE / 2.0;
    let v = y as f32 * INVERSE_2PI + INVERSE_2PI / 2.0;
    let radius = (-2.0 * u.ln()).sqrt();
    [v.sin() * radius, v.cos() * radius]
}

/// `count` normal values of the `draw`th call of `randn` after seeding.
pub(super) fn normals(seed: u64, draw: usize, count: usize, dtype: Precision) -> Vec<f32> {
    let count = count as u64;
    let blocks = count.div_ceil(BLOCK).clamp(1, MAX_BLOCKS);
    let threads = blocks * BLOCK;
    // Every call advances the offset by what its busiest thread may have used.
    let calls = count.saturating_sub(1) / (threads * UNROLL) + 1;
    let start = draw as u64 * calls;
    let key = [seed as u32, (seed >> 32) as u32];
    let value = |index: u64| {
        let (lap, thread) = (index / threads, index % threads);
        let (call, part) = (start + lap / UNROLL, (lap % UNROLL) as usize);
        let words = philox([call as u32, (call >> 32) as u32, thread as u32, 0], key);
        let pair = box_muller(words[part / 2 * 2], words[part / 2 * 2 + 1]);
        dtype.round(pair[part % 2])
    };
    (0..count).map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers that Random123 publishes.
    #[test]
    fn philox_published_answers_are_met() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(
            philox([u32::MAX; 4], [u32::MAX; 2]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
        assert_eq!(
            philox(
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0]
            ),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    /// `torch.manual_seed(0); torch.randn(3, 4, device="cuda")`, printed by a user of one.
    #[test]
    fn normals_of_seed_0_are_those_of_a_gpu() {
        let expected = [
            -0.924_662_6,
            -0.425_344_15,
            -2.643_845_7,
            0.145_183_88,
            -0.120_866_47,
            -0.579_725_64,
            -0.622_851_2,
            -0.328_387_1,
            -1.074_542_3,
            -0.363_144_07,
            -1.671_050_7,
            2.265_505,
        ];
        let found = normals(0, 0, 12, Precision::F32);
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected as f32).abs() < 1e-6, "{found} {expected}");
        }
    }

    /// The beginning of seed 42 as several public printouts of CUDA tensors have it, to four digits.
    #[test]
    fn normals_of_seed_42_are_those_of_a_gpu() {
        let expected = [0.1940, 2.1614, -0.1721, 0.8491, -1.9244, 0.6530, -0.6494, -0.8175];
        let found = normals(42, 0, 4 * 64 * 64, Precision::F32);
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected as f32).abs() < 6e-5, "{found} {expected}");
        }
    }
}
