//! Pictures to fit weights on, and pictures to test them on.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use files::sha256_bytes;
use pictures::{RgbImage, list_pictures};
use pipeline::Pipeline;
use probe::CaptionedPicture;

use crate::commands::prompts::prompts;
use crate::failure::usage;

/// Share of the pictures that weights are fitted on, where no other set is named to test them.
const SPLIT: f64 = 0.5;

/// Which pictures.
#[derive(Args)]
pub struct PictureOptions {
    /// Folder of real pictures, all of one size.
    #[arg(long)]
    pictures: PathBuf,
    /// JSON lines with `file_name` and `prompt` (or `text`) for every picture [default: the folder's
    /// `metadata.jsonl`, else the records that `generate` writes beside its pictures].
    #[arg(long)]
    prompts: Option<PathBuf>,
    /// Folder of other pictures to test the weights on.
    #[arg(long, conflicts_with = "split")]
    test: Option<PathBuf>,
    /// JSON lines with the prompts of those.
    #[arg(long, requires = "test")]
    test_prompts: Option<PathBuf>,
    /// Share of the pictures that weights are fitted on, the others testing them; 1 for all
    /// [default: 0.5].
    #[arg(long, allow_negative_numbers = true)]
    split: Option<f64>,
}

/// A picture with its name and prompt.
pub struct NamedPicture {
    /// File.
    pub path: PathBuf,
    picture: RgbImage,
    prompt: String,
}

impl NamedPicture {
    fn channels(&self) -> Vec<f32> {
        self.picture.to_signed().values
    }
}

/// Pictures to fit on, then those to test on.
pub struct Sets {
    /// All of them.
    pub pictures: Vec<NamedPicture>,
    /// How many are fitted on.
    pub fitted: usize,
}

impl PictureOptions {
    /// Checks what needs no file.
    ///
    /// # Errors
    /// For a share out of range.
    pub fn check(&self) -> anyhow::Result<()> {
        match self.split {
            Some(split) if !(split > 0.0 && split <= 1.0) => {
                Err(usage(format_args!("expected a --split above 0 and at most 1, found {split}")))
            }
            _ => Ok(()),
        }
    }

    /// The files of prompts that are named: something that is read.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        [&self.prompts, &self.test_prompts].into_iter().flatten().map(PathBuf::as_path)
    }

    /// Reads the pictures; where one folder is split, `seed` draws which are fitted on.
    ///
    /// # Errors
    /// Naming the file that cannot be read or has no prompt.
    pub fn open(&self, seed: u64) -> anyhow::Result<Sets> {
        let mut pictures = open(&self.pictures, self.prompts.as_deref())?;
        if let Some(test) = &self.test {
            let fitted = pictures.len();
            pictures.extend(open(test, self.test_prompts.as_deref())?);
            return Ok(Sets { pictures, fitted });
        }
        let draw = |picture: &NamedPicture| {
            let name = picture.path.file_name().unwrap_or_default().to_string_lossy();
            sha256_bytes(format!("{seed} {name}"))
        };
        pictures.sort_by_cached_key(draw);
        let share = self.split.unwrap_or(SPLIT) * pictures.len() as f64;
        let fitted = (share.round() as usize).clamp(1, pictures.len());
        Ok(Sets { pictures, fitted })
    }
}

fn open(folder: &Path, prompt_file: Option<&Path>) -> anyhow::Result<Vec<NamedPicture>> {
    let paths = list_pictures(folder)?;
    let index = folder.join("metadata.jsonl");
    let beside = index.is_file().then_some(index.as_path());
    let prompts = prompts(&paths, prompt_file.or(beside))?;
    let open = |(path, prompt): (PathBuf, String)| {
        Ok(NamedPicture { picture: RgbImage::open(&path)?, path, prompt })
    };
    paths.into_iter().zip(prompts).map(open).collect()
}

impl Sets {
    /// The channels of all pictures, in [-1, 1].
    ///
    /// # Errors
    /// Naming the first of another size than the others, or of one that the pipeline does not serve;
    /// before any becomes floats.
    pub fn pixels(&self, pipeline: &Pipeline) -> anyhow::Result<Vec<Vec<f32>>> {
        let first = &self.pictures[0];
        let size @ [height, width] = first.picture.size();
        pipeline.latent_size(size).with_context(|| format!("`{}`", first.path.display()))?;
        if let Some(odd) = self.pictures.iter().find(|other| other.picture.size() != size) {
            let [rows, columns] = odd.picture.size();
            bail!(
                "`{}`: expected {width}×{height} pixels as in `{}`, found {columns}×{rows}",
                odd.path.display(),
                first.path.display()
            );
        }
        Ok(self.pictures.iter().map(NamedPicture::channels).collect())
    }

    /// The pictures as they are measured, with their channels.
    pub fn captioned<'a>(&'a self, pixels: &'a [Vec<f32>]) -> Vec<CaptionedPicture<'a>> {
        let captioned = |(named, pixels): (&'a NamedPicture, &'a Vec<f32>)| CaptionedPicture {
            pixels,
            size: named.picture.size(),
            prompt: &named.prompt,
        };
        self.pictures.iter().zip(pixels).map(captioned).collect()
    }

    /// What tells these pictures from others.
    pub fn facts(&self) -> serde_json::Value {
        let name = |picture: &NamedPicture| {
            picture.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
        };
        let names: Vec<String> = self.pictures.iter().map(name).collect();
        let mut content = files::Sha256::new();
        for picture in &self.pictures {
            content.update(sha256_bytes(&picture.prompt));
            let bytes: Vec<u8> = picture.channels().iter().flat_map(|x| x.to_le_bytes()).collect();
            content.update(sha256_bytes(bytes));
        }
        let (fitted, tested) = names.split_at(self.fitted);
        serde_json::json!({ "fitted": fitted, "tested": tested, "sha256": content.hex() })
    }
}
