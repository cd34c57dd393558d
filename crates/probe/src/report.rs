//! What a probe found: the file `probe.json`, which schedules are made from.

use std::path::Path;

use reweight::{ImportanceScores, StepMatrix};
use serde::{Deserialize, Serialize};
use unet_core::BlockInfo;

use crate::state::accepted_in_all;
use crate::{
    Agreement, Interval, ProbeConfig, ProbeError, ProbeState, VoteSummary, kendalls_w, vote,
};

/// The version of [`ProbeReport`] that is written; files without one are of version 1.
const VERSION: u32 = 2;

/// The result of one probe, whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeReport {
    /// Version of this format: 2, or 1 where best weights and acceptance of each step are absent.
    #[serde(default = "first_version")]
    pub version: u32,
    /// What was probed (prompt, seeds, steps, guidance, model), as the caller names it.
    pub facts: serde_json::Value,
    /// The probe's settings.
    pub config: ProbeConfig,
    /// The blocks' names, as [`block_labels`] gives them.
    pub blocks: Vec<String>,
    /// Importance scores, in (0, 1] (Eq. 6).
    pub importance: ImportanceScores,
    /// Their 95 % bootstrap intervals.
    pub intervals: StepMatrix<Interval>,
    /// Blocks of each step, least important first.
    pub ranking: StepMatrix<usize>,
    /// Agreement of the rounds at each step, from 0 to 1.
    pub kendalls_w: Vec<f64>,
    /// The same beside what chance gives; since version 2.
    #[serde(default)]
    pub agreement: Vec<Agreement>,
    /// Pairs of equal thresholds that a seeded draw had to order.
    pub ties: usize,
    /// Voting scores, from `r` to `m · r`.
    pub scores: StepMatrix<usize>,
    /// Accepted and tried steps of each round.
    pub accepted_of_tried: Vec<[usize; 2]>,
    /// Final thresholds of each round, in [0, 1].
    pub thresholds: Vec<StepMatrix>,
    /// Best weights of each round, in [0, 1]; since version 2.
    #[serde(default)]
    pub best: Vec<StepMatrix>,
    /// Acceptances `[round][epoch][step]`; since version 2.
    #[serde(default)]
    pub accepted_at: Vec<Vec<Vec<usize>>>,
}

fn first_version() -> u32 {
    1
}

/// Index and diffusers' path of every block: `3 mid_block`.
pub fn block_labels(blocks: &[BlockInfo]) -> Vec<String> {
    blocks.iter().map(|block| format!("{} {}", block.site.index, block.path)).collect()
}

/// diffusers' path in a label of [`block_labels`].
pub fn block_path(label: &str) -> &str {
    label.split_once(' ').map_or("", |(_, path)| path)
}

impl ProbeReport {
    /// The report on a finished probe of a model with these blocks.
    ///
    /// # Errors
    /// [`ProbeError::State`] where the state holds no round, or is of another number of blocks.
    pub fn new(
        facts: serde_json::Value,
        state: &ProbeState,
        blocks: &[BlockInfo],
    ) -> Result<Self, ProbeError> {
        let thresholds = state.thresholds();
        let vote = vote(&thresholds, state.config.seed)?;
        if vote.blocks() != blocks.len() {
            let (expected, found) = (blocks.len(), vote.blocks());
            return Err(ProbeError::State(format!("expected {expected} blocks, found {found}")));
        }
        let VoteSummary { importance, intervals, agreement } =
            VoteSummary::new(&vote, state.config.seed)?;
        Ok(Self {
            version: VERSION,
            facts,
            config: state.config.clone(),
            blocks: block_labels(blocks),
            importance,
            intervals,
            ranking: vote.ranking,
            kendalls_w: agreement.iter().map(|agreement| agreement.kendalls_w).collect(),
            agreement,
            ties: vote.ties,
            scores: vote.scores,
            accepted_of_tried: state.rounds.iter().map(|round| round.accepted).collect(),
            thresholds,
            best: state.rounds.iter().map(|round| round.best.clone()).collect(),
            accepted_at: state.rounds.iter().map(|round| round.accepted_at.clone()).collect(),
        })
    }

