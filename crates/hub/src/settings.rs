//! Where files are kept and asked for, read from the environment.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::Token;

/// Where files are kept and asked for, as Python's `huggingface_hub` and `torch.hub` read it from
/// the environment, and where this program keeps its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The hub's address (`HF_ENDPOINT`).
    pub endpoint: String,
    /// Folder of downloaded repositories (`HF_HUB_CACHE`, or `hub` in `HF_HOME`).
    pub hub_cache: PathBuf,
    /// Folder of single checkpoints (`hub/checkpoints` in `TORCH_HOME`).
    pub torch_cache: PathBuf,
    /// Access token (`HF_TOKEN`, or the file `HF_TOKEN_PATH`, or `token` in `HF_HOME`).
    pub token: Option<Token>,
    /// Whether the network must not be used (`HF_HUB_OFFLINE`).
    pub offline: bool,
    /// Folders that shipped models are looked for in, the first first: `UNET_REWEIGHT_MODELS`,
    /// `models` of the checkout the program was built from, `../share/unet-reweight/models` beside
    /// the program, `unet-reweight/models` in `XDG_DATA_HOME`.
    pub models: Vec<PathBuf>,
    /// Folder of what can be computed again (`unet-reweight` in `XDG_CACHE_HOME`); absent where
    /// there is no home.
    pub cache: Option<PathBuf>,
}

impl Settings {
    /// Reads the environment.
    pub fn from_env() -> Self {
        Self::from_lookup(|name| std::env::var_os(name))
    }

    /// Reads variables from `lookup`.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<OsString>) -> Self {
        let text = |name: &str| {
            let value = lookup(name).map(|value| value.to_string_lossy().into_owned());
            value.filter(|value| !value.trim().is_empty())
        };
        let home = path(&lookup, "HOME", None).or_else(|| path(&lookup, "USERPROFILE", None));
        let folder = |name: &str| path(&lookup, name, home.as_deref());
        let at_home = |name: &str| home.as_ref().map(|home| home.join(name));
        let user_cache = folder("XDG_CACHE_HOME").or_else(|| at_home(".cache"));
        let cache = user_cache.clone().unwrap_or_else(|| ".cache".into());
        let hf_home = folder("HF_HOME").unwrap_or_else(|| cache.join("huggingface"));
        let torch_home = folder("TORCH_HOME").unwrap_or_else(|| cache.join("torch"));
        let token_file = folder("HF_TOKEN_PATH").unwrap_or_else(|| hf_home.join("token"));
        let said = |name: &str| Token::new(&text(name)?, name);
        let kept = || {
            let text = std::fs::read(&token_file).ok()?;
            let origin = format!("`{}`", token_file.display());
            Token::new(&String::from_utf8_lossy(&text), origin)
        };
        let yes =
            |value: String| matches!(value.to_uppercase().as_str(), "1" | "ON" | "YES" | "TRUE");
        let user_data = folder("XDG_DATA_HOME").or_else(|| at_home(".local/share"));
        let user_models = user_data.map(|data| data.join("unet-reweight/models"));
        let models = folder("UNET_REWEIGHT_MODELS").into_iter().chain(shipped()).chain(user_models);
        Self {
            endpoint: text("HF_ENDPOINT")
                .unwrap_or_else(|| "https://huggingface.co".into())
                .trim_end_matches('/')
                .into(),
            hub_cache: folder("HF_HUB_CACHE").unwrap_or_else(|| hf_home.join("hub")),
            torch_cache: torch_home.join("hub").join("checkpoints"),
            token: said("HF_TOKEN").or_else(|| said("HUGGING_FACE_HUB_TOKEN")).or_else(kept),
            offline: text("HF_HUB_OFFLINE").is_some_and(yes),
            models: models.collect(),
            cache: user_cache.map(|cache| cache.join("unet-reweight")),
        }
    }
}

/// The path a variable says, with `~` for `home`; none where it is empty.
fn path(
    lookup: &impl Fn(&str) -> Option<OsString>,
    name: &str,
    home: Option<&Path>,
) -> Option<PathBuf> {
    let path =
        PathBuf::from(lookup(name).filter(|value| !value.to_string_lossy().trim().is_empty())?);
    match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => Some(home.join(rest)),
        _ => Some(path),
    }
}

/// Where models lie that came with the program: in its checkout, or beside where it is installed.
fn shipped() -> Vec<PathBuf> {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    // Where the system does not tell (no /proc), how the program was started does.
    let started = || std::env::args_os().next().map(PathBuf::from);
    let program = std::env::current_exe().ok().or_else(started);
    let beside = program
        .as_deref()
        .and_then(|program| Some(program.parent()?.parent()?.join("share/unet-reweight/models")));
    checkout.map(|checkout| checkout.join("models")).into_iter().chain(beside).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Settings {
        Settings::from_lookup(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into())
        })
    }

    #[test]
    fn from_lookup_places_are_those_of_the_python_libraries() {
        let plain = read(&[("HOME", "/h")]);
        assert_eq!(plain.hub_cache, PathBuf::from("/h/.cache/huggingface/hub"));
        assert_eq!(plain.torch_cache, PathBuf::from("/h/.cache/torch/hub/checkpoints"));
        assert_eq!(plain.endpoint, "https://huggingface.co");
        assert!(plain.token.is_none() && !plain.offline);
        let moved = read(&[
            ("HOME", "/h"),
            ("HF_HOME", "~/hf"),
            ("HF_ENDPOINT", "http://mirror/"),
            ("HF_TOKEN", " secret\n"),
            ("HF_HUB_OFFLINE", "1"),
        ]);
        assert_eq!(moved.hub_cache, PathBuf::from("/h/hf/hub"));
        assert_eq!(moved.endpoint, "http://mirror");
        assert_eq!(moved.token, Token::new("secret", "HF_TOKEN"));
        assert!(moved.offline);
        assert_eq!(read(&[("HF_HUB_CACHE", "/c")]).hub_cache, PathBuf::from("/c"));
    }

    #[test]
    fn from_lookup_has_the_program_s_own_folders() {
        let plain = read(&[("HOME", "/h")]);
        assert_eq!(plain.cache, Some("/h/.cache/unet-reweight".into()));
        assert_eq!(plain.models.last(), Some(&"/h/.local/share/unet-reweight/models".into()));
        let moved = read(&[("UNET_REWEIGHT_MODELS", "/m"), ("XDG_CACHE_HOME", "/c")]);
        assert_eq!(moved.models.first(), Some(&"/m".into()));
        assert_eq!(moved.cache, Some("/c/unet-reweight".into()));
        assert_eq!(read(&[]).cache, None, "nothing is written to the working folder");
    }
}
