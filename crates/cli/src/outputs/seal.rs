//! Schedules that are told from those that people changed: the first line is a hash of the rest.

use std::path::Path;

use files::sha256_bytes;

/// What the first line begins with; a comment in TOML.
const SEAL: &str = "# unet-reweight sha256 ";

/// A TOML text with its seal.
pub fn sealed(text: &str) -> String {
    format!("{SEAL}{}\n{text}", sha256_bytes(text))
}

/// Whether a file is as [`sealed`] made it.
pub fn is_sealed(path: &Path) -> bool {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let seal = text.strip_prefix(SEAL).and_then(|rest| rest.split_once('\n'));
    seal.is_some_and(|(hash, text)| hash == sha256_bytes(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_is_broken_by_any_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("schedule.toml");
        let text = sealed("[blocks]\nweights = [[1.0]]\n");
        let is_sealed = |text: &str| {
            std::fs::write(&path, text).unwrap();
            super::is_sealed(&path)
        };
        assert!(is_sealed(&text));
        for changed in [text.replace("1.0", "1.1"), format!("{text}\n"), text.replace(SEAL, "# ")] {
            assert!(!is_sealed(&changed), "{changed}");
        }
        assert!(!super::is_sealed(&folder.path().join("none.toml")));
    }
}
