//! A picture that others are made of.

use std::path::Path;

use anyhow::Context;
use burn::tensor::Tensor;
use pictures::RgbImage;
use pipeline::{EncodedPicture, Pipeline, SampleRequest};

use crate::commands::progress_bar;

/// A picture as it was read, and which.
pub struct SourcePicture<'a> {
    path: &'a Path,
    pub picture: RgbImage,
    pub sha256: String,
}

impl<'a> SourcePicture<'a> {
    /// Reads it.
    ///
    /// # Errors
    /// Naming the file where it is no picture that can be read.
    pub fn open(path: &'a Path) -> anyhow::Result<Self> {
        let picture = RgbImage::open_upright(path)?;
        Ok(Self { path, picture, sha256: hub::hash_file(path)?.sha256 })
    }

    /// Its latents.
    ///
    /// # Errors
    /// Naming the file where the model has no pictures of its size.
    pub fn encode(&self, pipeline: &Pipeline) -> anyhow::Result<EncodedPicture> {
        let named = || {
            let (path, [height, width]) = (self.path.display(), self.picture.size());
            let [usual_height, usual_width] = pipeline.default_size();
            format!(
                "`{path}` of {height}×{width} pixels (the model was trained on \
                 {usual_height}×{usual_width}): scale or crop it"
            )
        };
        pipeline.encode_picture(&self.picture).with_context(named)
    }
}

/// The noise that DDIM makes `latents` of under a request, with progress on standard error.
pub fn inverted(
    pipeline: &Pipeline,
    request: &SampleRequest,
    latents: Tensor<4>,
) -> anyhow::Result<Tensor<4>> {
    let bar = progress_bar(request.calls()? as u64, "inverting");
    let noise = pipeline.invert(request, latents, &mut |_| bar.inc(1))?;
    bar.finish_and_clear();
    Ok(noise)
}
