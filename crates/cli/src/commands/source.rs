//! A picture that others are made of.

use std::path::Path;

use anyhow::Context;
use pictures::RgbImage;
use pipeline::{EncodedPicture, Pipeline};

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
        let picture = RgbImage::open(path)?;
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
