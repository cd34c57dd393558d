//! Downloads against a local server that behaves like the hub, or stalls, truncates, refuses,
//! redirects and lies.

mod damage;
mod fixture;
mod lies;
mod server;

use std::path::Path;

use fixture::*;
use hub::{Cache, HubError, Settings, Token, Variant};
use hub_download::{DownloadEvent, DownloadOptions, download};
use server::{Asked, Cut, Reply, Server};

#[test]
fn download_fills_the_cache_as_python_does_and_only_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|asked, _| hub(asked));
    let settings = settings(folder.path(), &server);
    let paths = get(&settings).unwrap();
    assert_whole(&settings);
    assert!(paths[1].ends_with(format!("snapshots/{COMMIT}/unet/big.safetensors")));
    let repository = settings.hub_cache.join("models--o--m");
    let reference = repository.join("refs/main");
    assert_eq!(std::fs::read_to_string(&reference).unwrap(), COMMIT);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&reference), mode(&paths[0]), "the user's umask holds for all files");
    }
    let link = std::fs::read_link(&paths[1]).unwrap();
    assert_eq!(link, Path::new(&format!("../../../blobs/{}", sha256(&content()))));
    let requests = server.asked().len();
    assert_eq!(get(&settings).unwrap(), paths);
    assert_eq!(server.asked().len(), requests, "what is here is not asked for again");
    let offline = Settings { offline: true, ..settings.clone() };
    assert_eq!(get(&offline).unwrap(), paths);
    assert!(Cache::new(&settings).find(&manifest(), &manifest().files[1]).is_some());
}

#[test]
fn download_truncated_or_silent_connections_are_resumed() {
    for cut in [Cut::Close, Cut::Silence] {
        let folder = tempfile::tempdir().unwrap();
        let server = hub_but(move |asked, before| Reply {
            cut: (before < 2).then_some((100_000, cut)),
            ..bytes(asked, &content())
        });
        let settings = settings(folder.path(), &server);
        get(&settings).unwrap();
        assert_whole(&settings);
        let starts: Vec<_> = server
            .asked()
            .into_iter()
            .filter(|a| a.method == "GET" && a.path.ends_with("big.safetensors"))
            .map(|asked| asked.from)
            .collect();
        assert_eq!(starts, [None, Some(100_000), Some(200_000)], "{cut:?}");
    }
}

#[test]
fn download_interrupted_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let dead = hub_but(|asked, before| Reply {
        cut: Some((if before == 0 { 50_000 } else { 0 }, Cut::Close)),
        ..bytes(asked, &content())
    });
    let first = settings(folder.path(), &dead);
    let error = get(&first).unwrap_err().to_string();
    assert!(error.contains("50000 bytes are kept"), "{error}");
    assert_clean(&first);
    // Nobody listens any more: nothing is kept, and the address is said once.
    let empty = tempfile::tempdir().unwrap();
    let absent = settings(empty.path(), &dead);
    drop(dead);
    let error = get(&absent).unwrap_err().to_string();
    assert!(!error.contains("kept") && error.matches("http://").count() == 1, "{error}");
    let server = Server::start(|asked, _| hub(asked));
    let second = settings(folder.path(), &server);
    let resumed = std::sync::Mutex::new(Vec::new());
    download(&manifest(), &options(), &second, &|event| {
        if let DownloadEvent::Started { file: "unet/big.safetensors", resumed: from, .. } = event {
            resumed.lock().unwrap().push(from);
        }
    })
    .unwrap();
    assert_eq!(*resumed.lock().unwrap(), [50_000]);
    assert_whole(&second);
}

#[test]
fn download_server_without_ranges_starts_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = hub_but(|asked, before| {
        let whole = Asked { from: None, ..asked.clone() };
        Reply { cut: (before == 0).then_some((70_000, Cut::Close)), ..bytes(&whole, &content()) }
    });
    let settings = settings(folder.path(), &server);
    get(&settings).unwrap();
    assert_whole(&settings);
}

#[test]
fn download_busy_servers_are_asked_again_and_broken_ones_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let server = hub_but(|asked, before| match before {
        0 => Reply::status(429).with("Retry-After", 0),
        1 => Reply::status(503),
        _ => bytes(asked, &content()),
    });
    let own = settings(folder.path(), &server);
    get(&own).unwrap();
    assert_whole(&own);

    let folder = tempfile::tempdir().unwrap();
    let server = hub_but(|_, _| Reply::status(500));
    let own = settings(folder.path(), &server);
    let error = get(&own).unwrap_err().to_string();
    assert!(error.contains("500") && error.contains("big.safetensors"), "{error}");
    assert_eq!(server.count("GET", "big.safetensors"), 3);
    assert_clean(&own);
}

#[test]
fn download_refusals_say_what_to_do() {
    for (status, words) in [(401, "HF_TOKEN"), (403, "licence"), (404, "no such file")] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(move |_, _| Reply::status(status));
        let own = settings(folder.path(), &server);
        let error = get(&own).unwrap_err().to_string();
        assert!(error.contains(words) && error.contains(&status.to_string()), "{error}");
        assert_eq!(server.asked().len(), 1, "{status} is final");
    }
}

#[test]
fn download_withdrawn_repository_is_taken_from_an_alternative() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|asked, _| {
        if asked.path.starts_with("/o/m/") { Reply::status(404) } else { hub(asked) }
    });
    let own = settings(folder.path(), &server);
    let mut manifest = manifest();
    manifest.alternatives =
        vec![hub::Source { repository: "copy/m".into(), revision: "main".into() }];
    let said = std::sync::Mutex::new(Vec::new());
    let paths = download(&manifest, &options(), &own, &|event| {
        if let DownloadEvent::OtherSource { package, reason, next } = event {
            said.lock().unwrap().push(format!("{package} {reason} {next}"));
        }
    })
    .unwrap();
    let said = said.into_inner().unwrap();
    assert!(matches!(&said[..], [one] if one.contains("404") && one.ends_with(" copy/m@main")));
    assert!(paths[0].starts_with(own.hub_cache.join("models--copy--m")));
    assert_eq!(std::fs::read(&paths[1]).unwrap(), content());
}

