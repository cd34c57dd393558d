//! Schedule files: our TOML and JSON, and the authors' YAML.

use std::path::Path;

use serde::Deserialize;

use crate::{BlockWeights, Policy, ReweightError, Schedule, StepMatrix};

/// The authors' files: keys of their YAML.
#[derive(Deserialize)]
struct AuthorsYaml {
    importance_weight_matrix: Option<StepMatrix>,
    /// One matrix per epoch; the last one counts.
    history_weight_threshold_matrix_list: Option<Vec<StepMatrix>>,
}

impl Policy {
    /// What a schedule file does; see [`Schedule::from_file`].
    ///
    /// # Errors
    /// As [`Schedule::from_file`].
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ReweightError> {
        Ok(Schedule::from_file(path)?.policy())
    }
}

impl Schedule {
    /// Reads a schedule file: our TOML or JSON, or the authors' YAML (`importance_weight_matrix`,
    /// or `history_weight_threshold_matrix_list`, whose last matrix becomes skip thresholds).
    ///
    /// # Errors
    /// [`ReweightError`] naming the file and what is wrong with it.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ReweightError> {
        let path = path.as_ref();
        let text = files::read_to_string(path)?;
        let format = |reason: String| ReweightError::Format { path: path.into(), reason };
        let schedule: Self = match path.extension().and_then(|extension| extension.to_str()) {
            Some("toml") => toml::from_str(&text).map_err(|error| format(error.to_string()))?,
            Some("json") => {
                serde_json::from_str(&text).map_err(|error| format(error.to_string()))?
            }
            Some("yaml" | "yml") => from_yaml(&text).map_err(format)?.into(),
            _ => return Err(format("expected a file `.toml`, `.json`, `.yaml` or `.yml`".into())),
        };
        schedule.check().map_err(|error| format(error.to_string()))?;
        Ok(schedule)
    }
}

/// Deepest nesting of flow collections in YAML, and longest indentation: matrices need three levels.
const MAX_NESTING: usize = 64;
const MAX_INDENTATION: usize = 256;

