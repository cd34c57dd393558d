use burn::tensor::{DType, Distribution, Tensor};
use weights::cast;
use unet_core::AddedConditioning;

use crate::RunOptions;
use crate::study::Study;

/// Tokens of a prompt.
const TOKENS: usize = 77;

/// How long the study's U-Net takes for one sample, in seconds, measured with random weights (they
/// cost as much as real ones) on a full batch, after one call to warm up.
pub fn seconds_per_sample(study: &Study, options: &RunOptions) -> f64 {
    let RunOptions { dtype, device, unet_batch, .. } = options;
    let config = &study.unet;
    let unet = cast(config.init(device), *dtype);
    let side = study.latent_size;
    let noise = |shape: [usize; 4]| Tensor::<4>::random(shape, Distribution::Default, device);
    let input = noise([*unet_batch, config.in_channels, side, side]);
    let context = noise([*unet_batch, TOKENS, config.cross_attention_dim, 1]).squeeze_dim::<3>(3);
    let added = config.addition_embed.map(|sizes| AddedConditioning {
        text_embeds: noise([*unet_batch, sizes.input_dim - 6 * sizes.time_embed_dim, 1, 1])
            .reshape([*unet_batch as i32, -1]),
        time_ids: vec![[side as f64 * 8.0; 6]; *unet_batch],
    });
    let mut seconds = 0.0;
    for _ in 0..2 {
        let start = std::time::Instant::now();
        let output = unet.forward(input.clone(), &[500.0], context.clone(), added.as_ref(), None);
        // The result is asked for, or a GPU would still be at work.
        let _ = output.sum().cast(DType::F32).into_scalar::<f32>();
        seconds = start.elapsed().as_secs_f64();
    }
    seconds / *unet_batch as f64
}
