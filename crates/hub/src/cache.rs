use std::path::{Path, PathBuf};

use crate::{FileEntry, HubError, Manifest, RepositoryType, Settings, Source};

/// The folders files are kept in.
#[derive(Debug, Clone)]
pub struct Cache {
    hub: PathBuf,
    torch: PathBuf,
}

impl Cache {
    /// The folders of `settings`.
    pub fn new(settings: &Settings) -> Self {
        Self { hub: settings.hub_cache.clone(), torch: settings.torch_cache.clone() }
    }

    /// Folder of all repositories.
    pub fn hub(&self) -> &Path {
        &self.hub
    }

    /// Folder of a repository: `models--owner--name`.
    pub fn repository(&self, kind: RepositoryType, name: &str) -> PathBuf {
        let kind = match kind {
            RepositoryType::Model => "models",
            RepositoryType::Dataset => "datasets",
        };
        self.hub.join(format!("{kind}--{}", name.replace('/', "--")))
    }

    /// Where a file with a URL of its own is kept.
    pub fn checkpoint(&self, file: &FileEntry) -> PathBuf {
        self.torch.join(&file.path)
    }

    /// The snapshot folder of a source, where it is here: by the commit itself, or by the commit
    /// that `refs` has for the branch.
    pub fn snapshot(&self, kind: RepositoryType, source: &Source) -> Option<PathBuf> {
        let repository = self.repository(kind, &source.repository);
        let reference = repository.join("refs").join(&source.revision);
        let commit = std::fs::read_to_string(reference)
            .map_or_else(|_| source.revision.clone(), |commit| commit.trim().to_string());
        Some(repository.join("snapshots").join(commit)).filter(|folder| folder.is_dir())
    }

    /// All snapshot folders of a manifest's repositories, the wanted revisions first.
    pub fn snapshots(&self, manifest: &Manifest) -> Vec<PathBuf> {
        let kind = manifest.repository_type;
        let mut all: Vec<PathBuf> = Vec::new();
        for source in manifest.sources() {
            all.extend(self.snapshot(kind, &source));
        }
        for source in manifest.sources() {
            let folder = self.repository(kind, &source.repository).join("snapshots");
            let Ok(entries) = std::fs::read_dir(folder) else { continue };
            let mut others: Vec<PathBuf> =
                entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
            others.sort();
            all.extend(others);
        }
        let mut seen = std::collections::HashSet::new();
        all.retain(|folder| seen.insert(folder.clone()));
        all
    }

    /// A file of a manifest, where it is here.
    pub fn find(&self, manifest: &Manifest, file: &FileEntry) -> Option<PathBuf> {
        if file.url.is_some() {
            return Some(self.checkpoint(file)).filter(|path| path.is_file());
        }
        self.snapshots(manifest)
            .into_iter()
            .map(|folder| folder.join(&file.path))
            .find(|path| path.is_file())
    }

    /// Checks a file that is here as far as can be done without reading it: its size, and the hash
    /// that the cache stores it under.
    ///
    /// # Errors
    /// [`HubError::Different`] where it is not what the manifest means.
    pub fn check(&self, file: &FileEntry, path: &Path) -> Result<(), HubError> {
        let different = |expected: String, found: String| {
            Err(HubError::Different { path: path.to_path_buf(), expected, found })
        };
        let size = std::fs::metadata(path).map_err(HubError::io(path))?.len();
        if let Some(expected) = file.size.filter(|expected| *expected != size) {
            return different(format!("{expected} bytes"), format!("{size}"));
        }
        let blob = std::fs::read_link(path).ok();
        let name = blob.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy());
        match (file.digest(), name) {
            (Some(digest), Some(name)) if name.len() == 64 && !digest.matches(&name) => {
                different(digest.to_string(), format!("sha256 {name}"))
            }
            _ => Ok(()),
        }
    }
}