/// Refuses what would take the parser time that grows with the square of its nesting.
fn check_nesting(yaml: &str) -> Result<(), String> {
    let mut depth = 0usize;
    for (number, line) in yaml.lines().enumerate() {
        let indicator = |c: char| matches!(c, ' ' | '\t' | '-' | '?' | ':');
        let indentation = line.chars().take_while(|c| indicator(*c)).count();
        for byte in line.bytes() {
            match byte {
                b'[' | b'{' => depth += 1,
                b']' | b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth > MAX_NESTING || indentation > MAX_INDENTATION {
                let line = number + 1;
                return Err(format!("line {line}: expected a matrix, found deeper nesting"));
            }
        }
    }
    Ok(())
}

fn from_yaml(text: &str) -> Result<Policy, String> {
    check_nesting(text)?;
    let file: AuthorsYaml = serde_yaml_ng::from_str(text).map_err(|error| error.to_string())?;
    let blocks = match (file.importance_weight_matrix, file.history_weight_threshold_matrix_list) {
        (Some(weights), _) => BlockWeights::new(weights),
        (None, Some(mut history)) => {
            let last = history.pop().ok_or("`history_weight_threshold_matrix_list` is empty")?;
            BlockWeights::vanilla(last.steps(), last.blocks()).with_thresholds(last)
        }
        (None, None) => {
            return Err("expected `importance_weight_matrix` or \
                        `history_weight_threshold_matrix_list`"
                .into());
        }
    };
    Ok(blocks.map_err(|error| error.to_string())?.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FreeU, NoiseLevel, Origin, ScheduleModel};

    #[test]
    fn to_toml_round_trips_with_all_that_explains_it() {
        let matrix = |rows: [[f64; 2]; 2]| StepMatrix::from_rows(rows.map(Vec::from).to_vec());
        let weights = BlockWeights::new(matrix([[1.0, 1.1], [0.95, 1.0]]).unwrap()).unwrap();
        let weights = weights.with_thresholds(matrix([[0.0, 0.0], [0.0, 1.5]]).unwrap()).unwrap();
        let policy = Policy { blocks: Some(weights), freeu: Some(FreeU::SDXL) };
        let level = |sigma: f64| NoiseLevel { timestep: 500.0, sigma };
        let schedule = Schedule {
            paths: Some(vec!["down_blocks.0".into(), "mid_block".into()]),
            model: Some(ScheduleModel { name: Some("m".into()), sha256: Some("ab".into()) }),
            origin: Some(Origin {
                method: "importance".into(),
                prompt: Some("a \"fox\"".into()),
                seeds: vec![1, u64::MAX >> 1],
                unet_samples: Some(160),
                seconds: Some(1.5),
            }),
            steps: Some(vec![level(2.0), level(1.0)]),
            ..policy.clone().into()
        };
        assert_eq!(schedule.policy(), policy);
        let folder = tempfile::tempdir().unwrap();
        let json = serde_json::to_string(&schedule).unwrap();
        for (name, text) in [("s.toml", schedule.to_toml().unwrap()), ("s.json", json)] {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            assert_eq!(Schedule::from_file(&path).unwrap(), schedule);
            assert_eq!(Policy::from_file(&path).unwrap(), policy);
        }
        let paths = ["down_blocks.0", "up_blocks.0", "up_blocks.1"].map(String::from);
        let error = schedule.check_paths(&paths).unwrap_err().to_string();
        assert!(error.contains("`up_blocks.0` as block 1, found `mid_block`"), "{error}");
        assert!(schedule.check_paths(schedule.paths.as_ref().unwrap()).is_ok());
    }

    #[test]
    fn from_file_parts_that_do_not_fit_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.toml");
        let weights = "[blocks]\nweights = [[1.0, 1.0]]\n";
        for (before, after, expected) in [
            ("version = 2\n", "", "version 1, found 2"),
            ("paths = [\"mid_block\"]\n", "", "`paths`: expected 2"),
            ("steps = []\n", "", "`steps`: expected 1"),
            ("", "[[steps]]\ntimestep = 1.0\nsigma = -1.0\n", "0 or more"),
            ("", "[[steps]]\ntimestep = 1.0\nsigma = nan\n", "0 or more"),
            ("", "[origin]\nmethod = \"m\"\nseconds = nan\n", "`origin.seconds`: expected 0 or"),
            ("", "[origin]\nmethod = \"m\"\nseconds = inf\n", "found inf"),
            ("", "[origin]\nmethod = \"m\"\nseconds = -0.5\n", "found -0.5"),
            ("modle = 1\n", "", "modle"),
        ] {
            std::fs::write(&path, format!("{before}{weights}{after}")).unwrap();
            let error = Schedule::from_file(&path).unwrap_err().to_string();
            assert!(error.contains("s.toml") && error.contains(expected), "{error}");
        }
    }

    #[test]
    fn from_yaml_both_of_the_authors_forms_are_read() {
        let weights = from_yaml("importance_weight_matrix:\n- [1.0, 1.1]\n- [0.9, 1.0]\n").unwrap();
        assert_eq!(weights.blocks.unwrap().weights()[1], [0.9, 1.0]);
        let history = "history_weight_threshold_matrix_list:\n- - [0.0, 0.0]\n- - [0.5, 1.5]\n";
        let thresholds = from_yaml(history).unwrap().blocks.unwrap();
        assert_eq!(thresholds.thresholds()[0], [0.5, 1.5]);
        assert!(from_yaml("something_else: 1\n").is_err());
    }

    #[test]
    fn from_yaml_nesting_is_refused_before_it_takes_time() {
        let levels = 200_000;
        for text in [
            format!("importance_weight_matrix: {}", "[".repeat(levels)),
            "{".repeat(levels),
            "[\n".repeat(levels),
            "- ".repeat(levels),
            "? ".repeat(levels),
            (0..2000).map(|level| format!("{}- a:\n", " ".repeat(level))).collect(),
        ] {
            let start = std::time::Instant::now();
            assert!(from_yaml(&text).unwrap_err().contains("deeper nesting"));
            assert!(start.elapsed().as_secs() < 2, "{:?}", start.elapsed());
        }
    }

    #[test]
    fn from_file_without_any_weights_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("a.toml", ""),
            ("a.toml", "# nothing\n"),
            ("a.json", "{}"),
            ("a.json", r#"{"blocks": null, "freeu": null}"#),
            ("a.yaml", ""),
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            let error = Policy::from_file(&path).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("expected"), "{error}");
        }
    }

    #[test]
    fn from_str_unknown_keys_and_negative_weights_are_refused() {
        assert!(toml::from_str::<Policy>("[blocks]\nweights = [[-1.0]]").is_err());
        assert!(toml::from_str::<Policy>("[bloks]\nweights = [[1.0]]").is_err());
    }
}
