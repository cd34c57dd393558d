//! Pictures of a block's variants, and what they show beside the vanilla one.

use std::path::Path;

use metrics::{ClipScorer, EQUAL_PSNR, psnr};
use pictures::RgbImage;
use pipeline::{Generation, ImageRecord, Pipeline, SampleRequest};
use serde::{Deserialize, Serialize};

use crate::{ExplainError, Variant};

/// Pictures that are decoded at a time.
const TOGETHER: usize = 8;

/// One picture, measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// What was done; nothing for the vanilla picture.
    pub variant: Option<Variant>,
    /// Seed of its noise.
    pub seed: u64,
    /// Its file, beside the page.
    pub file: String,
    /// Peak signal-to-noise ratio to the vanilla picture in dB, 100 for equal ones.
    pub psnr: f64,
    /// The scorer's cosine of picture and prompt; `None` without a scorer.
    pub score: Option<f64>,
}

/// Who makes the pictures, and how.
pub(crate) struct Studio<'a> {
    pub(crate) pipeline: &'a Pipeline,
    pub(crate) generation: &'a Generation,
    pub(crate) image: Option<&'a ImageRecord>,
    pub(crate) scorer: Option<&'a ClipScorer>,
    pub(crate) model_sha256: &'a str,
    pub(crate) unet_batch: usize,
    /// Where full pictures go.
    pub(crate) folder: &'a Path,
}

impl Studio<'_> {
    /// Makes, measures and writes the vanilla picture of a seed and all variants of a block.
    pub(crate) fn block(
        &self,
        request: &SampleRequest,
        seed: u64,
        block: usize,
        on_step: &mut dyn FnMut(),
    ) -> Result<Vec<Shown>, ExplainError> {
        let (steps, blocks) =
            (request.calls()?, self.pipeline.unet().config().num_attention_blocks());
        let variants = Variant::of_block(block, steps);
        let policies = variants
            .iter()
            .map(|variant| variant.policy(steps, blocks))
            .collect::<Result<Vec<_>, _>>()?;
        let (latents, _) =
            self.pipeline
                .sample_branches(request, &policies, self.unet_batch, &mut |_| on_step())?;
        let made = std::iter::once(None).chain(variants.into_iter().map(Some));
        let made: Vec<Option<Variant>> = made.collect();
        let (mut shown, mut vanilla) = (Vec::new(), None::<RgbImage>);
        for (part, start) in made.chunks(TOGETHER).zip((0..).step_by(TOGETHER)) {
            let pictures = self.pipeline.pictures(latents.clone().narrow(0, start, part.len()))?;
            let scores = self.scores(&pictures)?;
            for ((variant, picture), score) in part.iter().zip(&pictures).zip(scores) {
                let beside = vanilla.get_or_insert_with(|| picture.clone());
                let file = match variant {
                    Some(variant) => variant.file(seed),
                    None => vanilla_file(seed),
                };
                let policy = variant.map(|variant| variant.policy(steps, blocks)).transpose()?;
                let intervention = serde_json::to_value(policy.unwrap_or_default())?;
                let mut record =
                    self.pipeline.record(self.generation, self.model_sha256, seed, intervention);
                record.extras.image = self.image.cloned();
                files::write_atomically(self.folder.join(&file), record.to_png(picture)?)?;
                let psnr = psnr(picture, beside)?.min(EQUAL_PSNR);
                shown.push(Shown { variant: *variant, seed, file, psnr, score });
            }
        }
        Ok(shown)
    }

    fn scores(&self, pictures: &[RgbImage]) -> Result<Vec<Option<f64>>, ExplainError> {
        let Some(scorer) = self.scorer else { return Ok(vec![None; pictures.len()]) };
        let prompts = vec![self.generation.prompt.clone(); pictures.len()];
        Ok(scorer.score(pictures, &prompts)?.into_iter().map(Some).collect())
    }
}

/// Name of the vanilla picture of a seed.
pub(crate) fn vanilla_file(seed: u64) -> String {
    format!("{seed}-vanilla.png")
}
