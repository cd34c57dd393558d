//! Where Python's libraries keep files, and where a file of a package is among them.

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
        let commit = match is_commit(&source.revision) {
            true => source.revision.clone(),
            false => {
                let text = std::fs::read_to_string(repository.join("refs").join(&source.revision));
                Some(text.ok()?.trim().to_string()).filter(|commit| is_commit(commit))?
            }
        };
        Some(repository.join("snapshots").join(commit)).filter(|folder| folder.is_dir())
    }

    /// All snapshot folders of a manifest's repositories, the wanted revisions first.
    pub fn snapshots(&self, manifest: &Manifest) -> Vec<PathBuf> {
        let kind = manifest.repository_type;
        let mut folders: Vec<PathBuf> = Vec::new();
        for source in manifest.sources() {
            folders.extend(self.snapshot(kind, &source));
        }
        for source in manifest.sources() {
            let folder = self.repository(kind, &source.repository).join("snapshots");
            let Ok(entries) = std::fs::read_dir(folder) else { continue };
            let mut others: Vec<PathBuf> =
                entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
            others.sort();
            folders.extend(others);
        }
        let mut seen = std::collections::HashSet::new();
        folders.retain(|folder| seen.insert(folder.clone()));
        folders
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

    /// The name under which this cache stores the bytes of a file, the hash that the hub gave it;
    /// only where it really leads into the `blobs` folder of one of the cache's repositories.
    pub fn blob(&self, path: &Path) -> Option<String> {
        let blob = path.canonicalize().ok()?;
        let folder = blob.parent()?;
        let inside = folder.file_name()? == "blobs"
            && folder.parent()?.parent()? == self.hub.canonicalize().ok()?;
        blob.file_name().filter(|_| inside)?.to_str().map(str::to_string)
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
        let size = std::fs::metadata(path).map_err(HubError::at(path))?.len();
        if let Some(expected) = file.size.filter(|expected| *expected != size) {
            return different(format!("{expected} bytes"), format!("{size}"));
        }
        match (file.digest(), self.blob(path)) {
            (Some(digest), Some(name)) if name.len() == 64 && !digest.matches(&name) => {
                different(digest.to_string(), format!("sha256 {name}"))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a revision is a commit: 40 hexadecimal digits.
pub fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn blob_names_are_believed_only_in_the_folder_of_blobs() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let settings =
            Settings { hub_cache: folder.path().into(), ..Settings::from_lookup(|_| None) };
        let cache = Cache::new(&settings);
        let (repository, name) = (folder.path().join("models--o--m"), "a".repeat(64));
        for place in [repository.join("blobs"), repository.join("other")] {
            std::fs::create_dir_all(&place).unwrap();
            std::fs::write(place.join(&name), "x").unwrap();
        }
        let (honest, other) = (repository.join("honest"), repository.join("link"));
        symlink(format!("blobs/{name}"), &honest).unwrap();
        symlink(format!("other/{name}"), &other).unwrap();
        assert_eq!(cache.blob(&honest), Some(name));
        assert_eq!(cache.blob(&other), None);
    }
}
