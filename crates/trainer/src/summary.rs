//! What a training run of the text-to-image model reports: the `training.json` beside it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::json_file::{read_record, write_record};

/// What a training run reports; written as `training.json` beside the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Concepts the model was trained on.
    pub concepts: Vec<String>,
    /// Pictures the second stage was trained on.
    pub pictures: usize,
    /// Parameters of the U-Net, the autoencoder and the text encoder.
    pub parameters: [usize; 3],
    /// Mean losses of the autoencoder over fiftieths of its training.
    pub autoencoder_loss: Vec<f32>,
    /// Mean losses of the second stage over fiftieths of its training.
    pub diffusion_loss: Vec<f32>,
    /// The same of each of its refinements.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refinement_loss: Vec<Vec<f32>>,
    /// The same of each round of the distillation, for a few-step model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub distillation_loss: Vec<Vec<f32>>,
    /// SHA-256 of the weights and the vocabulary of the folder that was gone on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_sha256: Option<String>,
    /// Peak signal-to-noise ratio of the autoencoder on the validation pictures, in decibels.
    pub autoencoder_psnr: f64,
}

impl Summary {
    /// Name of the file in the model's folder.
    pub(crate) const FILE: &str = "training.json";

    /// Reads the summary of the model in `folder`.
    ///
    /// # Errors
    /// [`TrainError::File`] or [`TrainError::Broken`], naming the file and the field.
    pub fn from_folder(folder: impl AsRef<Path>) -> Result<Self, TrainError> {
        read_record(&folder.as_ref().join(Self::FILE))
    }

    pub(crate) fn write(&self, folder: &Path) -> Result<(), TrainError> {
        write_record(&folder.join(Self::FILE), self)
    }
}

/// Means over fiftieths.
pub(crate) fn curve(losses: &[f32]) -> Vec<f32> {
    let size = losses.len().div_ceil(50).max(1);
    losses.chunks(size).map(|part| part.iter().sum::<f32>() / part.len() as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curve_is_the_mean_of_fiftieths() {
        let losses: Vec<f32> = (0..100).map(|i| i as f32).collect();
        let curve = curve(&losses);
        assert_eq!((curve.len(), curve[0], curve[49]), (50, 0.5, 98.5));
    }

    #[test]
    fn from_folder_names_the_file_and_the_field() {
        let folder = tempfile::tempdir().unwrap();
        let error = Summary::from_folder(folder.path()).unwrap_err().to_string();
        assert!(error.contains("training.json"), "{error}");
        std::fs::write(folder.path().join("training.json"), "{\"concept\": []}").unwrap();
        let error = Summary::from_folder(folder.path()).unwrap_err().to_string();
        assert!(error.contains("training.json") && error.contains("`concept`"), "{error}");
    }
}
