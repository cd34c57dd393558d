//! Where in the U-Net a prediction stops being finite.

use std::cell::Cell;

use burn::tensor::{DType, Tensor};
use unet_core::{BlockAction, BlockSite, Intervention, SkipSite, TransformerSite};

/// An intervention that does what another does, and remembers the first attention block whose
/// output is not finite.
pub(crate) struct FirstNonFinite<'a> {
    inner: Option<&'a dyn Intervention>,
    block: Cell<Option<BlockSite>>,
}

impl<'a> FirstNonFinite<'a> {
    /// Does what `inner` does, or nothing.
    pub(crate) fn new(inner: Option<&'a dyn Intervention>) -> Self {
        Self { inner, block: Cell::new(None) }
    }

    /// The first block seen; `None` where all blocks' outputs were finite.
    pub(crate) fn block(&self) -> Option<BlockSite> {
        self.block.get()
    }
}

/// Whether all values are finite: their sum is only then (in f32, where no sum of halves overflows).
pub(crate) fn is_finite(tensor: &Tensor<4>) -> bool {
    tensor.clone().cast(DType::F32).sum().into_scalar::<f32>().is_finite()
}

impl Intervention for FirstNonFinite<'_> {
    fn attention_block(&self, block: BlockSite, batch: usize) -> BlockAction {
        self.inner.map_or_else(BlockAction::default, |inner| inner.attention_block(block, batch))
    }

    fn keep_residual(&self, site: TransformerSite, samples: &[usize], residual: Tensor<4>) {
        if let Some(inner) = self.inner {
            inner.keep_residual(site, samples, residual);
        }
    }

    fn kept_residual(&self, site: TransformerSite, samples: &[usize]) -> Option<Tensor<4>> {
        self.inner?.kept_residual(site, samples)
    }

    fn transformer_output(&self, site: TransformerSite, hidden: Tensor<4>) -> Tensor<4> {
        let hidden = match self.inner {
            Some(inner) => inner.transformer_output(site, hidden),
            None => hidden,
        };
        if self.block.get().is_none() && !is_finite(&hidden) {
            self.block.set(Some(site.block));
        }
        hidden
    }

    fn skip_connection(
        &self,
        site: SkipSite,
        hidden: Tensor<4>,
        skip: Tensor<4>,
    ) -> (Tensor<4>, Tensor<4>) {
        match self.inner {
            Some(inner) => inner.skip_connection(site, hidden, skip),
            None => (hidden, skip),
        }
    }
}
