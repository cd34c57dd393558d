//! What several tests of this crate ask of a tiny pipeline.

use burn::tensor::Tensor;
use pipeline::{Control, Guidance, Pipeline, SampleRequest, initial_noise};
use scheduler::SchedulerKind;

/// The latents of one guided sample after two DDIM steps.
pub fn latents(pipeline: &Pipeline) -> Tensor<4> {
    let prompts = pipeline.encode_prompts(&["a red car, CAT!!!".into()]).unwrap();
    let negative = pipeline.encode_negative(None, &prompts).unwrap();
    let request = SampleRequest {
        prompts,
        guidance: Some(Guidance { scale: 4.0, negative }),
        noise: initial_noise(&[7], [4, 8, 8], pipeline.device()),
        fresh_noise: None,
        scheduler: SchedulerKind::Ddim,
        scheduler_config: pipeline.scheduler_config().clone(),
        steps: 2,
        sizes: None,
    };
    pipeline.sample(&request, None, &mut |_, _| Control::Continue).unwrap()
}
