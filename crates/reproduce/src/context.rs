use std::path::{Path, PathBuf};

use burn::tensor::{Device, FloatDType};
use metrics::{ClipScorer, Inception, InceptionTap, Lpips, LpipsNetwork};
use pipeline::{NoiseKind, Pipeline};

use crate::settings::ScorerConfig;
use crate::store::Store;
use crate::study::{self, Example, Study};
use crate::{Experiment, ReproduceError};

/// How the work is done; results do not depend on it on the CPU.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Data type of the weights.
    pub dtype: FloatDType,
    /// Device everything runs on.
    pub device: Device,
    /// Largest number of samples of one U-Net call.
    pub unet_batch: usize,
    /// Pictures that are sampled together.
    pub picture_batch: usize,
}

/// The networks pruned students are compared by.
pub(crate) struct FidelityNetworks {
    /// Absent where the scorer's features stand for it.
    pub(crate) inception: Option<Inception>,
    pub(crate) lpips: Option<Lpips>,
    /// Of the files.
    pub(crate) sha256: Vec<String>,
}

/// Everything the units of one run share.
pub struct Context {
    pub(crate) study: Study,
    pub(crate) options: RunOptions,
    pub(crate) pipeline: Pipeline,
    pub(crate) model_sha256: String,
    pub(crate) scorer: Option<ClipScorer>,
    /// Of everything scores depend on.
    pub(crate) scorer_sha256: Option<String>,
    pub(crate) fidelity: FidelityNetworks,
    pub(crate) store: Store,
    /// Category by category, the focus prompt last where it is one of its own.
    pub(crate) examples: Vec<Example>,
}

impl Context {
    /// Loads the model, the prompts and the networks of an experiment.
    ///
    /// `root` is the project's root, `store` the folder results are kept in.
    ///
    /// # Errors
    /// [`ReproduceError`] naming the file that is absent or broken, and how to fetch it.
    pub fn new(
        study: Study,
        root: &Path,
        store: &Path,
        options: RunOptions,
    ) -> Result<Self, ReproduceError> {
        let RunOptions { dtype, device, .. } = &options;
        let experiment = &study.experiment;
        let examples = study::examples(experiment, study.size, root)?;
        let model = study::model_name(experiment, root);
        let pipeline = Pipeline::open(&model, study::base(experiment), *dtype, device)?;
        pipeline.latent_size([study.picture_size; 2])?;
        let scorer = match &experiment.scorer {
            None => None,
            Some(ScorerConfig::Clip { path }) => {
                Some(ClipScorer::from_folder(root.join(path), *dtype, device)?)
            }
            Some(ScorerConfig::Hps { weights: own, tokenizer }) => {
                let weights = weights(own, root)?.remove(0);
                let tokenizer = tokenizer.as_ref().map(|folder| root.join(folder));
                Some(ClipScorer::hps(weights, tokenizer.as_deref(), None, *dtype, device)?)
            }
        };
        let noise = match experiment.noise {
            NoiseKind::Counter => String::new(),
            // PyTorch's noise depends on the data type it is drawn in.
            kind => format!(" {kind:?}"),
        };
        Ok(Self {
            scorer_sha256: scorer.as_ref().map(ClipScorer::fingerprint),
            scorer,
            model_sha256: format!("{} {dtype:?}{noise}", pipeline.fingerprint()?),
            fidelity: fidelity(experiment, root, &options)?,
            store: Store::new(store),
            pipeline,
            examples,
            study,
            options,
        })
    }

    /// What is run.
    pub fn study(&self) -> &Study {
        &self.study
    }

    pub(crate) fn experiment(&self) -> &Experiment {
        &self.study.experiment
    }
}

/// Files named by their path from the project's root, or by their package.
fn weights(name: &str, root: &Path) -> Result<Vec<PathBuf>, ReproduceError> {
    let path = root.join(name);
    let name = if path.is_file() { path.as_path() } else { Path::new(name) };
    Ok(hub::file_or_installed(name, &hub::Settings::from_env())?)
}

fn fidelity(
    experiment: &Experiment,
    root: &Path,
    options: &RunOptions,
) -> Result<FidelityNetworks, ReproduceError> {
    let device = &options.device;
    let mut networks = FidelityNetworks { inception: None, lpips: None, sha256: Vec::new() };
    let Some(pruning) = &experiment.pruning else { return Ok(networks) };
    // In f32 whatever the model's type: distances between near pictures are small differences.
    if let Some(name) = &pruning.inception {
        let file = weights(name, root)?.remove(0);
        let tap = InceptionTap::D2048;
        let inception = Inception::from_file(file, tap, FloatDType::F32, device)?;
        networks.sha256.extend(inception.checkpoint().map(|own| own.sha256.clone()));
        networks.inception = Some(inception);
    }
    if let Some(name) = &pruning.lpips {
        let network = match name.as_str() {
            "lpips-vgg" => LpipsNetwork::Vgg,
            "lpips-squeeze" => LpipsNetwork::Squeeze,
            _ => LpipsNetwork::Alex,
        };
        let lpips = Lpips::from_files(network, &weights(name, root)?, FloatDType::F32, device)?;
        networks.sha256.extend(lpips.checkpoints().iter().map(|own| own.sha256.clone()));
        networks.lpips = Some(lpips);
    }
    Ok(networks)
}
