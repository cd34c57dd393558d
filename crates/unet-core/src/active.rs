//! An intervention at one attention block, as its Transformers are run under it.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use layers::Transformer2DModel;

use crate::flow::{Flow, indices, select};
use crate::{BlockAction, BlockMode, BlockSite, Intervention, TransformerSite};

/// An intervention at one attention block, asked once for all its Transformers.
pub(crate) struct ActiveBlock<'a> {
    intervention: &'a dyn Intervention,
    site: BlockSite,
    /// One factor per sample; absent where all are 1.
    scale: Option<Vec<f32>>,
    /// One mode per sample.
    mode: Vec<BlockMode>,
    keep: bool,
    options: (&'a Device, DType),
    /// Made when the first Transformer sees a row for each sample.
    apart: OnceCell<Apart>,
}

/// What is done with samples that have a row each.
struct Apart {
    /// `[batch, 1, 1, 1]`; absent where all are 1.
    scale: Option<Tensor<4>>,
    plan: Plan,
}

/// What is done with which samples.
enum Plan {
    /// The same with all of them.
    Whole(BlockMode, Vec<usize>),
    Parts(Box<Parts>),
}

/// Samples by what is done with them.
struct Parts {
    parts: Vec<(BlockMode, Vec<usize>)>,
    /// For each sample its place where the parts follow each other.
    order: Tensor<1, Int>,
}

impl<'a> ActiveBlock<'a> {
    pub(crate) fn new(
        intervention: &'a dyn Intervention,
        site: BlockSite,
        batch: usize,
        device: &'a Device,
        dtype: DType,
    ) -> Self {
        let BlockAction { scale, mode, keep } = intervention.attention_block(site, batch);
        let scale = scale.filter(|scale| scale.iter().any(|factor| *factor != 1.0));
        if let Some(scale) = &scale {
            assert_eq!(scale.len(), batch, "one scale factor per sample, {site:?}");
        }
        let mode = mode.unwrap_or_else(|| vec![BlockMode::Run; batch]);
        assert_eq!(mode.len(), batch, "one mode per sample, {site:?}");
        let (options, apart) = ((device, dtype), OnceCell::new());
        Self { intervention, site, scale, mode, keep, options, apart }
    }

    /// One Transformer under the intervention: run, skip or reuse, scale, rewrite.
    pub(crate) fn forward(
        &self,
        transformer: &Transformer2DModel,
        layer: usize,
        hidden: Tensor<4>,
        flow: &mut Flow<'_>,
    ) -> Tensor<4> {
        if !flow.rows.are_samples() {
            return self.forward_shared(transformer, hidden, flow);
        }
        let [_, _, height, width] = hidden.dims();
        let site = TransformerSite { block: self.site, layer, resolution: [height, width] };
        let Apart { scale, plan } = self.apart.get_or_init(|| Apart {
            scale: self.scale.as_deref().map(|scale| self.factors(scale.iter().copied())),
            plan: Plan::new(&self.mode, self.options.0),
        });
        let scale = scale.clone();
        let hidden = match plan {
            Plan::Whole(mode, samples) => {
                self.output(transformer, site, (*mode, samples), scale, hidden, &flow.context)
            }
            Plan::Parts(parts) => {
                let Parts { parts, order } = &**parts;
                let outputs = parts.iter().map(|(mode, samples)| {
                    let scale = scale.clone().map(|scale| select(scale, samples));
                    let hidden = select(hidden.clone(), samples);
                    let context = select(flow.context.clone(), samples);
                    self.output(transformer, site, (*mode, samples), scale, hidden, &context)
                });
                Tensor::cat(outputs.collect(), 0).select(0, order.clone())
            }
        };
        self.intervention.transformer_output(site, hidden)
    }

