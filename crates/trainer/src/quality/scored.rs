//! What a scorer says about a model's pictures, of pairs that it saw and of such that it did not.

use metrics::ClipScorer;
use pictures::{Dataset, Example, RgbImage};
use pipeline::Pipeline;
use serde::Serialize;

use super::look::Look;
use super::recognition::{Gallery, picture};
use super::{
    Copies, Diversity, QualitySettings, Recognition, SetDistance, VaguePrompt, choose,
    for_captions, sampling, sheet,
};
use crate::TrainError;
use crate::pixels::pixels;

/// Pictures of each vague prompt.
const SEEDS: usize = 8;
/// Sampled pictures in a row of the sheet, each beside its real one.
const PAIRS_OF_ROW: usize = 8;
/// Rows of the sheet for each set of pairs.
const ROWS: usize = 4;
/// Fewest pictures that are compared as a set.
const LEAST_OF_A_SET: usize = 4;

/// Real pictures that a model is compared with.
#[derive(Debug, Clone, Copy)]
pub struct Reference<'a> {
    /// Those it was trained on, or could have been.
    pub train: &'a Dataset,
    /// Those of the pairs that were drawn.
    pub held_out: &'a Dataset,
    /// Those of `validation/`, which were held out too.
    pub validation: &'a Dataset,
}

/// What a scorer says about a model's pictures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scored {
    /// Pairs that the model was trained on.
    pub seen: Recognition,
    /// Pairs that were held out by the draw.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_out: Option<Recognition>,
    /// Pairs of `validation/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<Recognition>,
    /// Share of the real pictures of all pairs held out whose nearest other real picture has their
    /// style: what `style` is where nothing is copied.
    pub style_of_real: f64,
    /// What `style_by_look` is of the real pictures of all pairs held out, as the autoencoder gives
    /// them back.
    pub style_by_look_of_real: f64,
    /// Sampled pictures of all pairs held out beside the real ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distance: Option<SetDistance>,
    /// Training pictures, at most as many, beside the same real ones: how far real pictures lie.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distance_of_training: Option<SetDistance>,
    /// Pictures of pairs held out and of vague prompts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copies: Option<Copies>,
    /// Mean of the ratios of `diversity`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean_diversity_ratio: Option<f64>,
    /// Vague prompts.
    pub diversity: Vec<Diversity>,
}

/// Samples pictures for pairs seen and held out and for vague prompts, and has `scorer` judge them;
/// gives also a sheet of pictures, sampled left and real right, then each vague prompt's seeds.
///
/// `progress` is told the number of pictures that have been added.
///
/// # Errors
/// As [`super::quality`], and [`TrainError::Metrics`] where vectors are not finite.
pub fn scored(
    pipeline: &Pipeline,
    reference: Reference<'_>,
    concepts: &[String],
    vague: &[VaguePrompt],
    scorer: &ClipScorer,
    settings: QualitySettings,
    progress: &mut dyn FnMut(usize),
) -> Result<(Scored, RgbImage), TrainError> {
    let Reference { train, held_out, validation } = reference;
    let gallery = Gallery::new(&[train, held_out, validation], scorer)?;
    let side = train.size;
    let of_train: Vec<&Example> = train.examples.iter().collect();
    let look = Look::learn(&train.examples, &decoded(pipeline, &of_train, side)?);
    let rows = Vec::new();
    let mut judge = Judge { pipeline, scorer, gallery, look, settings, side, progress, rows };
    let seen = judge.captions(&choose(train, concepts, settings.pictures)?)?;
    let asked = |set: &'_ Dataset| -> Vec<Example> {
        set.examples.iter().filter(|e| concepts.contains(&e.caption)).cloned().collect()
    };
    let (of_held_out, of_validation) = (asked(held_out), asked(validation));
    let unseen = [&of_held_out, &of_validation];
    let mut judged = Vec::new();
    for examples in unseen {
        let examples: Vec<&Example> = examples.iter().collect();
        judged.push(match examples.is_empty() {
            true => None,
            false => Some(judge.captions(&examples)?),
        });
    }
    let [distance, distance_of_training] = judge.distances(train, &unseen, &judged)?;
    let is_asked = |example: &Example| unseen.iter().any(|asked| holds(asked, example));
    let style_of_real = judge.gallery.style_of_neighbours(is_asked);
    let real: Vec<&Example> = unseen.iter().copied().flatten().collect();
    let style_by_look_of_real = judge.look.share(&real, &decoded(pipeline, &real, side)?);
    let recognition = |i: usize| judged[i].as_ref().map(|judged: &Judged| judged.recognition);
    let (recognised, validated) = (recognition(0), recognition(1));
    let mut pictures: Vec<RgbImage> =
        judged.into_iter().flatten().flat_map(|judged| judged.pictures).collect();
    let mut diversity = Vec::new();
    for (number, prompt) in vague.iter().enumerate() {
        let (measured, sampled) = judge.vague(prompt, number)?;
        diversity.push(measured);
        pictures.extend(sampled);
    }
    let ratios = diversity.iter().map(|diversity| diversity.ratio).sum::<f64>();
    let scored = Scored {
        seen: seen.recognition,
        held_out: recognised,
        validation: validated,
        style_of_real,
        style_by_look_of_real,
        distance,
        distance_of_training,
        copies: Copies::new(&pictures, &[held_out, validation], train),
        mean_diversity_ratio: (!diversity.is_empty()).then(|| ratios / diversity.len() as f64),
        diversity,
    };
    Ok((scored, sheet(&judge.rows)))
}

