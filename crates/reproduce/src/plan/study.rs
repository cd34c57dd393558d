//! What an experiment is about at one scale, before any weights are there.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use ::pictures::Dataset;
use pipeline::PipelineConfigs;
use unet_core::UNet2DConditionConfig;

use super::experiment::Experiment;
use super::prompts;
use super::settings::{Scale, ScorerConfig, Size};
use crate::ReproduceError;

/// What an experiment is about before any weights are there: enough to list its work.
#[derive(Debug, Clone)]
pub struct Study {
    pub(crate) experiment: Experiment,
    pub(crate) scale: Scale,
    pub(crate) size: Size,
    /// The U-Net's configuration.
    pub(crate) unet: UNet2DConditionConfig,
    /// Height and width of sampled pictures, in pixels.
    pub(crate) picture_size: usize,
    /// Height and width of their latents.
    pub(crate) latent_size: usize,
    /// Tokens of a prompt.
    pub(crate) tokens: usize,
    /// The categories (styles) in the order of the tables.
    pub(crate) categories: Vec<Category>,
    /// Absent where the prompts are still to be fetched.
    examples: Option<Arc<[Example]>>,
    /// Pictures that no table measures, to fit weights on; none where there are none to spare.
    pub(crate) held_out: Arc<[Example]>,
}

/// A category of examples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Category {
    pub(crate) name: String,
    /// Numbers of its examples.
    pub(crate) examples: Range<usize>,
}

/// One prompt, and the picture it describes where there is one.
#[derive(Debug, Clone)]
pub(crate) struct Example {
    pub(crate) text: String,
    /// Pixels in [-1, 1], channel first.
    pub(crate) pixels: Option<Vec<f32>>,
}

impl Study {
    /// What `experiment` asks for at `scale`; neither the model nor its prompts need be on this
    /// machine.
    ///
    /// # Errors
    /// [`ReproduceError`] naming the file that is broken.
    pub fn new(experiment: Experiment, scale: Scale, root: &Path) -> Result<Self, ReproduceError> {
        let configs = PipelineConfigs::open(&model_name(&experiment, root), base(&experiment))?;
        let size = experiment.size(scale);
        let mut picture_size = configs.default_size()[0];
        let mut spare = Vec::new();
        let (counts, examples): (Vec<_>, _) = match load(&experiment, size, root) {
            Ok(Loaded { side, groups, held_out }) => {
                spare = held_out;
                picture_size = side.unwrap_or(picture_size);
                let counts = groups.iter().map(|(name, all)| (name.clone(), all.len())).collect();
                (counts, Some(in_order(groups, &experiment)))
            }
            // Prompts that are still to be fetched.
            Err(ReproduceError::Hub(hub::HubError::Absent { .. })) => {
                let names = experiment.prompts.iter().flat_map(|prompts| &prompts.categories);
                (names.map(|name| (name.clone(), size.prompts)).collect(), None)
            }
            Err(error) => return Err(error),
        };
        let picture_size = experiment.size.unwrap_or(picture_size);
        let mut categories = Vec::with_capacity(counts.len());
        let mut first = 0;
        for (name, count) in counts {
            categories.push(Category { name, examples: first..first + count });
            first += count;
        }
        Ok(Self {
            size,
            scale,
            picture_size,
            latent_size: picture_size / configs.vae.downscale(),
            tokens: configs.text.first().map_or(0, |text| text.max_position_embeddings),
            unet: configs.unet,
            categories,
            examples,
            held_out: spare.into(),
            experiment,
        })
    }

