use std::path::Path;

use pictures::Dataset;
use pipeline::PipelineConfigs;
use unet_core::UNet2DConditionConfig;

use crate::settings::{Scale, ScorerConfig, Size};
use crate::{Experiment, ReproduceError, prompts};

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
    /// Each category (style), with the number of its examples.
    pub(crate) styles: Vec<(String, usize)>,
    /// Whether the prompt of Table II and Fig. 3 is one of its own, after all others.
    pub(crate) has_focus: bool,
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
        let (own, styles) = match &experiment.prompts {
            Some(prompts) => {
                let counts = match prompts::load(prompts, size.prompts, root) {
                    Ok(all) => all.into_iter().map(|(name, all)| (name, all.len())).collect(),
                    // Prompts that are still to be fetched.
                    Err(ReproduceError::Hub(hub::HubError::Absent { .. })) => {
                        prompts.categories.iter().map(|name| (name.clone(), size.prompts)).collect()
                    }
                    Err(error) => return Err(error),
                };
                (None, counts)
            }
            None => {
                let (side, groups) = pictures(&experiment, size, root)?;
                (Some(side), groups.into_iter().map(|(name, all)| (name, all.len())).collect())
            }
        };
        let picture_size = experiment.size.or(own).unwrap_or(configs.default_size()[0]);
        Ok(Self {
            size,
            scale,
            picture_size,
            latent_size: picture_size / configs.vae.downscale(),
            has_focus: experiment.focus_prompt.is_some(),
            unet: configs.unet,
            styles,
            experiment,
        })
    }

    /// The same study with the prompts that are on this machine now.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn refreshed(self, root: &Path) -> Result<Self, ReproduceError> {
        Self::new(self.experiment, self.scale, root)
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
            pruning.and_then(|own| own.inception.as_deref()),
            pruning.and_then(|own| own.lpips.as_deref()),
        ];
        let is_package = |name: &&str| hub::packages().iter().any(|own| own.name == *name);
        named.into_iter().flatten().filter(is_package).map(String::from).collect()
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
    pub(crate) fn examples(&self) -> usize {
        self.styles.iter().map(|(_, count)| count).sum()
    }

    /// The example of Table II and Fig. 3.
    pub(crate) fn focus(&self) -> usize {
        if self.has_focus { self.examples() } else { 0 }
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

    /// Every category, then all together, with their examples.
    pub(crate) fn ranges(&self) -> Vec<(String, std::ops::Range<usize>)> {
        let mut first = 0;
        let mut all = Vec::new();
        for (style, count) in &self.styles {
            all.push((style.clone(), first..first + count));
            first += count;
        }
        all.push(("avg".into(), 0..first));
        all
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

/// Side of the pictures of a set, and its examples by style in alphabetic order.
type Groups = (usize, Vec<(String, Vec<Example>)>);

fn pictures(experiment: &Experiment, size: Size, root: &Path) -> Result<Groups, ReproduceError> {
    let folder = experiment.pictures.as_deref().unwrap_or(Path::new(""));
    let pictures = Dataset::open(root.join(folder))?;
    let mut styles: Vec<(String, Vec<Example>)> = Vec::new();
    for pictures::Example { style, text, pixels, .. } in pictures.examples {
        let example = Example { text, pixels: Some(pixels) };
        match styles.iter_mut().find(|(name, _)| *name == style) {
            Some((_, all)) => all.push(example),
            None => styles.push((style, vec![example])),
        }
    }
    styles.sort_by(|a, b| a.0.cmp(&b.0));
    for (_, examples) in &mut styles {
        examples.truncate(size.prompts);
    }
    Ok((pictures.size, styles))
}

/// All examples of an experiment, category by category, the focus prompt last where it is one of
/// its own.
pub(crate) fn examples(
    experiment: &Experiment,
    size: Size,
    root: &Path,
) -> Result<Vec<Example>, ReproduceError> {
    let mut all: Vec<Example> = match &experiment.prompts {
        Some(prompts) => prompts::load(prompts, size.prompts, root)?
            .into_iter()
            .flat_map(|(_, texts)| texts)
            .map(|text| Example { text, pixels: None })
            .collect(),
        None => {
            let (_, groups) = pictures(experiment, size, root)?;
            groups.into_iter().flat_map(|(_, examples)| examples).collect()
        }
    };
    if let Some(text) = &experiment.focus_prompt {
        all.push(Example { text: text.clone(), pixels: None });
    }
    Ok(all)
}
