//! `torch.randn` on the CPU: mt19937 (Matsumoto and Nishimura) and PyTorch's normal transform
//! (`aten/src/ATen/native/cpu/DistributionTemplates.h`).

use rand_mt::Mt;

use super::avx_math;
use crate::Precision;

/// The 32-bit Mersenne Twister as PyTorch reads it.
struct Mersenne {
    generator: Mt,
}

impl Mersenne {
    /// Seeded with the low 32 bits, as PyTorch does.
    fn new(seed: u64) -> Self {
        Self { generator: Mt::new(seed as u32) }
    }

    fn random(&mut self) -> u32 {
        self.generator.next_u32()
    }

    fn random64(&mut self) -> u64 {
        let high = u64::from(self.random());
        high << 32 | u64::from(self.random())
    }

    /// Uniform in [0, 1) with as many bits as the type's significand has.
    fn uniform(&mut self, dtype: Precision) -> f32 {
        let digits = match dtype {
            Precision::F32 => 24,
            Precision::F16 => 11,
            Precision::BF16 => 8,
        };
        let bits = self.random() & ((1 << digits) - 1);
        bits as f32 / (1u32 << digits) as f32
    }

    /// Uniform in [0, 1) with 53 bits.
    fn uniform64(&mut self) -> f64 {
        (self.random64() & ((1 << 53) - 1)) as f64 / (1u64 << 53) as f64
    }
}

/// Values that are transformed together.
const CHUNK: usize = 16;

/// Below this many values PyTorch draws one by one, in f64.
const FEW: usize = 16;

/// The type that values are drawn and transformed in before they are stored as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arithmetic {
    /// f32 whatever they are stored as: PyTorch 2.15.
    Single,
    /// The type they are stored as, each operation rounded: older releases (2.3.1, the paper's).
    Stored,
}

/// `count` normal values of the `draw`th call of `randn` after seeding.
pub(super) fn normals(
    seed: u64,
    draw: usize,
    count: usize,
    dtype: Precision,
    arithmetic: Arithmetic,
) -> Vec<f32> {
    let mut generator = Mersenne::new(seed);
    let mut spare = None;
    let mut values = Vec::new();
    let inner = match arithmetic {
        Arithmetic::Single => Precision::F32,
        Arithmetic::Stored => dtype,
    };
    for _ in 0..=draw {
        values = if count < FEW {
            (0..count).map(|_| one(&mut generator, &mut spare) as f32).collect()
        } else {
            // What falls out of whole chunks is drawn below in any case; narrow values in f32 are
            // not drawn twice.
            let first = if inner == dtype { count } else { count - count % CHUNK };
            fill(&mut generator, [first, count], inner)
        };
    }
    values.iter_mut().for_each(|value| *value = dtype.round(*value));
    values
}

/// Many values: `first` uniform ones, then Box and Muller's transform, sixteen at a time.
fn fill(generator: &mut Mersenne, [first, count]: [usize; 2], inner: Precision) -> Vec<f32> {
    let mut values: Vec<f32> = (0..first).map(|_| generator.uniform(inner)).collect();
    values.resize(count, 0.0);
    for chunk in values.chunks_exact_mut(CHUNK) {
        transform(chunk, inner);
    }
    if count % CHUNK != 0 {
        // The rest shares a chunk with values that are drawn anew.
        let last = &mut values[count - CHUNK..];
        last.fill_with(|| generator.uniform(inner));
        transform(last, inner);
    }
    values
}

/// Box and Muller's transform of the first half of a chunk with the second. In f32 it has vector
/// code in PyTorch; in other types each operation is rounded as the type does.
fn transform(chunk: &mut [f32], inner: Precision) {
    let (first, second) = chunk.split_at_mut(CHUNK / 2);
    for (a, b) in first.iter_mut().zip(second) {
        if inner == Precision::F32 {
            [*a, *b] = avx_math::box_muller(*a, *b);
            continue;
        }
        let u1 = inner.round(1.0 - *a);
        let log = inner.round(u1.ln());
        let radius = inner.round(inner.round(-2.0 * log).sqrt());
        let theta = inner.round((2.0 * std::f64::consts::PI * f64::from(*b)) as f32);
        *a = inner.round(radius * inner.round(theta.cos()));
        *b = inner.round(radius * inner.round(theta.sin()));
    }
}

/// One value, in f64; of each pair the second waits in `spare`.
fn one(generator: &mut Mersenne, spare: &mut Option<f64>) -> f64 {
    if let Some(value) = spare.take() {
        return value;
    }
    let (u1, u2) = (generator.uniform64(), generator.uniform64());
    let radius = (-2.0 * (-u2).ln_1p()).sqrt();
    let theta = 2.0 * std::f64::consts::PI * u1;
    *spare = Some(radius * theta.sin());
    radius * theta.cos()
}
