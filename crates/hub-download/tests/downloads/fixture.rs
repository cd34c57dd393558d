//! A repository of two files, a server that has it, and what must hold of the cache afterwards.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hub::{HubError, Manifest, Settings, Token, hash_file};
use hub_download::{DownloadEvent, DownloadOptions, download};

use crate::server::{Asked, Reply, Server};

pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// The bytes of a "large" file.
pub(crate) fn content() -> Vec<u8> {
    (0..300_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bytes");
    std::fs::write(&path, bytes).unwrap();
    hash_file(&path).unwrap().sha256
}

pub(crate) fn git(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bytes");
    std::fs::write(&path, bytes).unwrap();
    hash_file(&path).unwrap().git
}

/// A repository of a small and a large file.
pub(crate) fn manifest() -> Manifest {
    toml::from_str(&format!(
        "name = \"m\"\ntitle = \"M\"\nrepository = \"o/m\"\nrevision = \"main\"\nlicence = \"x\"\n\
         licence_url = \"x\"\nnote = \"\"\n[[file]]\npath = \"unet/config.json\"\n[[file]]\npath = \
         \"unet/big.safetensors\"\nsize = {}\nsha256 = \"{}\"\n",
        content().len(),
        sha256(&content())
    ))
    .unwrap()
}

pub(crate) fn settings(folder: &Path, server: &Server) -> Settings {
    Settings {
        endpoint: server.address.clone(),
        hub_cache: folder.join("hub"),
        torch_cache: folder.join("torch"),
        token: Token::new("secret", "HF_TOKEN"),
        ..Settings::from_lookup(|_| None)
    }
}

pub(crate) fn options() -> DownloadOptions {
    DownloadOptions {
        silence: Duration::from_millis(400),
        pause: Duration::from_millis(5),
        attempts: 3,
        ..DownloadOptions::default()
    }
}

pub(crate) fn get(settings: &Settings) -> Result<Vec<PathBuf>, HubError> {
    download(&manifest(), &options(), settings, &|_| {})
}

/// Downloads, and says of which files it was told that they are damaged.
pub(crate) fn heal(
    manifest: &Manifest,
    options: &DownloadOptions,
    settings: &Settings,
) -> (Result<Vec<PathBuf>, HubError>, Vec<String>) {
    let damaged = std::sync::Mutex::new(Vec::new());
    let result = download(manifest, options, settings, &|event| {
        if let DownloadEvent::Damaged { file, reason } = event {
            damaged.lock().unwrap().push(format!("{file}: {reason}"));
        }
    });
    (result, damaged.into_inner().unwrap())
}

/// A manifest of one file with an address of its own.
pub(crate) fn direct(server: &Server) -> Manifest {
    toml::from_str(&format!(
        "name = \"n\"\ntitle = \"N\"\nlicence = \"x\"\nlicence_url = \"x\"\nnote = \"\"\n\
         [[file]]\npath = \"net.pth\"\nurl = \"{}/net.pth\"\nsize = {}\nsha256_prefix = \"{}\"\n",
        server.address,
        content().len(),
        &sha256(&content())[..8]
    ))
    .unwrap()
}

/// Serves `bytes`, from where the client wants them.
pub(crate) fn bytes(asked: &Asked, bytes: &[u8]) -> Reply {
    let from = asked.from.unwrap_or(0);
    let mut reply = Reply::status(if asked.from.is_some() { 206 } else { 200 });
    reply.body = bytes[from..].to_vec();
    if asked.from.is_some() {
        let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
        reply = reply.with("Content-Range", range);
    }
    reply
}

/// The hub as it should be.
pub(crate) fn hub(asked: &Asked) -> Reply {
    let small = b"{}\n".to_vec();
    let (body, etag) = if asked.path.ends_with("config.json") {
        (small.clone(), git(&small))
    } else if asked.path.ends_with("big.safetensors") {
        (content(), sha256(&content()))
    } else {
        return Reply::status(404);
    };
    let mut reply =
        bytes(asked, &body).with("X-Repo-Commit", COMMIT).with("ETag", format!("\"{etag}\""));
    if asked.method == "HEAD" {
        reply = reply.with("Content-Length", body.len());
        reply.body.clear();
    }
    reply
}

/// A hub whose large file's content is answered differently.
pub(crate) fn hub_but(answer: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static) -> Server {
    Server::start(move |asked, before| {
        if asked.method == "GET" && asked.path.ends_with("big.safetensors") {
            answer(asked, before)
        } else {
            hub(asked)
        }
    })
}

/// No file in the cache has a wrong content, and none is half there under a real name.
pub(crate) fn assert_clean(settings: &Settings) {
    let blobs = settings.hub_cache.join("models--o--m/blobs");
    for entry in std::fs::read_dir(blobs).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let hash = hash_file(&entry.path()).unwrap();
        assert!(
            name.ends_with(".incomplete") || name == hash.sha256 || name == hash.git,
            "{name} is in the cache"
        );
    }
}

pub(crate) fn assert_whole(settings: &Settings) {
    let snapshot = settings.hub_cache.join("models--o--m/snapshots").join(COMMIT);
    assert_eq!(std::fs::read(snapshot.join("unet/big.safetensors")).unwrap(), content());
    assert_eq!(std::fs::read(snapshot.join("unet/config.json")).unwrap(), b"{}\n");
    assert_clean(settings);
}