    /// The same study with the prompts that are on this machine now.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn refreshed(self, root: &Path) -> Result<Self, ReproduceError> {
        if self.examples.is_some() {
            return Ok(self);
        }
        Self::new(self.experiment, self.scale, root)
    }

    /// All examples, category by category, then the focus prompt and Table I's where they are their
    /// own.
    ///
    /// # Errors
    /// [`ReproduceError`] saying how to fetch prompts that are absent.
    pub(crate) fn examples(&self, root: &Path) -> Result<Arc<[Example]>, ReproduceError> {
        match &self.examples {
            Some(examples) => Ok(examples.clone()),
            None => {
                let loaded = load(&self.experiment, self.size, root)?;
                Ok(in_order(loaded.groups, &self.experiment))
            }
        }
    }

    /// Packages it needs: the model where it is a preset, prompts, and weights of metrics.
    pub fn packages(&self) -> Vec<String> {
        let experiment = &self.experiment;
        let pruning = experiment.pruning.as_ref();
        let named = [
            Some(experiment.model.as_str()),
            experiment.prompts.as_ref().and_then(|prompts| prompts.package.as_deref()),
            match &experiment.scorer {
                Some(ScorerConfig::Hps { weights, .. }) => Some(weights.as_str()),
                _ => None,
            },
            pruning.and_then(|pruning| pruning.inception.as_deref()),
            experiment.lpips.as_deref(),
            pruning.and_then(|pruning| pruning.lpips.as_deref()),
        ];
        let is_package = |name: &&str| hub::packages().iter().any(|package| package.name == *name);
        let mut packages: Vec<String> =
            named.into_iter().flatten().filter(is_package).map(String::from).collect();
        // LPIPS may stand in two places.
        packages.dedup();
        packages
    }

    /// The experiment.
    pub fn experiment(&self) -> &Experiment {
        &self.experiment
    }

    /// Name of the experiment at this scale, for folders.
    pub fn name(&self) -> String {
        format!("{}-{}", self.experiment.name, self.scale.name())
    }

    /// Number of attention blocks.
    pub(crate) fn blocks(&self) -> usize {
        self.unet.num_attention_blocks()
    }

    /// Number of examples in the categories.
    pub(crate) fn count(&self) -> usize {
        self.categories.last().map_or(0, |category| category.examples.end)
    }

    /// The example of Table II and Fig. 3.
    pub(crate) fn focus(&self) -> usize {
        if self.experiment.focus_prompt.is_some() { self.count() } else { 0 }
    }

    /// The example of Table I over many seeds.
    pub(crate) fn table1_example(&self) -> usize {
        match (&self.experiment.table1_prompt, &self.experiment.focus_prompt) {
            (Some(_), Some(_)) => self.count() + 1,
            (Some(_), None) => self.count(),
            (None, _) => self.focus(),
        }
    }

    /// Whether there are real pictures to measure Eq. 2 on.
    pub(crate) fn has_pictures(&self) -> bool {
        self.experiment.pictures.is_some()
    }

    /// Whether sampled pictures are scored.
    pub(crate) fn has_scorer(&self) -> bool {
        self.experiment.scorer.is_some()
    }

    /// Samples of the U-Net for one sample of a picture: two with guidance.
    pub(crate) fn doubled(&self) -> usize {
        if self.experiment.guidance_scale > 1.0 { 2 } else { 1 }
    }
}

/// The model as the pipeline wants it named: a path that exists from the project's root, or a
/// preset.
pub(crate) fn model_name(experiment: &Experiment, root: &Path) -> String {
    let path = root.join(&experiment.model);
    if path.exists() { path.display().to_string() } else { experiment.model.clone() }
}

/// The preset a checkpoint in one file is like.
pub(crate) fn base(experiment: &Experiment) -> Option<&str> {
    experiment.base.as_deref()
}

/// Examples by category, and the side of their pictures where there are some.
struct Loaded {
    side: Option<usize>,
    groups: Vec<(String, Vec<Example>)>,
    /// Pictures beyond those of the scale.
    held_out: Vec<Example>,
}

fn load(experiment: &Experiment, size: Size, root: &Path) -> Result<Loaded, ReproduceError> {
    match &experiment.prompts {
        Some(settings) => {
            let example = |text| Example { text, pixels: None };
            let groups = prompts::load(settings, size.prompts, root)?
                .into_iter()
                .map(|(name, texts)| (name, texts.into_iter().map(example).collect()))
                .collect();
            Ok(Loaded { side: None, groups, held_out: Vec::new() })
        }
        None => pictures(experiment, size, root),
    }
}

/// The pictures of a set by style, in alphabetic order.
fn pictures(experiment: &Experiment, size: Size, root: &Path) -> Result<Loaded, ReproduceError> {
    let folder = experiment.pictures.as_deref().unwrap_or(Path::new(""));
    let pictures = Dataset::open(root.join(folder))?;
    let mut groups: Vec<(String, Vec<Example>)> = Vec::new();
    for ::pictures::Example { style, text, pixels, .. } in pictures.examples {
        let example = Example { text, pixels: Some(pixels) };
        match groups.iter_mut().find(|(name, _)| *name == style) {
            Some((_, examples)) => examples.push(example),
            None => groups.push((style, vec![example])),
        }
    }
    groups.sort_by(|a, b| a.0.cmp(&b.0));
    let mut held_out = Vec::new();
    for (_, examples) in &mut groups {
        let rest = examples.split_off(size.prompts.min(examples.len()));
        held_out.extend(rest.into_iter().take(size.fitted));
    }
    Ok(Loaded { side: Some(pictures.size), groups, held_out })
}

/// The examples of all groups, then the focus prompt and Table I's where they are their own.
fn in_order(groups: Vec<(String, Vec<Example>)>, experiment: &Experiment) -> Arc<[Example]> {
    let own = experiment.focus_prompt.iter().chain(&experiment.table1_prompt);
    let own = own.map(|text| Example { text: text.clone(), pixels: None });
    groups.into_iter().flat_map(|(_, examples)| examples).chain(own).collect()
}
