//! What several tests of this crate ask of a tiny pipeline.

use burn::tensor::Tensor;
use pipeline::{Control, Guidance, Pipeline, SampleRequest, initial_noise};
use reweight::BatchPolicy;
use scheduler::SchedulerKind;

/// One DDIM sample with a guidance scale, in so many steps.
pub fn request(pipeline: &Pipeline, scale: f64, steps: usize) -> SampleRequest {
    let prompts = pipeline.encode_prompts(&["a red car, CAT!!!".into()]).unwrap();
    let negative = pipeline.encode_negative(None, &prompts).unwrap();
    SampleRequest {
        prompts,
        guidance: Some(Guidance { scale, negative }),
        noise: initial_noise(&[7], [4, 8, 8], pipeline.device()),
        fresh_noise: None,
        scheduler: SchedulerKind::Ddim,
        scheduler_config: pipeline.scheduler_config().clone(),
        steps,
        sizes: None,
    }
}

/// The latents of one guided sample after two DDIM steps.
pub fn latents(pipeline: &Pipeline) -> Tensor<4> {
    sampled(pipeline, &request(pipeline, 4.0, 2))
}

/// The latents of a request, by the U-Net as it is.
pub fn sampled(pipeline: &Pipeline, request: &SampleRequest) -> Tensor<4> {
    pipeline.sample(request, &BatchPolicy::vanilla(), &mut |_| Control::Continue).unwrap()
}

/// The bits of every value.
pub fn bits(latents: Tensor<4>) -> Vec<u32> {
    latents.into_data().iter::<f32>().map(f32::to_bits).collect()
}
