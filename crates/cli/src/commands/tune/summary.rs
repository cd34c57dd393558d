//! What tuned weights do to a score, and whether that is more than chance.

use metrics::{Checkpoint, ClipScorer, PairedDifference, paired_difference};
use probe::Tuned;
use serde::Serialize;

/// Resamples of the intervals, and the seed that draws them.
const RESAMPLES: usize = 10_000;
const SEED: u64 = 42;

/// Scores of the same samples at weights 1 and at the tuned ones.
#[derive(Serialize)]
pub struct Outcome {
    /// Mean at weights 1.
    pub vanilla: f64,
    /// Mean at the tuned weights.
    pub tuned: f64,
    /// What the difference is over: `seeds`, or `prompts` where there are several, as the pictures of
    /// one prompt are more alike than those of two.
    pub over: &'static str,
    /// Tuned less vanilla, paired, bootstrap interval; of each prompt the mean over its seeds where
    /// there are several prompts.
    pub difference: PairedDifference,
    /// The scores at weights 1, then at the tuned ones: prompt by prompt, its seeds in order.
    pub scores: [Vec<f64>; 2],
}

/// What the weights do to the score.
#[derive(Serialize)]
pub struct Summary {
    /// Name of the score.
    pub score: String,
    /// The scorer's weights.
    pub checkpoint: Checkpoint,
    /// Where the weights were chosen: a gain here is no evidence.
    pub train: Outcome,
    /// On other seeds.
    pub test: Outcome,
    /// On other prompts.
    pub other: Option<Outcome>,
    /// Whether the interval on the test seeds lies above 0.
    pub beats_vanilla: bool,
    /// That in words.
    pub verdict: String,
}

impl Outcome {
    /// Of scores prompt by prompt, with so many seeds each.
    fn new(scores: &[Vec<f64>; 2], seeds: usize) -> anyhow::Result<Self> {
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let several = scores[0].len() > seeds;
        let of_prompts = |scores: &Vec<f64>| scores.chunks(seeds.max(1)).map(mean).collect();
        let units = if several { scores.each_ref().map(of_prompts) } else { scores.clone() };
        let [vanilla, tuned] = &units;
        Ok(Self {
            vanilla: mean(&scores[0]),
            tuned: mean(&scores[1]),
            over: if several { "prompts" } else { "seeds" },
            difference: paired_difference(tuned, vanilla, RESAMPLES, SEED)?,
            scores: scores.clone(),
        })
    }

    /// The difference and its interval.
    pub fn words(&self) -> String {
        let PairedDifference { mean, low, high, .. } = self.difference;
        format!("{mean:+.5} [{low:+.5}, {high:+.5}]")
    }
}

impl Summary {
    /// Compares the scores of so many training and test seeds.
    pub fn new(
        scorer: &ClipScorer,
        tuned: &Tuned,
        [train_seeds, test_seeds]: [usize; 2],
    ) -> anyhow::Result<Self> {
        let train = Outcome::new(&tuned.train, train_seeds)?;
        let test = Outcome::new(&tuned.test, test_seeds)?;
        let [vanilla, _] = &tuned.other;
        let other = || Outcome::new(&tuned.other, test_seeds);
        let other = (!vanilla.is_empty()).then(other).transpose()?;
        let beats_vanilla = test.difference.low > 0.0;
        let verdict = verdict(tuned.is_vanilla(), &test, other.as_ref());
        let (score, checkpoint) = (scorer.name().into(), scorer.checkpoint().clone());
        Ok(Self { score, checkpoint, train, test, other, beats_vanilla, verdict })
    }
}

fn verdict(is_vanilla: bool, test: &Outcome, other: Option<&Outcome>) -> String {
    if is_vanilla {
        return "nothing beats vanilla: no change of a weight raised the training score by more than \
                its standard error"
            .into();
    }
    if test.difference.low <= 0.0 {
        let where_ = if test.difference.high < 0.0 { "below 0" } else { "which includes 0" };
        return format!(
            "nothing beats vanilla: on the test seeds the weights change the score by {}, {where_}",
            test.words()
        );
    }
    let beats = format!("the weights beat vanilla on the test seeds, by {}", test.words());
    match other {
        Some(other) if other.difference.low > 0.0 => format!("{beats}, and on other prompts"),
        Some(other) => format!("{beats}, but not on other prompts: {}", other.words()),
        None => beats,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(gains: [f64; 4]) -> Outcome {
        Outcome::new(&[vec![1.0; 4], gains.map(|gain| 1.0 + gain).to_vec()], 4).unwrap()
    }

    #[test]
    fn seeds_of_one_prompt_are_no_evidence_about_prompts() {
        // Two prompts of three seeds each: one gains, the other loses as surely.
        let tuned = vec![1.1, 1.1, 1.1, 0.95, 0.95, 0.95];
        let outcome = Outcome::new(&[vec![1.0; 6], tuned], 3).unwrap();
        let PairedDifference { mean, low, high, count, .. } = outcome.difference;
        assert_eq!((outcome.over, count), ("prompts", 2));
        assert!((mean - 0.025).abs() < 1e-12 && low < 0.0 && high > 0.09, "{low} {high}");
        assert!((outcome.tuned - 1.025).abs() < 1e-12);
    }

    #[test]
    fn verdict_follows_the_intervals_of_samples_that_nothing_was_chosen_on() {
        let (up, down) = (outcome([0.1, 0.2, 0.15, 0.1]), outcome([-0.1, -0.2, -0.1, -0.1]));
        let open = outcome([0.1, -0.2, 0.15, -0.1]);
        for (is_vanilla, test, other, words) in [
            (true, &open, None, "no change of a weight"),
            (false, &open, Some(&up), "which includes 0"),
            (false, &down, None, "below 0"),
            (false, &up, None, "beat vanilla on the test seeds, by +0.13750"),
            (false, &up, Some(&up), "and on other prompts"),
            (false, &up, Some(&open), "but not on other prompts"),
        ] {
            let verdict = verdict(is_vanilla, test, other);
            assert!(verdict.contains(words), "{verdict}");
            assert_eq!(verdict.starts_with("nothing"), test.difference.low <= 0.0, "{verdict}");
        }
    }
}