    /// Reads a `probe.json`.
    ///
    /// # Errors
    /// [`ProbeError::File`] where it cannot be read, [`ProbeError::Report`] where it is no report,
    /// one of a later version, or one whose parts contradict each other.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, ProbeError> {
        let path = path.as_ref();
        let broken = |reason: String| ProbeError::Report { path: path.into(), reason };
        let text = files::read_to_string(path)?;
        let report: Self =
            serde_json::from_str(&text).map_err(|error| broken(error.to_string()))?;
        report.check().map_err(broken)?;
        Ok(report)
    }

    /// The text of a `probe.json`.
    ///
    /// # Errors
    /// [`ProbeError::Serialise`] where a value has no JSON form.
    pub fn to_json(&self) -> Result<String, ProbeError> {
        Ok(serde_json::to_string_pretty(self)?)
    }

    /// Importance with its interval, a line for each step and block.
    pub fn to_csv(&self) -> String {
        let mut csv = String::from("step,block,path,importance,low,high\n");
        for (step, row) in self.importance.matrix().rows().enumerate() {
            for (block, (score, interval)) in row.iter().zip(&self.intervals[step]).enumerate() {
                let path = block_path(&self.blocks[block]);
                let Interval { low, high } = interval;
                csv += &format!("{step},{block},{path},{score},{low},{high}\n");
            }
        }
        csv
    }

    /// Whether the version is known, and everything follows from the thresholds.
    fn check(&self) -> Result<(), String> {
        if ![first_version(), VERSION].contains(&self.version) {
            return Err(format!("expected version 1 or {VERSION}, found {}", self.version));
        }
        let vote = vote(&self.thresholds, self.config.seed).map_err(|error| error.to_string())?;
        let (steps, blocks) = (vote.steps(), vote.blocks());
        let importance = vote.importance().map_err(|error| error.to_string())?;
        let older = self.version == first_version();
        let fits = |matrix: &StepMatrix| matrix.check_shape(steps, blocks).is_ok();
        let accepted = || {
            let sums = self.accepted_at.iter().map(|round| accepted_in_all(round));
            sums.eq(self.accepted_of_tried.iter().map(|[accepted, _]| Some(*accepted)))
        };
        let follows = [
            ("blocks", self.blocks.len() == blocks),
            ("config", self.config.rounds == vote.rounds),
            ("accepted_of_tried", self.accepted_of_tried.len() == vote.rounds),
            ("scores", self.scores == vote.scores),
            ("ranking", self.ranking == vote.ranking),
            ("ties", self.ties == vote.ties),
            ("importance", self.importance == importance),
            ("kendalls_w", self.kendalls_w == kendalls_w(&vote)),
            ("intervals", self.intervals.check_shape(steps, blocks).is_ok()),
            ("agreement", older || self.agreement == Agreement::of_vote(&vote, self.config.seed)),
            ("best", older || self.best.len() == vote.rounds && self.best.iter().all(fits)),
            ("accepted_at", older || accepted()),
        ];
        match follows.iter().find(|(_, follows)| !follows) {
            Some((name, _)) => Err(format!("`{name}` does not follow from `thresholds`")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn blocks() -> Vec<BlockInfo> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/emoji-sd/unet");
        let config = unet_core::UNet2DConditionConfig::from_file(folder.join("config.json"));
        let mut blocks = config.unwrap().blocks();
        blocks.truncate(3);
        blocks
    }

    fn report() -> ProbeReport {
        let config = ProbeConfig { rounds: 2, epochs: 1, ..ProbeConfig::paper() };
        let mut state = ProbeState::new(&config, 2, 3, &mut crate::CounterDraws::new(1)).unwrap();
        let matrix = |rows| StepMatrix::from_rows(rows).unwrap();
        state.rounds[0].thresholds = matrix(vec![vec![0.9, 0.1, 0.5], vec![0.25, 0.5, 1.0 / 3.0]]);
        state.rounds[1].thresholds = matrix(vec![vec![0.8, 0.2, 0.1], vec![0.5, 0.5, 0.5]]);
        ProbeReport::new(json!({ "prompt": "a fox", "steps": 2 }), &state, &blocks()).unwrap()
    }

    fn read(value: &Value) -> Result<ProbeReport, ProbeError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("probe.json");
        std::fs::write(&path, value.to_string()).unwrap();
        ProbeReport::read(&path)
    }

    #[test]
    fn read_gives_back_what_was_written_and_reads_the_first_version() {
        let report = report();
        let mut value: Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
        assert_eq!(value["scores"], json!([[2, 5, 5], value["scores"][1]]));
        assert_eq!(value["blocks"][2], "2 down_blocks.2");
        assert_eq!(read(&value).unwrap(), report);
        for key in ["version", "agreement", "best", "accepted_at"] {
            value.as_object_mut().unwrap().remove(key);
        }
        let older = read(&value).unwrap();
        assert_eq!((older.version, &older.importance), (1, &report.importance));
        assert!(older.best.is_empty());
    }

    #[test]
    fn read_names_the_file_and_what_contradicts_the_thresholds() {
        let value: Value = serde_json::from_str(&report().to_json().unwrap()).unwrap();
        let changed = |key: &str, new: Value| {
            let mut value = value.clone();
            value[key] = new;
            read(&value).unwrap_err().to_string()
        };
        for (key, new, expected) in [
            ("version", json!(3), "version 1 or 2, found 3"),
            ("agreement", json!([]), "`agreement`"),
            ("best", json!([[[1.0, 1.0, 1.0]]]), "`best`"),
            ("accepted_at", json!([[[1, 0]], [[0, 0]]]), "`accepted_at`"),
            ("accepted_at", json!([[[usize::MAX, 1]], [[0, 0]]]), "`accepted_at`"),
            ("importance", json!([[0.5, 0.5, 0.5], [0.5, 0.5, 0.5]]), "`importance`"),
            ("importance", json!([[0.5, 0.5, 1.5], [0.5, 0.5, 0.5]]), "found 1.5"),
            ("scores", json!([[2, 5, 5]]), "`scores`"),
            ("ranking", json!([[9, 1, 2], [0, 1, 2]]), "`ranking`"),
            ("blocks", json!(["0 a"]), "`blocks`"),
            ("intervals", json!([[{"low": 0.1, "high": 0.2}]]), "`intervals`"),
            ("accepted_of_tried", json!([]), "`accepted_of_tried`"),
            ("thresholds", json!([[[0.1, 0.2, 0.3]], [[0.1]]]), "round 1"),
            ("treshold", json!(1), "treshold"),
        ] {
            let error = changed(key, new);
            assert!(error.contains("probe.json") && error.contains(expected), "{key}: {error}");
        }
        for no_report in [json!([1, 2]), json!({}), json!("importance")] {
            assert!(matches!(read(&no_report), Err(ProbeError::Report { .. })));
        }
        assert!(matches!(ProbeReport::read("not/there.json"), Err(ProbeError::File(_))));
    }

    #[test]
    fn to_csv_has_a_line_for_every_step_and_block() {
        let csv = report().to_csv();
        assert_eq!(csv.lines().count(), 1 + 2 * 3);
        assert!(csv.lines().nth(1).unwrap().starts_with("0,0,down_blocks.0,0.333"), "{csv}");
    }
}