/// Whether one of `asked` is of the pair of `example`.
fn holds(asked: &[Example], example: &Example) -> bool {
    asked.iter().any(|other| other.caption == example.caption && other.style == example.style)
}

/// Pictures of examples as the model's autoencoder gives them back: as sharp as it can be.
fn decoded(
    pipeline: &Pipeline,
    examples: &[&Example],
    side: usize,
) -> Result<Vec<RgbImage>, TrainError> {
    let scale = pipeline.vae().config().scaling_factor;
    let mut pictures = Vec::with_capacity(examples.len());
    for chunk in examples.chunks(64) {
        let mean = pipeline.vae().encode(pixels(chunk, side, pipeline.device())).mean;
        pictures.extend(pipeline.pictures(mean * scale)?);
    }
    Ok(pictures)
}

/// A scorer, what it compares with, and the sheet.
struct Judge<'a> {
    pipeline: &'a Pipeline,
    scorer: &'a ClipScorer,
    gallery: Gallery<'a>,
    look: Look,
    settings: QualitySettings,
    side: usize,
    progress: &'a mut dyn FnMut(usize),
    rows: Vec<Vec<RgbImage>>,
}

/// Pictures of whole captions.
struct Judged {
    recognition: Recognition,
    pictures: Vec<RgbImage>,
    vectors: Vec<Vec<f32>>,
}

impl Judge<'_> {
    /// Samples a picture for the caption of each of `examples` and recognises it.
    fn captions(&mut self, examples: &[&Example]) -> Result<Judged, TrainError> {
        let (side, settings) = (self.side, self.settings);
        let sampled = for_captions(self.pipeline, examples, side, settings, self.progress)?;
        for row in sampled.chunks(PAIRS_OF_ROW).take(ROWS) {
            let pair = |(e, p): &(&Example, RgbImage)| [p.clone(), picture(e, side)];
            self.rows.push(row.iter().flat_map(pair).collect());
        }
        let pictures: Vec<RgbImage> = sampled.into_iter().map(|(_, picture)| picture).collect();
        let vectors = self.scorer.embed(&pictures)?;
        let prompts: Vec<String> = examples.iter().map(|example| example.text.clone()).collect();
        let scores = self.scorer.cosines(&vectors, &prompts)?;
        let styles = self.look.share(examples, &pictures);
        let recognition = self.gallery.recognise(examples, &vectors, &scores, styles);
        Ok(Judged { recognition, pictures, vectors })
    }

    /// How far the sampled pictures, and how far training pictures, are from the real ones of the
    /// pairs held out; none where these are too few.
    fn distances(
        &self,
        train: &Dataset,
        unseen: &[&Vec<Example>],
        judged: &[Option<Judged>],
    ) -> Result<[Option<SetDistance>; 2], TrainError> {
        let vectors: Vec<Vec<f32>> =
            judged.iter().flatten().flat_map(|judged| judged.vectors.clone()).collect();
        let count = vectors.len();
        if count < LEAST_OF_A_SET || train.examples.len() < LEAST_OF_A_SET {
            return Ok([None, None]);
        }
        let real = self.gallery.of(|e| unseen.iter().any(|asked| holds(asked, e)));
        // The gallery begins with the training pictures.
        let stride = (train.examples.len() / count).max(1);
        let training: Vec<Vec<f32>> = self.gallery.vectors[..train.examples.len()]
            .iter()
            .step_by(stride)
            .take(count)
            .cloned()
            .collect();
        let distance =
            |vectors: &[Vec<f32>]| SetDistance::new(self.scorer.name(), vectors, &real).map(Some);
        Ok([distance(&vectors)?, distance(&training)?])
    }

    /// Samples pictures of the `number`th vague prompt from different seeds.
    fn vague(
        &mut self,
        prompt: &VaguePrompt,
        number: usize,
    ) -> Result<(Diversity, Vec<RgbImage>), TrainError> {
        let seed = self.settings.seed.wrapping_add((SEEDS * number) as u64);
        let prompts = vec![prompt.text.clone(); SEEDS];
        let sampled =
            sampling::sample(self.pipeline, &prompts, seed, self.settings, self.progress)?;
        let real =
            self.gallery.of(|e| e.style == prompt.style && prompt.concepts.contains(&e.caption));
        let vectors = self.scorer.embed(&sampled)?;
        self.rows.push(sampled.clone());
        Ok((Diversity::new(prompt.text.clone(), &vectors, &real), sampled))
    }
}