    /// The same for samples of which some are alike: the Transformer sees each row once, then rows
    /// part where their samples' factors or modes differ.
    fn forward_shared(
        &self,
        transformer: &Transformer2DModel,
        hidden: Tensor<4>,
        flow: &mut Flow<'_>,
    ) -> Tensor<4> {
        let factor = |sample: usize| self.scale.as_ref().map_or(1.0, |scale| scale[sample]);
        let runs = |sample: usize| self.mode[sample] == BlockMode::Run;
        // Rows of which at least one sample runs, and where their outputs stand.
        let of = flow.rows.of_samples();
        let running: BTreeSet<usize> =
            (0..of.len()).filter(|sample| runs(*sample)).map(|sample| of[sample]).collect();
        let running: Vec<usize> = running.into_iter().collect();
        if running.is_empty() {
            return hidden;
        }
        let (input, context) = if running.len() == hidden.dims()[0] {
            (hidden.clone(), flow.context.clone())
        } else {
            (select(hidden.clone(), &running), select(flow.context.clone(), &running))
        };
        let output = transformer.residual(input.clone(), &context) + input;
        let parted = flow.rows.split(|sample| (runs(sample), factor(sample).to_bits()));
        let samples =
            parted.as_ref().map_or_else(|| flow.rows.samples(), |(rows, _)| rows.samples());
        // Outputs come first, then what passes unchanged.
        let source = |sample: &usize| match running.binary_search(&of[*sample]) {
            Ok(place) if runs(*sample) => place,
            _ => running.len() + of[*sample],
        };
        let sources: Vec<usize> = samples.iter().map(source).collect();
        let passing = sources.iter().any(|source| *source >= running.len());
        let pool = if passing { Tensor::cat(vec![output, hidden], 0) } else { output };
        let factors =
            samples.iter().map(|sample| if runs(*sample) { factor(*sample) } else { 1.0 });
        let output = select(pool, &sources) * self.factors(factors);
        if let Some((rows, from)) = parted {
            flow.part(rows, &from);
        }
        output
    }

    /// `[factors, 1, 1, 1]`.
    fn factors(&self, factors: impl Iterator<Item = f32>) -> Tensor<4> {
        let factors: Vec<f32> = factors.collect();
        let shape = [factors.len(), 1, 1, 1];
        Tensor::from_data(TensorData::new(factors, shape), self.options)
    }

    /// The output for samples that are treated alike.
    fn output(
        &self,
        transformer: &Transformer2DModel,
        site: TransformerSite,
        (mode, samples): (BlockMode, &[usize]),
        scale: Option<Tensor<4>>,
        hidden: Tensor<4>,
        context: &Tensor<3>,
    ) -> Tensor<4> {
        let residual = match mode {
            BlockMode::Skip => return hidden,
            BlockMode::Run => {
                let residual = transformer.residual(hidden.clone(), context);
                if self.keep {
                    self.intervention.keep_residual(site, samples, residual.clone());
                }
                residual
            }
            BlockMode::Reuse => {
                let kept = self.intervention.kept_residual(site, samples);
                let Some(kept) = kept else {
                    unreachable!("whoever reuses {site:?} has kept what it added")
                };
                assert_eq!(kept.dims(), hidden.dims(), "the kept residual's shape, {site:?}");
                kept
            }
        };
        match scale {
            Some(scale) => (residual + hidden) * scale,
            None => residual + hidden,
        }
    }
}

