//! Scaled dot-product attention of f32 slices.

mod backward;
mod forward;
mod softmax;

pub(crate) use backward::backward;
pub(crate) use forward::forward;

use super::matmul::Matrix;

/// Sizes of an attention over `[batch, tokens, channels]` queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AttentionShape {
    pub(crate) batch: usize,
    pub(crate) tokens: usize,
    pub(crate) context: usize,
    pub(crate) channels: usize,
    pub(crate) heads: usize,
    /// Whether a token sees only itself and those before it.
    pub(crate) causal: bool,
}

impl AttentionShape {
    fn head_dim(&self) -> usize {
        self.channels / self.heads
    }

    fn scale(&self) -> f32 {
        1.0 / (self.head_dim() as f32).sqrt()
    }

    /// One head's `[rows, head_dim]` part of a `[rows, channels]` tensor.
    fn head(&self, rows: usize) -> Matrix {
        Matrix::strided(rows, self.head_dim(), self.channels)
    }

    /// How many of the `count` keys from `first` on the query at `position` sees.
    fn seen(&self, position: usize, first: usize, count: usize) -> usize {
        if self.causal { (position + 1).saturating_sub(first).min(count) } else { count }
    }
}
