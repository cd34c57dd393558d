//! How strong the blocks' outputs are.

use std::cell::RefCell;

use burn::tensor::Tensor;
use unet_core::{Intervention, TransformerSite};

/// An intervention that changes nothing and adds up the squares of what Transformers put out.
pub(super) struct PowerRecorder {
    /// Sum of squares and number of values, `[sample][block]`.
    sums: RefCell<Vec<Vec<(f64, usize)>>>,
}

impl PowerRecorder {
    /// Nothing seen yet of a batch of `samples`.
    pub(super) fn new(samples: usize, blocks: usize) -> Self {
        Self { sums: RefCell::new(vec![vec![(0.0, 0); blocks]; samples]) }
    }

    /// The mean square of every block's outputs, `[sample][block]`.
    pub(super) fn powers(self) -> Vec<Vec<f64>> {
        let power = |(sum, count): (f64, usize)| sum / count.max(1) as f64;
        let sums = self.sums.into_inner().into_iter();
        sums.map(|blocks| blocks.into_iter().map(power).collect()).collect()
    }
}

impl Intervention for PowerRecorder {
    fn transformer_output(&self, site: TransformerSite, hidden: Tensor<4>) -> Tensor<4> {
        let samples = hidden.dims()[0];
        let values: Vec<f32> = hidden.clone().into_data().iter::<f32>().collect();
        let length = values.len() / samples.max(1);
        let mut sums = self.sums.borrow_mut();
        for (sums, values) in sums.iter_mut().zip(values.chunks(length.max(1))) {
            let (sum, count) = &mut sums[site.block.index];
            *sum += values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>();
            *count += length;
        }
        hidden
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;
    use unet_core::{BlockKind, BlockSite};

    #[test]
    fn powers_are_means_over_a_blocks_transformers() {
        let recorder = PowerRecorder::new(2, 2);
        let site = |index: usize, layer: usize| TransformerSite {
            block: BlockSite { index, kind: BlockKind::Mid },
            layer,
            resolution: [1, 2],
        };
        let output = |values: [f32; 4]| {
            Tensor::<1>::from_floats(values, &Device::flex()).reshape([2, 1, 1, 2])
        };
        recorder.transformer_output(site(0, 0), output([1.0, 2.0, 0.0, 0.0]));
        recorder.transformer_output(site(1, 0), output([3.0, 3.0, 1.0, 1.0]));
        recorder.transformer_output(site(1, 1), output([1.0, 1.0, 1.0, -1.0]));
        assert_eq!(recorder.powers(), [[2.5, 5.0], [0.0, 1.0]]);
    }
}
