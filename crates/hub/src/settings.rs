use std::path::PathBuf;

/// Where files are kept and asked for, as Python's `huggingface_hub` and `torch.hub` read it from
/// the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The hub's address (`HF_ENDPOINT`).
    pub endpoint: String,
    /// Folder of downloaded repositories (`HF_HUB_CACHE`, or `hub` in `HF_HOME`).
    pub hub_cache: PathBuf,
    /// Folder of single checkpoints (`hub/checkpoints` in `TORCH_HOME`).
    pub torch_cache: PathBuf,
    /// Access token (`HF_TOKEN`, or the file `HF_TOKEN_PATH`, or `token` in `HF_HOME`).
    pub token: Option<String>,
    /// Whether the network must not be used (`HF_HUB_OFFLINE`).
    pub offline: bool,
}

impl Settings {
    /// Reads the environment.
    pub fn from_env() -> Self {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// Reads variables from `lookup`.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| lookup(name).filter(|value| !value.trim().is_empty());
        let home = || PathBuf::from(set("HOME").or_else(|| set("USERPROFILE")).unwrap_or_default());
        let expand = |value: String| match value.strip_prefix("~/") {
            Some(rest) => home().join(rest),
            None => PathBuf::from(value),
        };
        let cache = set("XDG_CACHE_HOME").map_or_else(|| home().join(".cache"), &expand);
        let hf_home = set("HF_HOME").map_or_else(|| cache.join("huggingface"), &expand);
        let torch_home = set("TORCH_HOME").map_or_else(|| cache.join("torch"), &expand);
        let token_file = set("HF_TOKEN_PATH").map_or_else(|| hf_home.join("token"), &expand);
        let token = set("HF_TOKEN")
            .or_else(|| set("HUGGING_FACE_HUB_TOKEN"))
            .or_else(|| std::fs::read_to_string(token_file).ok());
        let yes =
            |value: String| matches!(value.to_uppercase().as_str(), "1" | "ON" | "YES" | "TRUE");
        Self {
            endpoint: set("HF_ENDPOINT")
                .unwrap_or_else(|| "https://huggingface.co".into())
                .trim_end_matches('/')
                .into(),
            hub_cache: set("HF_HUB_CACHE").map_or_else(|| hf_home.join("hub"), &expand),
            torch_cache: torch_home.join("hub").join("checkpoints"),
            token: token.map(|token| token.trim().to_string()).filter(|token| !token.is_empty()),
            offline: set("HF_HUB_OFFLINE").is_some_and(yes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Settings {
        Settings::from_lookup(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_string())
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
        assert_eq!(moved.token.as_deref(), Some("secret"));
        assert!(moved.offline);
        assert_eq!(read(&[("HF_HUB_CACHE", "/c")]).hub_cache, PathBuf::from("/c"));
    }
}
