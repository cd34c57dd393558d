//! Hashes that are kept, and those that must not be.

use super::*;

/// A cache folder, a file of more than [`LARGE`] bytes, and the cache.
fn case(content: u8) -> (tempfile::TempDir, PathBuf, HashCache) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    std::fs::write(&path, vec![content; LARGE as usize]).unwrap();
    let settings = Settings {
        cache: Some(folder.path().join("cache")),
        hub_cache: folder.path().join("hub"),
        ..Settings::from_lookup(|_| None)
    };
    (folder, path, HashCache::new(&settings))
}

fn hash(cache: &HashCache, path: &Path) -> String {
    cache.sha256(path, &[("l".into(), path.into())]).unwrap()
}

fn kept(cache: &HashCache) -> Entries {
    read(cache.file.as_ref().unwrap())
}

/// Keeps `sha256` for the file as it is now, as if its times had settled.
fn forge(cache: &HashCache, path: &Path, sha256: &str) {
    let metadata = std::fs::metadata(path).unwrap();
    let target = path.canonicalize().unwrap();
    let mut stamp = Sha256::new();
    stamp.update(format!("l\n{}\n{:?}\n", target.display(), times(&metadata)));
    stamp.update("None\n");
    let entry = Entry { stamp: stamp.hex(), sha256: sha256.into() };
    keep(cache.file.as_ref().unwrap(), path.display().to_string(), entry);
}

/// Waits until the times of a file count.
fn settle(path: &Path) {
    while !is_settled(&std::fs::metadata(path).unwrap()) {
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn sha256_is_kept_of_settled_files_and_forgotten_with_their_change() {
    let (_folder, path, cache) = case(1);
    let direct = {
        let mut hash = Sha256::new();
        hash.update("l");
        hash.update(vec![1; LARGE as usize]);
        hash.hex()
    };
    assert_eq!(hash(&cache, &path), direct);
    assert!(kept(&cache).is_empty(), "a file that was written just now may change unseen");
    settle(&path);
    assert_eq!(hash(&cache, &path), direct);
    assert_eq!(kept(&cache)[&path.display().to_string()].sha256, direct);
    // What is kept is believed while nothing changes, …
    forge(&cache, &path, "kept");
    assert_eq!(hash(&cache, &path), "kept");
    // … and not after, though size and time of modification be the same.
    let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
    std::fs::write(&path, vec![2; LARGE as usize]).unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(modified).unwrap();
    drop(file);
    let changed = hash(&cache, &path);
    assert!(changed != direct && changed != "kept", "{changed}");
}

#[test]
fn sha256_does_without_a_cache_that_is_broken_or_cannot_be_written() {
    let (_folder, path, cache) = case(3);
    settle(&path);
    let direct = hash(&cache, &path);
    let file = cache.file.clone().unwrap();
    for broken in ["", "{", "[]", "{\"a\": 3}", "\u{0}"] {
        std::fs::write(&file, broken).unwrap();
        assert_eq!(hash(&cache, &path), direct, "{broken}");
        assert_eq!(kept(&cache).len(), 1, "{broken}");
    }
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    assert_eq!(hash(&cache, &path), direct);
    assert_eq!(hash(&HashCache { file: None, ..cache }, &path), direct);
}

#[test]
fn sha256_of_several_threads_at_once_is_right_and_the_cache_stays_whole() {
    let (folder, path, cache) = case(4);
    let paths: Vec<PathBuf> = (0..4).map(|i| folder.path().join(format!("{i}"))).collect();
    for copy in &paths {
        std::fs::copy(&path, copy).unwrap();
    }
    paths.iter().for_each(|path| settle(path));
    std::thread::scope(|scope| {
        for path in &paths {
            scope.spawn(|| (0..4).for_each(|_| drop(hash(&cache, path))));
        }
    });
    assert!(!kept(&cache).is_empty());
    assert_eq!(hash(&cache, &paths[0]), hash(&cache, &paths[3]));
}

#[cfg(unix)]
#[test]
fn sha256_a_link_to_a_name_of_64_digits_counts_as_its_content() {
    use std::os::unix::fs::symlink;
    let (folder, path, cache) = case(5);
    let name = sha256_file(&path).unwrap();
    let link = |place: &str| {
        let (file, link) = (folder.path().join(place).join(&name), folder.path().join("link"));
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        let _ = std::fs::remove_file(&link);
        symlink(&file, &link).unwrap();
        (file, link)
    };
    // In the hub's cache the name is the hash, without reading.
    let (blob, named) = link("hub/models--o--m/blobs");
    std::fs::write(&blob, "is not read").unwrap();
    let trusted = hash(&cache, &named);
    // Elsewhere the content decides: the same where the name is right, another where it is not.
    let (other, named) = link("elsewhere");
    std::fs::copy(&path, &other).unwrap();
    assert_eq!(hash(&cache, &named), trusted);
    std::fs::write(&other, "other weights").unwrap();
    assert_ne!(hash(&cache, &named), trusted);
}
