//! What a name given by a user stands for on this machine.

use std::path::{Path, PathBuf};

use crate::presets::unknown;
use crate::{
    Cache, FileEntry, HubError, Manifest, SHIPPED, Settings, Variant, preset, presets, shipped,
};

/// What a model's name stands for on this machine.
#[derive(Debug, Clone)]
pub enum Resolved {
    /// A diffusers pipeline folder.
    Folder {
        /// The folder.
        path: PathBuf,
        /// The preset it is of, where it was asked for by name.
        preset: Option<&'static Manifest>,
    },
    /// A checkpoint in one file.
    SingleFile {
        /// The file.
        path: PathBuf,
        /// The preset it is of, where it was asked for by name or its name says so.
        preset: Option<&'static Manifest>,
    },
}

impl Resolved {
    /// The preset, where one is known.
    pub fn preset(&self) -> Option<&'static Manifest> {
        match self {
            Self::Folder { preset, .. } | Self::SingleFile { preset, .. } => *preset,
        }
    }
}

/// Finds what `name` stands for: a folder, a file, a model that comes with the program, or a preset
/// whose files are in the cache.
///
/// # Errors
/// [`HubError::Unknown`] with a suggestion, [`HubError::Absent`] saying how to fetch it,
/// [`HubError::NotShipped`] saying where it was looked for,
/// [`HubError::Different`] where a file in the cache is not the preset's.
pub fn resolve(name: &str, settings: &Settings) -> Result<Resolved, HubError> {
    let path = Path::new(name);
    if path.is_dir() {
        return Ok(Resolved::Folder { path: path.into(), preset: None });
    }
    if path.is_file() {
        let file = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let preset = presets().find(|preset| {
            let files = preset.files_of(Some(Variant::SingleFile));
            files.iter().any(|entry| Some(&entry.path) == file.as_ref())
        });
        return Ok(Resolved::SingleFile { path: path.into(), preset });
    }
    if SHIPPED.contains(&name) {
        return Ok(Resolved::Folder { path: shipped(name, settings)?, preset: None });
    }
    let Some(manifest) = presets().find(|preset| preset.name == name) else {
        return Err(unknown(name, Manifest::is_preset));
    };
    let cache = Cache::new(settings);
    for folder in cache.snapshots(manifest) {
        if let Some(resolved) = complete(&cache, manifest, &folder)? {
            log::info!("`{name}` is in `{}`", folder.display());
            return Ok(resolved);
        }
    }
    Err(HubError::Absent { name: name.into(), looked: cache.hub().display().to_string() })
}

/// The files of a package on this machine, in the manifest's order.
///
/// # Errors
/// [`HubError::Unknown`] with a suggestion, [`HubError::Absent`] saying how to fetch it,
/// [`HubError::Different`] where a file in the cache is not the package's.
pub fn installed(name: &str, settings: &Settings) -> Result<Vec<PathBuf>, HubError> {
    let package = preset(name)?;
    let cache = Cache::new(settings);
    let find = |file: &FileEntry| {
        let path = cache.find(package, file).ok_or_else(|| HubError::Absent {
            name: name.into(),
            looked: match file.url {
                Some(_) => settings.torch_cache.display().to_string(),
                None => settings.hub_cache.display().to_string(),
            },
        })?;
        cache.check(file, &path)?;
        Ok(path)
    };
    package.files_of(None).into_iter().map(find).collect()
}

/// `path` where there is such a file, else the files of the package of that name.
///
/// # Errors
/// As [`installed`].
pub fn file_or_installed(path: &Path, settings: &Settings) -> Result<Vec<PathBuf>, HubError> {
    if path.is_file() {
        return Ok(vec![path.into()]);
    }
    installed(&path.to_string_lossy(), settings)
}

/// The preset in one snapshot, in the first variant that is complete there.
fn complete(
    cache: &Cache,
    manifest: &'static Manifest,
    folder: &Path,
) -> Result<Option<Resolved>, HubError> {
    let variants = [manifest.variant, Some(Variant::Fp16), Some(Variant::Fp32)];
    for variant in variants.into_iter().flatten().chain([Variant::SingleFile]) {
        let files = manifest.files_of(Some(variant));
        let here = |path: &str| Some(folder.join(path)).filter(|path| path.is_file());
        // Vocabularies may come as `tokenizer.json` alone elsewhere; the named files are needed.
        if files.is_empty() || files.iter().any(|file| here(&file.path).is_none()) {
            continue;
        }
        for file in &files {
            cache.check(file, &folder.join(&file.path))?;
        }
        let preset = Some(manifest);
        return Ok(Some(if variant == Variant::SingleFile {
            Resolved::SingleFile { path: folder.join(&files[0].path), preset }
        } else {
            Resolved::Folder { path: folder.into(), preset }
        }));
    }
    Ok(None)
}
