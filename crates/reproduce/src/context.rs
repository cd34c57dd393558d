use std::path::Path;

use burn::tensor::{Device, FloatDType};
use dataset::{Dataset, Example};
use metrics::ClipScorer;
use pipeline::Pipeline;

use crate::experiment::Size;
use crate::store::Store;
use crate::{Experiment, ReproduceError, Scale, ScorerConfig};

/// Everything the units of one run share.
pub struct Context {
    pub(crate) experiment: Experiment,
    pub(crate) size: Size,
    pub(crate) pipeline: Pipeline,
    pub(crate) model_sha256: String,
    pub(crate) scorer: Option<ClipScorer>,
    /// Of everything scores depend on.
    pub(crate) scorer_sha256: Option<String>,
    pub(crate) store: Store,
    /// Styles in alphabetic order, with their pictures.
    pub(crate) styles: Vec<(String, Vec<Example>)>,
    pub(crate) picture_size: usize,
}

impl Context {
    /// Loads the model and the pictures of an experiment.
    ///
    /// `root` is the project's root, `store` the folder results are kept in.
    ///
    /// # Errors
    /// [`ReproduceError`] naming the file that is absent or broken.
    pub fn new(
        experiment: Experiment,
        scale: Scale,
        root: &Path,
        store: &Path,
        dtype: FloatDType,
        device: &Device,
    ) -> Result<Self, ReproduceError> {
        let size = experiment.size(scale);
        let pictures = Dataset::open(root.join(&experiment.pictures))?;
        let pipeline = Pipeline::from_folder(root.join(&experiment.model), dtype, device)?;
        pipeline.latent_size([pictures.size, pictures.size])?;
        let mut styles: Vec<(String, Vec<Example>)> = Vec::new();
        for example in pictures.examples {
            let at = styles.iter().position(|(style, _)| *style == example.style);
            match at {
                Some(at) => styles[at].1.push(example),
                None => styles.push((example.style.clone(), vec![example])),
            }
        }
        styles.sort_by(|a, b| a.0.cmp(&b.0));
        for (_, examples) in &mut styles {
            examples.truncate(size.prompts);
        }
        let scorer = match &experiment.scorer {
            None => None,
            Some(ScorerConfig::Clip { path }) => {
                Some(ClipScorer::from_folder(root.join(path), dtype, device)?)
            }
            Some(ScorerConfig::Hps { weights, tokenizer }) => {
                let (weights, tokenizer) = (root.join(weights), root.join(tokenizer));
                Some(ClipScorer::hps(weights, tokenizer, None, dtype, device)?)
            }
        };
        Ok(Self {
            scorer_sha256: scorer.as_ref().map(ClipScorer::fingerprint),
            scorer,
            model_sha256: format!("{} {dtype:?}", pipeline.fingerprint()?),
            picture_size: pictures.size,
            store: Store::new(store),
            experiment,
            size,
            pipeline,
            styles,
        })
    }

    /// The experiment.
    pub fn experiment(&self) -> &Experiment {
        &self.experiment
    }

    /// Number of attention blocks.
    pub(crate) fn blocks(&self) -> usize {
        self.pipeline.unet().config().num_attention_blocks()
    }

    /// All pictures, style by style.
    pub(crate) fn examples(&self) -> impl Iterator<Item = &Example> {
        self.styles.iter().flat_map(|(_, examples)| examples)
    }
}
