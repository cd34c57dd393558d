//! What is known of a block before anything is drawn: its names in other tools, its size, its cost.

use pipeline::{Pipeline, SampleRequest};
use pruning::time_runs;
use reweight::Policy;
use scheduler::SchedulerKind;
use serde::{Deserialize, Serialize};
use unet_core::{BlockInfo, BlockKind};

use crate::{ExplainError, Variant, Window};

/// Runs of the U-Net that a time is the median of.
const RUNS: usize = 5;

/// One attention block, as the page shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// The paper's number.
    pub index: usize,
    /// diffusers' path.
    pub path: String,
    /// `down`, `mid` or `up`.
    pub side: String,
    /// ComfyUI's names of its Transformers.
    pub comfyui: Vec<String>,
    /// The names that LoRA block weights give them: IN01, MID, OUT03.
    pub lora: Vec<String>,
    /// Height and width of its feature map.
    pub resolution: [usize; 2],
    /// Number of weights, resnets included.
    pub parameters: usize,
    /// Multiply-accumulate operations for one sample, resnets included.
    pub macs: u64,
    /// Milliseconds of a U-Net call on one sample that skipping its Transformers saves, as measured
    /// on the machine that made the page.
    pub milliseconds: f64,
}

fn side(info: &BlockInfo) -> &'static str {
    match info.site.kind {
        BlockKind::Down { .. } => "down",
        BlockKind::Mid => "mid",
        BlockKind::Up { .. } => "up",
    }
}

/// All blocks of a model, for latents of that size; `milliseconds` are in the blocks' order.
pub(crate) fn blocks(
    pipeline: &Pipeline,
    latents: [usize; 2],
    tokens: usize,
    milliseconds: &[f64],
) -> Vec<Block> {
    let config = pipeline.unet().config();
    let costs = config.costs(latents, tokens);
    let of = |(info, milliseconds): (BlockInfo, &f64)| {
        let cost = costs.iter().find(|cost| cost.path == info.path).cloned().unwrap_or_default();
        Block {
            index: info.site.index,
            side: side(&info).into(),
            resolution: info.resolution(latents),
            lora: info.lora_block_weights(),
            parameters: cost.parameters,
            macs: cost.macs,
            milliseconds: *milliseconds,
            path: info.path,
            comfyui: info.comfyui,
        }
    };
    config.blocks().into_iter().zip(milliseconds).map(of).collect()
}

/// Times in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Times {
    /// A U-Net call on one sample.
    pub(crate) whole: f64,
    /// What skipping each block saves of it; 0 where it saves nothing that can be measured.
    pub(crate) saved: Vec<f64>,
}

/// Measures one step of one unguided sample, whole and without each block, in turns.
pub(crate) fn times(pipeline: &Pipeline, request: &SampleRequest) -> Result<Times, ExplainError> {
    let blocks = pipeline.unet().config().num_attention_blocks();
    let step = SampleRequest {
        guidance: None,
        scheduler: SchedulerKind::Ddim,
        steps: 1,
        ..request.clone()
    };
    let mut timed = vec![(&step, Policy::default())];
    for block in 0..blocks {
        let skipped = Variant { block, window: Window::All, factor: 0.0 };
        timed.push((&step, skipped.policy(1, blocks)?));
    }
    let milliseconds: Vec<f64> =
        time_runs(pipeline, &timed, RUNS)?.into_iter().map(|seconds| 1000.0 * seconds).collect();
    let (whole, without) = (milliseconds[0], &milliseconds[1..]);
    Ok(Times { whole, saved: without.iter().map(|time| (whole - time).max(0.0)).collect() })
}
