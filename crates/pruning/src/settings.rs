//! How a student is fine-tuned.

/// What keeps Adam's division finite: PyTorch's default, which the authors' published code
/// (github.com/Hytidel/UNetReweighting) leaves as it is. burn's own, 1e-5, is of the size of the
/// gradients here and would make their steps smaller.
pub(crate) const ADAM_EPSILON: f32 = 1e-8;

/// How a student is fine-tuned.
#[derive(Debug, Clone, PartialEq)]
pub struct FineTuning {
    /// Adam's learning rate, above 0 (the authors': 5e-6).
    pub learning_rate: f64,
    /// Samples of one optimiser step, 1 or more (the authors': 8).
    pub batch: usize,
    /// Passes over all samples, 1 to 1,000,000 (the authors': 300).
    pub epochs: usize,
    /// Epochs after which a checkpoint is written, 1 or more.
    pub checkpoint_every: usize,
}
