//! Small U-Nets on the CPU, of which each thread runs a part of the batch by itself.

use std::sync::OnceLock;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use kernels::Lanes;
use unet_core::{BlockAction, BlockSite, Intervention, UNet2DConditionModel};

/// Largest network that is run so: its weights, which each thread then reads alone, fit in the
/// processor's cache.
const MOST_PARAMETERS: usize = 16_000_000;

/// Whether threads run parts of this network's batches: not while gradients are recorded, as the
/// parts of several threads would then share one graph, which burn merges without regard to who is
/// about to add to it.
pub(crate) fn suit(unet: &UNet2DConditionModel) -> bool {
    let device = unet.device();
    !device.is_autodiff() && device == Device::flex() && unet.num_params() <= MOST_PARAMETERS
}

/// What `run` gives for `samples` under `intervention`, `[samples.len(), channels, height, width]`:
/// the parts of each thread one after the other, or all at once where this thread is one of them
/// already, there are fewer samples than threads, or the intervention has to see them all.
pub(crate) fn each_part(
    unet: &UNet2DConditionModel,
    samples: &[usize],
    intervention: Option<&dyn Intervention>,
    run: impl Fn(&[usize], Option<&dyn Intervention>) -> Tensor<4> + Sync,
) -> Tensor<4> {
    static LANES: OnceLock<Lanes> = OnceLock::new();
    let together = intervention.is_some_and(|given| !given.only_scales_and_skips());
    if together || !(2..=samples.len()).contains(&kernels::worker_count()) {
        return run(samples, intervention);
    }
    let lanes = LANES.get_or_init(Lanes::as_many_as_workers);
    let actions: Option<Vec<BlockAction>> = intervention.map(|given| {
        let blocks = unet.config().blocks();
        blocks.iter().map(|block| given.attention_block(block.site, samples.len())).collect()
    });
    let parts = lanes.map(|lane| {
        let end = |lane: usize| samples.len() * lane / lanes.count();
        let (first, last) = (end(lane), end(lane + 1));
        let part = actions.as_ref().map(|actions| Part { actions, first });
        let part = part.as_ref().map(|part| part as &dyn Intervention);
        (first < last).then(|| run(&samples[first..last], part))
    });
    Tensor::cat(parts.into_iter().flatten().collect(), 0)
}

/// A part of the batch that scales and modes were told for.
struct Part<'a> {
    /// Those of every block, of the whole batch.
    actions: &'a [BlockAction],
    /// First sample of the part.
    first: usize,
}

impl Intervention for Part<'_> {
    fn attention_block(&self, site: BlockSite, batch: usize) -> BlockAction {
        let samples = self.first..self.first + batch;
        let BlockAction { scale, mode, keep } = &self.actions[site.index];
        BlockAction {
            scale: scale.as_ref().map(|scale| scale[samples.clone()].to_vec()),
            mode: mode.as_ref().map(|mode| mode[samples].to_vec()),
            keep: *keep,
        }
    }

    fn only_scales_and_skips(&self) -> bool {
        true
    }
}
