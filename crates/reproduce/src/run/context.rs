//! Everything the units of one run share: model, prompts, networks, store.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::{Device, FloatDType};
use metrics::LpipsNetwork;
use metrics::{ClipFeatures, ClipScorer, FeatureNetwork, Inception, InceptionTap, Lpips};
use pipeline::{NoiseKind, Pipeline};
use pruning::DistanceNetworks;

use super::store::Store;
use crate::ReproduceError;
use crate::plan::{
    Example, Experiment, Fingerprints, Keys, ScorerConfig, Study, base, content, model_name,
};

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

/// The networks that pictures are compared by.
#[derive(Default)]
pub(crate) struct Networks {
    pub(crate) inception: Option<Inception>,
    /// The scorer's, which stand where there is no Inception.
    pub(crate) features: Option<ClipFeatures>,
    pub(crate) lpips: Option<Lpips>,
}

impl Networks {
    /// Those by which a student's pictures are compared with the teacher's.
    pub(crate) fn distances(&self) -> DistanceNetworks<'_> {
        let features: Option<&dyn FeatureNetwork> = match (&self.inception, &self.features) {
            (Some(inception), _) => Some(inception),
            (None, Some(features)) => Some(features),
            (None, None) => None,
        };
        DistanceNetworks { features, lpips: self.lpips.as_ref() }
    }
}

/// Everything the units of one run share.
pub struct Context {
    pub(crate) study: Study,
    pub(crate) options: RunOptions,
    pub(crate) pipeline: Pipeline,
    /// Of the model's files.
    pub(crate) model_sha256: String,
    pub(crate) scorer: Option<ClipScorer>,
    pub(crate) networks: Networks,
    pub(crate) store: Store,
    /// Category by category, then the focus prompt and Table I's where they are their own.
    pub(crate) examples: Arc<[Example]>,
    pub(crate) fingerprints: Fingerprints,
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
        let examples = study.examples(root)?;
        let model = model_name(experiment, root);
        let pipeline = Pipeline::open(&model, base(experiment), *dtype, device)?;
        pipeline.latent_size([study.picture_size; 2])?;
        let scorer = match &experiment.scorer {
            None => None,
            Some(ScorerConfig::Clip { path }) => {
                Some(ClipScorer::from_folder(root.join(path), *dtype, device)?)
            }
            Some(ScorerConfig::Hps { weights: name, tokenizer }) => {
                let weights = first_file(name, root)?;
                let tokenizer = tokenizer.as_ref().map(|folder| root.join(folder));
                Some(ClipScorer::hps(weights, tokenizer.as_deref(), None, *dtype, device)?)
            }
        };
        let mut networks = networks(experiment, root, device)?;
        networks.features = scorer.as_ref().map(ClipScorer::features);
        let model_sha256 = pipeline.fingerprint()?;
        let noise = match experiment.noise {
            NoiseKind::Counter => String::new(),
            // PyTorch's noise depends on the data type it is drawn in.
            kind => format!(" {kind:?}"),
        };
        let fingerprints = Fingerprints {
            model: format!("{model_sha256} {dtype:?}{noise}"),
            scorer: scorer.as_ref().map(ClipScorer::fingerprint),
            inception: networks
                .inception
                .iter()
                .filter_map(|inception| Some(inception.checkpoint()?.sha256.clone()))
                .collect(),
            lpips: networks
                .lpips
                .iter()
                .flat_map(|lpips| lpips.checkpoints())
                .map(|checkpoint| checkpoint.sha256.clone())
                .collect(),
            contents: examples.iter().map(content).collect(),
            held_out: study.held_out.iter().map(|of| [content(of), of.text.clone()]).collect(),
        };
        Ok(Self {
            scorer,
            model_sha256,
            networks,
            store: Store::new(store),
            pipeline,
            examples,
            fingerprints,
            study,
            options,
        })
    }

    /// The same, with every result on the disk before it counts, as it must be where several machines
    /// share a store.
    pub fn synced(self) -> Self {
        Self { store: self.store.synced(), ..self }
    }

    /// What is run.
    pub fn study(&self) -> &Study {
        &self.study
    }

    pub(crate) fn experiment(&self) -> &Experiment {
        &self.study.experiment
    }

    pub(crate) fn example(&self, number: usize) -> &Example {
        &self.examples[number]
    }

    pub(crate) fn keys(&self) -> Keys<'_> {
        let (study, examples) = (&self.study, &self.examples);
        Keys { study, examples, fingerprints: &self.fingerprints }
    }
}

/// Files named by their path from the project's root, or by their package.
fn files(name: &str, root: &Path) -> Result<Vec<PathBuf>, ReproduceError> {
    let path = root.join(name);
    let name = if path.is_file() { path.as_path() } else { Path::new(name) };
    Ok(hub::file_or_installed(name, &hub::Settings::from_env())?)
}

fn first_file(name: &str, root: &Path) -> Result<PathBuf, ReproduceError> {
    files(name, root)?.into_iter().next().ok_or_else(|| {
        ReproduceError::Experiment(format!("expected the package `{name}` to have a file"))
    })
}

fn networks(
    experiment: &Experiment,
    root: &Path,
    device: &Device,
) -> Result<Networks, ReproduceError> {
    let mut networks = Networks::default();
    // In f32 whatever the model's type: distances between near pictures are small differences.
    let inception = experiment.pruning.as_ref().and_then(|pruning| pruning.inception.as_ref());
    if let Some(name) = inception {
        let (file, tap) = (first_file(name, root)?, InceptionTap::D2048);
        networks.inception = Some(Inception::from_file(file, tap, FloatDType::F32, device)?);
    }
    if let Some(name) = experiment.lpips() {
        let network = match name {
            "lpips-vgg" => LpipsNetwork::Vgg,
            "lpips-squeeze" => LpipsNetwork::Squeeze,
            _ => LpipsNetwork::Alex,
        };
        let files = files(name, root)?;
        networks.lpips = Some(Lpips::from_files(network, &files, FloatDType::F32, device)?);
    }
    Ok(networks)
}
