//! The samples that weights are scored on, and how.

use metrics::{ClipScorer, MetricsError};
use pipeline::{Control, Generation, Pipeline, SampleRequest};
use probe::{ProbeError, SampleSet, ScoreEvaluator};
use reweight::{BlockWeights, Policy};

/// Requests of samples with the prompt of each.
type Requests = Vec<(SampleRequest, Vec<String>)>;

/// Samples of a model, scored under weights; their noise is drawn once.
pub struct Samples<'a> {
    pipeline: &'a Pipeline,
    scorer: &'a ClipScorer,
    steps: usize,
    train: Requests,
    test: Requests,
    other: Requests,
}

impl<'a> Samples<'a> {
    /// Draws the noise of the samples to train on, to test on, and of other prompts; `steps` is how
    /// often one calls the U-Net.
    pub fn new(
        pipeline: &'a Pipeline,
        scorer: &'a ClipScorer,
        steps: usize,
        [train, test, other]: [Vec<Generation>; 3],
    ) -> anyhow::Result<Self> {
        let draw = |generations: &[Generation]| -> anyhow::Result<Requests> {
            let mut requests = Vec::new();
            for generation in generations {
                for samples in generation.batches() {
                    let prompts = vec![generation.prompt.clone(); samples.len()];
                    requests.push((pipeline.request(generation, samples)?, prompts));
                }
            }
            Ok(requests)
        };
        let (train, test, other) = (draw(&train)?, draw(&test)?, draw(&other)?);
        Ok(Self { pipeline, scorer, steps, train, test, other })
    }
}

impl ScoreEvaluator for Samples<'_> {
    fn steps(&self) -> usize {
        self.steps
    }

    fn blocks(&self) -> usize {
        self.pipeline.unet().config().num_attention_blocks()
    }

    fn scores(&mut self, set: SampleSet, weights: &BlockWeights) -> Result<Vec<f64>, ProbeError> {
        let requests = match set {
            SampleSet::Train => &self.train,
            SampleSet::Test => &self.test,
            SampleSet::Other => &self.other,
        };
        let policy = Policy::from(weights.clone());
        let unscored = |error: MetricsError| ProbeError::Evaluator(error.to_string());
        let mut scores = Vec::new();
        for (request, prompts) in requests {
            let latents =
                self.pipeline.sample(request, &(&policy).into(), &mut |_| Control::Continue)?;
            let pictures = self.pipeline.pictures(latents)?;
            scores.extend(self.scorer.score(&pictures, prompts).map_err(unscored)?);
        }
        Ok(scores)
    }
}