impl Plan {
    fn new(mode: &[BlockMode], device: &Device) -> Self {
        let samples = |wanted: BlockMode| -> Vec<usize> {
            (0..mode.len()).filter(|sample| mode[*sample] == wanted).collect()
        };
        let all = [BlockMode::Run, BlockMode::Reuse, BlockMode::Skip];
        let mut parts: Vec<(BlockMode, Vec<usize>)> =
            all.into_iter().map(|mode| (mode, samples(mode))).collect();
        parts.retain(|(_, samples)| !samples.is_empty());
        if let [(mode, samples)] = parts.as_mut_slice() {
            return Self::Whole(*mode, std::mem::take(samples));
        }
        let mut order = vec![0; mode.len()];
        for (place, sample) in parts.iter().flat_map(|(_, samples)| samples).enumerate() {
            order[*sample] = place;
        }
        Self::Parts(Box::new(Parts { parts, order: indices(&order, device) }))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::HashMap;

    use burn::tensor::Distribution;

    use super::*;
    use crate::{UNet2DConditionConfig, UNet2DConditionModel};

    /// Residuals `[1, …]` by block, layer and sample.
    type Kept = HashMap<(usize, usize, usize), Tensor<4>>;

    /// The same mode at every block, one per sample; every residual is kept.
    struct Modes {
        modes: Vec<BlockMode>,
        kept: RefCell<Kept>,
    }

    impl Intervention for Modes {
        fn attention_block(&self, _: BlockSite, _: usize) -> BlockAction {
            BlockAction { scale: None, mode: Some(self.modes.clone()), keep: true }
        }

        fn keep_residual(&self, site: TransformerSite, samples: &[usize], residual: Tensor<4>) {
            for (row, sample) in samples.iter().enumerate() {
                let key = (site.block.index, site.layer, *sample);
                self.kept.borrow_mut().insert(key, residual.clone().narrow(0, row, 1));
            }
        }

        fn kept_residual(&self, site: TransformerSite, samples: &[usize]) -> Option<Tensor<4>> {
            let kept = self.kept.borrow();
            let of = |sample: &usize| kept.get(&(site.block.index, site.layer, *sample)).cloned();
            Some(Tensor::cat(samples.iter().map(of).collect::<Option<_>>()?, 0))
        }
    }

    fn unet() -> UNet2DConditionModel {
        const TINY: &str = r#"{"block_out_channels": [8, 16, 16, 16], "layers_per_block": 1,
            "attention_head_dim": [1, 2, 2, 2], "cross_attention_dim": 8, "norm_num_groups": 4,
            "use_linear_projection": true}"#;
        let config = UNet2DConditionConfig::from_json(TINY, "a tiny model's").unwrap();
        config.init(&Device::flex())
    }

    fn normal<const D: usize>(shape: [usize; D]) -> Tensor<D> {
        Tensor::<D>::random(shape, Distribution::Normal(0.0, 1.0), &Device::flex())
    }

    fn values(tensor: Tensor<4>) -> Vec<f32> {
        tensor.into_data().iter::<f32>().collect()
    }

    #[test]
    fn reuse_adds_what_was_added_before_whatever_the_step() {
        let unet = unet();
        let (sample, context) = (normal([2, 4, 8, 8]), normal([2, 3, 8]));
        let pass = |intervention: Option<&dyn Intervention>, timestep: f64| {
            values(unet.forward(sample.clone(), &[timestep], context.clone(), None, intervention))
        };
        let mut modes = Modes { modes: vec![BlockMode::Run; 2], kept: RefCell::default() };
        assert_eq!(pass(Some(&modes), 700.0), pass(None, 700.0), "keeping changes nothing");
        modes.modes = vec![BlockMode::Reuse; 2];
        // The same inputs: what is reused is what would have been computed.
        assert_eq!(pass(Some(&modes), 700.0), pass(None, 700.0));
        assert_ne!(pass(Some(&modes), 100.0), pass(None, 100.0));
    }

    #[test]
    fn samples_of_a_batch_are_treated_as_they_would_be_alone() {
        let unet = unet();
        let all = [BlockMode::Skip, BlockMode::Reuse, BlockMode::Run];
        let inputs: Vec<_> = all.map(|_| (normal([1, 4, 8, 8]), normal([1, 3, 8]))).to_vec();
        let run = |chosen: &[usize]| {
            let of = |i: &usize| &inputs[*i];
            let sample = Tensor::cat(chosen.iter().map(|i| of(i).0.clone()).collect(), 0);
            let context = Tensor::cat(chosen.iter().map(|i| of(i).1.clone()).collect(), 0);
            let mut modes =
                Modes { modes: vec![BlockMode::Run; chosen.len()], kept: RefCell::default() };
            unet.forward(sample.clone(), &[700.0], context.clone(), None, Some(&modes));
            modes.modes = chosen.iter().map(|i| all[*i]).collect();
            values(unet.forward(sample, &[500.0], context, None, Some(&modes)))
        };
        let alone: Vec<f32> = [2, 0, 1].iter().flat_map(|i| run(&[*i])).collect();
        assert_eq!(run(&[2, 0, 1]), alone);
    }
}
