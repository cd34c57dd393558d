//! What a package is made of: its files, where they are, what is known of them.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::HubError;

/// What a preset or a metric's weights are made of (`models/*.toml`).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Name it is asked for by.
    pub name: String,
    /// Name it is printed with.
    pub title: String,
    /// Hugging Face repository; absent where every file has a URL of its own.
    pub repository: Option<String>,
    /// What kind of repository that is.
    #[serde(default)]
    pub repository_type: RepositoryType,
    /// Its revision: a commit, or a branch where no commit is pinned.
    pub revision: Option<String>,
    /// Other places with the same files.
    #[serde(default)]
    pub alternatives: Vec<Source>,
    /// Name of the licence.
    pub licence: String,
    /// Where it can be read.
    pub licence_url: String,
    /// What a user should know.
    pub note: String,
    /// Which weights are taken where nothing else is asked for.
    pub variant: Option<Variant>,
    /// How the pipeline is used; only presets have it.
    pub pipeline: Option<PipelineFacts>,
    /// `config.json` of each part (`unet`, `vae`, `text_encoder`, `text_encoder_2`, `scheduler`);
    /// for checkpoints that come without.
    #[serde(default)]
    pub config: Map<String, Value>,
    /// The files.
    #[serde(rename = "file")]
    pub files: Vec<FileEntry>,
}

/// A repository and a revision of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// `owner/name`.
    pub repository: String,
    /// Commit or branch.
    pub revision: String,
}

/// Kinds of Hugging Face repositories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RepositoryType {
    /// Models.
    #[default]
    Model,
    /// Datasets.
    Dataset,
}

/// Which weights of a preset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Variant {
    /// Half-precision files.
    Fp16,
    /// Single-precision files.
    Fp32,
    /// The checkpoint in one file under its first names.
    SingleFile,
}

/// How a preset's pipeline is used.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PipelineFacts {
    /// diffusers' pipeline class.
    pub class: String,
    /// Inference steps the paper uses.
    pub steps: usize,
    /// Guidance scale the paper uses.
    pub guidance_scale: f64,
    /// Height and width it was trained on, in pixels.
    pub size: usize,
    /// Padding token of each tokenizer.
    pub pad_tokens: Vec<String>,
    /// Whether an absent negative prompt is all zeros.
    #[serde(default)]
    pub force_zeros_for_empty_prompt: bool,
}

/// One file of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Path in the repository, or name in the cache.
    pub path: String,
    /// Where it is, if not in the repository.
    pub url: Option<String>,
    /// Bytes, where known.
    pub size: Option<u64>,
    /// SHA-256 in hexadecimal, where known.
    pub sha256: Option<String>,
    /// First digits of it, where no more is known.
    pub sha256_prefix: Option<String>,
    /// Which weights it belongs to; every variant needs those without.
    pub variant: Option<Variant>,
}

/// What is known of a file's hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Digest {
    /// All 64 digits.
    Full(String),
    /// The first few.
    Prefix(String),
}

impl Digest {
    /// Whether `sha256` is that hash.
    pub fn matches(&self, sha256: &str) -> bool {
        match self {
            Self::Full(digits) => digits == sha256,
            Self::Prefix(start) => sha256.starts_with(start.as_str()),
        }
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Full(digits) => write!(f, "sha256 {digits}"),
            Self::Prefix(start) => write!(f, "a sha256 that begins with {start}"),
        }
    }
}

impl FileEntry {
    /// What is known of its hash.
    pub fn digest(&self) -> Option<Digest> {
        match (&self.sha256, &self.sha256_prefix) {
            (Some(digits), _) => Some(Digest::Full(digits.clone())),
            (None, Some(start)) => Some(Digest::Prefix(start.clone())),
            (None, None) => None,
        }
    }
}

impl Manifest {
    /// The files `variant` needs: its own and those of every variant. A single file stands alone.
    pub fn files_of(&self, variant: Option<Variant>) -> Vec<&FileEntry> {
        let variant = variant.or(self.variant);
        let wanted = |file: &&FileEntry| match (file.variant, variant) {
            (of, Some(Variant::SingleFile)) => of == Some(Variant::SingleFile),
            (None, _) => true,
            (of, variant) => of == variant,
        };
        self.files.iter().filter(wanted).collect()
    }

    /// Whether there are files of `variant`, where one is asked for.
    ///
    /// # Errors
    /// [`HubError::Variant`] with those that there are.
    pub fn check_variant(&self, variant: Option<Variant>) -> Result<(), HubError> {
        let has = |variant| self.files.iter().any(|file| file.variant == Some(variant));
        match variant {
            Some(wanted) if !has(wanted) => {
                let known = [Variant::Fp16, Variant::Fp32, Variant::SingleFile];
                let known = known.into_iter().filter(|known| has(*known));
                let known: Vec<String> = known.map(|known| format!("`{known}`")).collect();
                let known = if known.is_empty() { "only one".into() } else { known.join(" and ") };
                Err(HubError::Variant { name: self.name.clone(), wanted, known })
            }
            _ => Ok(()),
        }
    }

    /// The repository and its alternatives, in the order they are tried.
    pub fn sources(&self) -> Vec<Source> {
        let first = self.repository.as_ref().map(|repository| Source {
            repository: repository.clone(),
            revision: self.revision.clone().unwrap_or_else(|| "main".into()),
        });
        first.into_iter().chain(self.alternatives.iter().cloned()).collect()
    }

    /// Whether it can be given to `--model`.
    pub fn is_preset(&self) -> bool {
        self.pipeline.is_some()
    }
}

impl std::fmt::Display for Variant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Fp16 => "fp16",
            Self::Fp32 => "fp32",
            Self::SingleFile => "single-file",
        })
    }
}

impl std::str::FromStr for Variant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "fp16" => Ok(Self::Fp16),
            "fp32" => Ok(Self::Fp32),
            "single-file" => Ok(Self::SingleFile),
            _ => Err(format!("expected `fp16`, `fp32` or `single-file`, found `{text}`")),
        }
    }
}