#[test]
fn download_redirects_are_followed_and_the_token_stays_at_home() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Server::start(|asked, _| bytes(asked, &content()));
    let elsewhere = format!("{}/store", storage.address);
    let server = Server::start(move |asked, _| {
        let hash = sha256(&content());
        match asked.path.as_str() {
            "/o/m/resolve/main/unet/config.json" => {
                Reply::status(307).with("Location", "/renamed/unet/config.json")
            }
            path if path.ends_with("big.safetensors") => Reply::status(302)
                .with("Location", &elsewhere)
                .with("X-Repo-Commit", COMMIT)
                .with("X-Linked-Etag", format!("\"{hash}\""))
                .with("X-Linked-Size", content().len()),
            _ => hub(asked),
        }
    });
    let own = settings(folder.path(), &server);
    get(&own).unwrap();
    assert_whole(&own);
    assert!(server.asked().iter().all(|a| a.authorization.as_deref() == Some("Bearer secret")));
    assert!(!storage.asked().is_empty());
    assert!(storage.asked().iter().all(|asked| asked.authorization.is_none()));

    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|asked, _| Reply::status(302).with("Location", &asked.path));
    let error = get(&settings(folder.path(), &server)).unwrap_err().to_string();
    assert!(error.contains("redirects"), "{error}");
}

#[test]
fn download_leftover_of_another_file_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|asked, _| hub(asked));
    let own = settings(folder.path(), &server);
    let blobs = own.hub_cache.join("models--o--m/blobs");
    std::fs::create_dir_all(&blobs).unwrap();
    let partial = blobs.join(format!("{}.incomplete", sha256(&content())));
    std::fs::write(&partial, vec![1; 123_456]).unwrap();
    get(&own).unwrap();
    assert_whole(&own);
}

#[test]
fn download_at_once_from_several_processes_fetches_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|asked, _| hub(asked));
    let own = settings(folder.path(), &server);
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|_| scope.spawn(|| get(&own).unwrap())).collect();
        all.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap().len(), 2));
    });
    assert_whole(&own);
    assert_eq!(server.count("GET", "big.safetensors"), 1);
}

#[test]
fn download_without_room_says_so_before_it_begins() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|asked, _| {
        let mut reply = hub(asked);
        reply.headers.retain(|(name, _)| asked.method != "HEAD" || name != "Content-Length");
        reply.with("X-Linked-Size", 1u64 << 60)
    });
    let own = settings(folder.path(), &server);
    let mut manifest = manifest();
    manifest.files[1].size = None;
    let error = download(&manifest, &options(), &own, &|_| {}).unwrap_err();
    assert!(matches!(error, HubError::Room { .. }), "{error}");
    assert_eq!(server.count("GET", ""), 0);
}

#[test]
fn download_files_with_their_own_address_go_where_torch_looks() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|asked, _| bytes(asked, &content()));
    let settings = settings(folder.path(), &server);
    let manifest = direct(&server);
    let paths = download(&manifest, &options(), &settings, &|_| {}).unwrap();
    assert_eq!(paths, [settings.torch_cache.join("net.pth")]);
    assert_eq!(std::fs::read(&paths[0]).unwrap(), content());
    let mut wrong = manifest;
    wrong.files[0].path = "other.pth".into();
    wrong.files[0].sha256_prefix = Some("00000000".into());
    let error = download(&wrong, &options(), &settings, &|_| {}).unwrap_err().to_string();
    assert!(error.contains("begins with 00000000"), "{error}");
    assert!(!settings.torch_cache.join("other.pth").exists());
}

#[test]
fn download_silence_and_failures_are_told_before_anything_arrives() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|asked, before| match before {
        0 if asked.method == "HEAD" => {
            std::thread::sleep(std::time::Duration::from_millis(200));
            Reply::status(503)
        }
        _ => hub(asked),
    });
    let options = DownloadOptions { notice: std::time::Duration::from_millis(50), ..options() };
    let told = std::sync::Mutex::new(Vec::new());
    download(&manifest(), &options, &settings(folder.path(), &server), &|event| {
        told.lock().unwrap().push(format!("{event:?}"));
    })
    .unwrap();
    let told = told.into_inner().unwrap();
    assert!(told[0].starts_with("Waiting"), "{told:?}");
    assert!(told.iter().any(|e| e.starts_with("Retrying") && e.contains("503")), "{told:?}");
}

#[test]
fn download_token_that_cannot_be_one_is_not_sent_and_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|asked, _| hub(asked));
    let token = Token::new("hf_se\ncret", "HF_TOKEN");
    let settings = Settings { token, ..settings(folder.path(), &server) };
    let error = get(&settings).unwrap_err().to_string();
    assert!(error.contains("HF_TOKEN") && error.contains("character 6"), "{error}");
    assert!(!error.contains("hf_se") && !format!("{settings:?}").contains("hf_se"));
    assert!(server.asked().is_empty());
}

#[test]
fn download_of_a_variant_that_there_is_not_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|asked, _| hub(asked));
    let options = DownloadOptions { variant: Some(Variant::SingleFile), ..options() };
    let error = download(&manifest(), &options, &settings(folder.path(), &server), &|_| {});
    let error = error.unwrap_err().to_string();
    assert!(error.contains("`m` has no variant `single-file`"), "{error}");
}
