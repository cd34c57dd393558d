//! Files that are here and not what they should be: said, kept until the next is whole, replaced.

use std::path::Path;

use hub::{HubError, Manifest, Settings};
use hub_download::{DownloadOptions, download};

use crate::fixture::*;
use crate::server::{Reply, Server};

/// A complete cache, and where its files are.
fn case() -> (tempfile::TempDir, Server, Settings, Vec<std::path::PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|asked, _| match asked.path.as_str() {
        "/net.pth" => bytes(asked, &content()),
        _ => hub(asked),
    });
    let settings = settings(folder.path(), &server);
    let paths = get(&settings).unwrap();
    (folder, server, settings, paths)
}

fn garbage() -> Vec<u8> {
    vec![7; content().len()]
}

#[test]
fn download_damaged_files_are_said_and_fetched_again() {
    type Harm = fn(&Path);
    let truncate: Harm = |path| std::fs::write(path, &content()[..1000]).unwrap();
    let empty: Harm = |path| std::fs::write(path, "").unwrap();
    // In place of the link, not in the store: found where the manifest knows the size.
    let copy: Harm = |path| {
        std::fs::remove_file(path).unwrap();
        std::fs::write(path, "not the file").unwrap();
    };
    for (harm, files) in [(truncate, 0..2), (empty, 0..2), (copy, 1..2)] {
        for file in files {
            let (_folder, _server, settings, paths) = case();
            harm(&paths[file]);
            let (result, damaged) = heal(&manifest(), &options(), &settings);
            assert_eq!(result.unwrap(), paths);
            assert_eq!(damaged.len(), 1, "{damaged:?}");
            assert!(damaged[0].contains(["config.json", "big.safetensors"][file]), "{damaged:?}");
            assert_whole(&settings);
            let (_, damaged) = heal(&manifest(), &options(), &settings);
            assert!(damaged.is_empty(), "healed once and for all: {damaged:?}");
        }
    }
}

#[test]
fn download_verify_finds_damage_of_the_right_size_also_without_a_known_hash() {
    for known in [true, false] {
        let (_folder, _server, settings, paths) = case();
        // The blob's name is a hash too.
        let mut manifest = manifest();
        manifest.files[1].sha256 = manifest.files[1].sha256.take().filter(|_| known);
        std::fs::write(&paths[1], garbage()).unwrap();
        let verify = DownloadOptions { verify: true, ..options() };
        let (result, damaged) = heal(&manifest, &verify, &settings);
        assert_eq!((result.unwrap(), damaged.len()), (paths, 1));
        assert_whole(&settings);
    }
}

#[test]
fn download_damage_in_the_store_without_a_snapshot_is_found() {
    let (_folder, _server, settings, paths) = case();
    std::fs::write(&paths[1], "half").unwrap();
    std::fs::remove_dir_all(settings.hub_cache.join("models--o--m/snapshots")).unwrap();
    let (result, damaged) = heal(&manifest(), &options(), &settings);
    assert_eq!((result.unwrap(), damaged.len()), (paths, 1));
    assert_whole(&settings);
}

#[test]
fn download_offline_leaves_damaged_files_and_asks_nobody() {
    let (_folder, server, settings, paths) = case();
    let direct = direct(&server);
    let net = download(&direct, &options(), &settings, &|_| {}).unwrap().remove(0);
    let before = server.asked().len();
    let offline = Settings { offline: true, ..settings };
    for (manifest, path) in [(manifest(), &paths[1]), (direct, &net)] {
        assert!(download(&manifest, &options(), &offline, &|_| {}).is_ok());
        std::fs::write(path, "short").unwrap();
        let error = download(&manifest, &options(), &offline, &|_| {}).unwrap_err();
        let said = error.to_string();
        assert!(matches!(error, HubError::Different { .. }), "{said}");
        assert!(said.contains(path.to_str().unwrap()) && said.contains("found 5"), "{said}");
        assert_eq!(std::fs::read(path).unwrap(), b"short", "what is there stays");
    }
    assert_eq!(server.asked().len(), before);
}

#[test]
fn download_that_fails_leaves_the_damaged_file_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|_, _| Reply::status(404));
    let settings = settings(folder.path(), &server);
    let manifest: Manifest = direct(&server);
    let path = settings.torch_cache.join("net.pth");
    std::fs::create_dir_all(&settings.torch_cache).unwrap();
    std::fs::write(&path, "short").unwrap();
    let (result, damaged) = heal(&manifest, &options(), &settings);
    assert!(result.is_err() && damaged.len() == 1, "{damaged:?}");
    assert_eq!(std::fs::read(&path).unwrap(), b"short");
}
