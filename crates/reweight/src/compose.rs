//! Several interventions at once.

use burn::tensor::Tensor;
use unet_core::{BlockAction, BlockMode, BlockSite, Intervention, SkipSite, TransformerSite};

/// Several interventions at once: factors multiply, a block runs where all let it and is skipped
/// where any skips it, residuals are kept by all and come from the first that has them, rewrites
/// follow each other in order.
#[derive(Default)]
pub struct Composed<'a> {
    parts: Vec<Box<dyn Intervention + 'a>>,
}

impl<'a> Composed<'a> {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more intervention, after the others.
    pub fn with(mut self, part: impl Intervention + 'a) -> Self {
        self.parts.push(Box::new(part));
        self
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }
}

/// What becomes of a block that is treated in two ways.
fn stricter(a: BlockMode, b: BlockMode) -> BlockMode {
    match (a, b) {
        (BlockMode::Skip, _) | (_, BlockMode::Skip) => BlockMode::Skip,
        (BlockMode::Reuse, _) | (_, BlockMode::Reuse) => BlockMode::Reuse,
        (BlockMode::Run, BlockMode::Run) => BlockMode::Run,
    }
}

fn merge<T>(a: Option<Vec<T>>, b: Option<Vec<T>>, join: impl Fn(T, T) -> T) -> Option<Vec<T>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.into_iter().zip(b).map(|(a, b)| join(a, b)).collect()),
        (a, b) => a.or(b),
    }
}

impl Intervention for Composed<'_> {
    fn attention_block(&self, block: BlockSite, batch: usize) -> BlockAction {
        self.parts.iter().fold(BlockAction::default(), |sum, part| {
            let action = part.attention_block(block, batch);
            BlockAction {
                scale: merge(sum.scale, action.scale, |a, b| a * b),
                mode: merge(sum.mode, action.mode, stricter),
                keep: sum.keep || action.keep,
            }
        })
    }

    fn keep_residual(&self, site: TransformerSite, samples: &[usize], residual: Tensor<4>) {
        self.parts.iter().for_each(|part| part.keep_residual(site, samples, residual.clone()));
    }

    fn kept_residual(&self, site: TransformerSite, samples: &[usize]) -> Option<Tensor<4>> {
        self.parts.iter().find_map(|part| part.kept_residual(site, samples))
    }

    fn transformer_output(&self, site: TransformerSite, hidden: Tensor<4>) -> Tensor<4> {
        self.parts.iter().fold(hidden, |hidden, part| part.transformer_output(site, hidden))
    }

    fn skip_connection(
        &self,
        site: SkipSite,
        hidden: Tensor<4>,
        skip: Tensor<4>,
    ) -> (Tensor<4>, Tensor<4>) {
        self.parts
            .iter()
            .fold((hidden, skip), |(hidden, skip), part| part.skip_connection(site, hidden, skip))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FreeU, StepWeights};
    use unet_core::BlockKind;

    #[test]
    fn stricter_does_not_depend_on_the_order() {
        let all = [BlockMode::Run, BlockMode::Reuse, BlockMode::Skip];
        for (i, a) in all.into_iter().enumerate() {
            for (j, b) in all.into_iter().enumerate() {
                assert_eq!(stricter(a, b), all[i.max(j)]);
            }
        }
    }

    #[test]
    fn attention_block_scales_multiply_and_skips_join() {
        let first = StepWeights::new(vec![vec![1.1, 1.0]], vec![vec![0.0, 0.0]]);
        let second = StepWeights::new(vec![vec![0.5, 1.0]], vec![vec![0.0, 1.5]]);
        let both = Composed::new().with(first).with(FreeU::SD21).with(second);
        let site = |index| BlockSite { index, kind: BlockKind::Mid };
        let action = both.attention_block(site(0), 2);
        assert_eq!(action.scale, Some(vec![1.1f32 * 0.5; 2]));
        assert_eq!(action.mode, Some(vec![BlockMode::Run; 2]));
        assert_eq!(both.attention_block(site(1), 1).mode, Some(vec![BlockMode::Skip]));
    }
}
