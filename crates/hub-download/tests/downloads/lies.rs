//! Servers that lie about length, content, hash or commit.

use hub::Manifest;
use hub_download::{DownloadEvent, download};

use crate::fixture::*;
use crate::server::{Asked, Cut, Reply, Server};

#[test]
fn download_lies_never_reach_the_cache() {
    type Lie = fn(&Asked) -> Reply;
    let lies: [(&str, Lie, &str); 4] = [
        ("length", |asked| bytes(asked, &[content(), vec![0; 9]].concat()), "300009"),
        (
            "more than promised",
            |_| {
                let mut reply = Reply::status(200).with("Transfer-Encoding", "chunked");
                let body = [content(), vec![0; 9]].concat();
                reply.body = format!("{:x}\r\n", body.len()).into_bytes();
                reply.body.extend(body);
                reply.body.extend(b"\r\n0\r\n\r\n");
                reply
            },
            "more",
        ),
        ("content", |asked| bytes(asked, &vec![7; content().len()]), "which was not kept"),
        (
            "a page instead of the file",
            |_| Reply { body: b"<html>log in</html>".to_vec(), ..Reply::status(200) },
            "19",
        ),
    ];
    for (what, lie, words) in lies {
        let folder = tempfile::tempdir().unwrap();
        let server = hub_but(move |asked, _| lie(asked));
        let own = settings(folder.path(), &server);
        let error = get(&own).unwrap_err().to_string();
        assert!(error.contains(words) && !error.contains(".incomplete"), "{what}: {error}");
        assert_clean(&own);
        let snapshot = own.hub_cache.join("models--o--m/snapshots").join(COMMIT);
        assert!(!snapshot.join("unet/big.safetensors").exists(), "{what}");
    }
}

/// A line without a colon where a header should be, under names that are asked for early and late.
#[test]
fn download_headers_that_are_none_are_an_error() {
    for name in ["Location", "Connection", "Content-Length", "Retry-After"] {
        let folder = tempfile::tempdir().unwrap();
        let server =
            Server::start(move |asked, _| hub(asked).with("X-Before", format!("1\r\n{name}")));
        let error = get(&settings(folder.path(), &server)).unwrap_err().to_string();
        assert!(error.contains("a header that is none"), "{name}: {error}");
    }
}

#[test]
fn download_other_file_than_the_manifest_means_is_not_even_fetched() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|asked, _| {
        let mut reply = hub(asked);
        if asked.path.ends_with("big.safetensors") {
            reply.headers.retain(|(name, _)| name != "ETag");
            reply = reply.with("ETag", "a".repeat(64));
        }
        reply
    });
    let error = get(&settings(folder.path(), &server)).unwrap_err().to_string();
    assert!(error.contains("another file"), "{error}");
    assert_eq!(server.count("GET", ""), 0);
}

#[test]
fn download_mixed_revisions_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|asked, _| {
        let mut reply = hub(asked);
        if asked.path.ends_with("big.safetensors") {
            reply.headers.retain(|(name, _)| name != "X-Repo-Commit");
            reply = reply.with("X-Repo-Commit", "f".repeat(40));
        }
        reply
    });
    let error = get(&settings(folder.path(), &server)).unwrap_err().to_string();
    assert!(error.contains(&format!("asked for commit {COMMIT}")), "{error}");
}

#[test]
fn download_another_commit_than_the_pinned_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|asked, _| hub(asked));
    let settings = settings(folder.path(), &server);
    let pinned = "9".repeat(40);
    let manifest = Manifest { revision: Some(pinned.clone()), ..manifest() };
    let error = download(&manifest, &options(), &settings, &|_| {}).unwrap_err().to_string();
    assert!(error.contains(&pinned) && error.contains(COMMIT), "{error}");
    assert_eq!(server.count("GET", ""), 0);
    // The right one is taken, and no branch is invented for it.
    let manifest = Manifest { revision: Some(COMMIT.into()), ..manifest };
    download(&manifest, &options(), &settings, &|_| {}).unwrap();
    assert_whole(&settings);
    assert!(!settings.hub_cache.join("models--o--m/refs").exists());
}

#[test]
fn download_server_that_breaks_off_and_refuses_to_go_on_has_an_end() {
    let folder = tempfile::tempdir().unwrap();
    let server = hub_but(|asked, _| match asked.from {
        None => Reply { cut: Some((1000, Cut::Close)), ..bytes(asked, &content()) },
        Some(_) => Reply::status(416),
    });
    let settings = settings(folder.path(), &server);
    let told = std::sync::Mutex::new(Vec::new());
    let error = download(&manifest(), &options(), &settings, &|event| {
        if let DownloadEvent::Retrying { reason, .. } = event {
            told.lock().unwrap().push(reason.to_string());
        }
    });
    let (error, told) = (error.unwrap_err().to_string(), told.into_inner().unwrap());
    assert!(error.contains("big.safetensors"), "{error}");
    assert!(told.iter().any(|reason| reason.contains("416")), "{told:?}");
    assert!(server.count("GET", "big.safetensors") <= 4);
}
