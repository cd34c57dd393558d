//! A folder with pictures, small networks and what they gave.

use std::path::Path;

use burn::tensor::Device;
use pictures::RgbImage;

use crate::facts::Facts;
use crate::golden::Golden;

/// A folder with pictures, small networks and what they gave.
pub(super) struct Metrics<'a> {
    pub(super) folder: &'a Path,
    /// The folder that all reference outputs lie in.
    pub(super) root: &'a Path,
    pub(super) name: &'a str,
    pub(super) device: Device,
    pub(super) golden: Golden,
    pub(super) facts: Facts,
}

impl<'a> Metrics<'a> {
    pub(super) fn open(
        (folder, name): (&'a Path, &'a str),
        root: &'a Path,
        device: &Device,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            folder,
            root,
            name,
            device: device.clone(),
            golden: Golden::open(&folder.join("golden.safetensors"))?,
            facts: Facts::open(&folder.join("golden.json"))?,
        })
    }

    pub(super) fn picture(&self, file: &str) -> anyhow::Result<RgbImage> {
        Ok(RgbImage::open(self.folder.join("images").join(file))?)
    }

    /// The pictures that the facts list by `key`.
    pub(super) fn pictures(&self, key: &str) -> anyhow::Result<Vec<RgbImage>> {
        self.facts.read::<Vec<String>>(key)?.iter().map(|file| self.picture(file)).collect()
    }

    /// The name of a tensor with that of its folder.
    pub(super) fn label(&self, key: &str) -> String {
        format!("{}/{key}", self.name)
    }
}
