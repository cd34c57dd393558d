//! What Transformers added to their features when they last ran.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use burn::tensor::Tensor;
use unet_core::TransformerSite;

/// The residual of each Transformer and sample that was kept last.
#[derive(Default)]
pub(crate) struct Residuals {
    /// By block and layer, then by sample.
    kept: RefCell<HashMap<(usize, usize), HashMap<usize, Kept>>>,
    /// How often something was kept.
    count: Cell<usize>,
}

/// One sample's, where it came with others.
#[derive(Clone)]
struct Kept {
    /// Of all that came together, `[samples, channels, height, width]`.
    together: Tensor<4>,
    /// Tells them from what came at other times.
    number: usize,
    row: usize,
}

impl Residuals {
    /// Keeps the residuals `[samples.len(), channels, height, width]` of those samples.
    pub(crate) fn keep(&self, site: TransformerSite, samples: &[usize], residual: Tensor<4>) {
        let mut kept = self.kept.borrow_mut();
        let kept = kept.entry((site.block.index, site.layer)).or_default();
        let number = self.count.get();
        self.count.set(number + 1);
        for (row, sample) in samples.iter().enumerate() {
            kept.insert(*sample, Kept { together: residual.clone(), number, row });
        }
    }

    /// The residuals of those samples, `[samples.len(), channels, height, width]`, where all were
    /// kept.
    pub(crate) fn kept(&self, site: TransformerSite, samples: &[usize]) -> Option<Tensor<4>> {
        let kept = self.kept.borrow();
        let kept = kept.get(&(site.block.index, site.layer))?;
        let rows: Vec<&Kept> =
            samples.iter().map(|sample| kept.get(sample)).collect::<Option<_>>()?;
        let Kept { together, number, .. } = rows.first()?;
        let as_it_came = together.dims()[0] == rows.len()
            && rows.iter().enumerate().all(|(row, kept)| (kept.number, kept.row) == (*number, row));
        if as_it_came {
            return Some(together.clone());
        }
        let rows = rows.iter().map(|kept| kept.together.clone().narrow(0, kept.row, 1));
        Some(Tensor::cat(rows.collect(), 0))
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};
    use unet_core::{BlockKind, BlockSite};

    use super::*;

    fn site(layer: usize) -> TransformerSite {
        let block = BlockSite { index: 2, kind: BlockKind::Mid };
        TransformerSite { block, layer, resolution: [1, 1] }
    }

    fn tensor(values: &[f32]) -> Tensor<4> {
        let data = TensorData::new(values.to_vec(), [values.len(), 1, 1, 1]);
        Tensor::from_data(data, &Device::flex())
    }

    fn kept(residuals: &Residuals, samples: &[usize]) -> Option<Vec<f32>> {
        let kept = residuals.kept(site(0), samples)?;
        Some(kept.into_data().iter::<f32>().collect())
    }

    #[test]
    fn kept_gives_each_sample_what_it_left_last() {
        let residuals = Residuals::default();
        residuals.keep(site(0), &[0, 1, 2], tensor(&[10.0, 11.0, 12.0]));
        assert_eq!(kept(&residuals, &[0, 1, 2]), Some(vec![10.0, 11.0, 12.0]));
        residuals.keep(site(0), &[0, 2], tensor(&[20.0, 22.0]));
        assert_eq!(kept(&residuals, &[0, 2]), Some(vec![20.0, 22.0]));
        assert_eq!(kept(&residuals, &[0, 1]), Some(vec![20.0, 11.0]));
        assert_eq!(kept(&residuals, &[2, 1, 0]), Some(vec![22.0, 11.0, 20.0]));
    }

    #[test]
    fn kept_of_a_sample_or_transformer_that_left_nothing_is_none() {
        let residuals = Residuals::default();
        residuals.keep(site(0), &[0], tensor(&[1.0]));
        assert_eq!(kept(&residuals, &[0, 1]), None);
        assert!(residuals.kept(site(1), &[0]).is_none());
    }
}
