//! Everything that a student depends on: a checkpoint of anything else is not gone on with.

use burn::tensor::Tensor;
use files::{Sha256, sha256_bytes};
use pipeline::{Conditioning, Pipeline, SampleRequest};
use reweight::BlockWeights;
use serde_json::{Value, json};

use crate::PruningError;
use crate::settings::{ADAM_EPSILON, FineTuning};

/// Changes whenever the same settings would give another student, or other pictures of its
/// teacher: part of every key under which these are kept.
pub const STUDENT_VERSION: u32 = 2;

/// The key of a fine-tuning, but for its number of epochs: more of them begin with the same ones.
pub(crate) fn task(
    pipeline: &Pipeline,
    skips: &BlockWeights,
    samples: &[SampleRequest],
    settings: &FineTuning,
) -> Result<Value, PruningError> {
    let FineTuning { learning_rate, batch, epochs: _, checkpoint_every: _ } = settings;
    let samples: Vec<Value> = samples.iter().map(request).collect();
    Ok(json!({
        "version": STUDENT_VERSION,
        "model": pipeline.fingerprint()?,
        "dtype": format!("{:?}", pipeline.unet().dtype()),
        "skips": skips,
        "samples": samples.len(),
        "requests": sha256_bytes(Value::from(samples).to_string()),
        "learning_rate": learning_rate,
        "batch": batch,
        "adam_epsilon": ADAM_EPSILON,
    }))
}

/// All of a request; a field that is added to it does not compile before it stands here.
fn request(request: &SampleRequest) -> Value {
    let SampleRequest {
        prompts,
        guidance,
        noise,
        fresh_noise,
        scheduler,
        scheduler_config,
        steps,
        sizes,
    } = request;
    let guidance = guidance.as_ref().map(
        |guidance| json!({ "scale": guidance.scale, "negative": conditioning(&guidance.negative) }),
    );
    json!({
        "prompts": conditioning(prompts),
        "guidance": guidance,
        "noise": digest(noise),
        "fresh_noise": fresh_noise.as_ref().map(|source| format!("{source:?}")),
        "scheduler": scheduler.class_name(),
        "scheduler_config": format!("{scheduler_config:?}"),
        "steps": steps,
        "sizes": sizes.map(|sizes| format!("{sizes:?}")),
    })
}

fn conditioning(conditioning: &Conditioning) -> Value {
    let Conditioning { embeds, pooled } = conditioning;
    json!({ "embeds": digest(embeds), "pooled": pooled.as_ref().map(digest) })
}

/// SHA-256 of shape and values, which are those of one data type on the way.
fn digest<const D: usize>(tensor: &Tensor<D>) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{:?}", tensor.dims()));
    for value in tensor.to_data().iter::<f32>() {
        hash.update(value.to_le_bytes());
    }
    hash.hex()
}
