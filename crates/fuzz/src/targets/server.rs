//! What a server answers.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::panic::{catch_unwind, resume_unwind};
use std::path::Path;
use std::time::Duration;

use hub::{Manifest, Settings};
use hub_download::{DownloadOptions, download};

use super::alone;
use crate::target::{Form, Target, Verdict};

/// The file that is asked for.
const CONTENT: &str = "{}\n";
/// Its SHA-256.
const SHA256: &str = "ca3d163bab055381827226140568f3bef7eaac187cebd76878e0b63e9e442356";
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// Readers of answers.
pub fn targets() -> Vec<Target> {
    vec![alone("server", "answer", Form::Text, answers, |path| {
        fetch(path).unwrap_or_else(|error| Verdict::Broken(format!("no server: {error}")))
    })]
}

fn answers() -> anyhow::Result<Vec<Vec<u8>>> {
    let plain = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-Repo-Commit: {COMMIT}\r\nETag: \"{SHA256}\"\r\n\
         Connection: close\r\n\r\n{CONTENT}"
    );
    let chunked = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Repo-Commit: {COMMIT}\r\nX-Linked-Size: \
         3\r\nX-Linked-Etag: \"{SHA256}\"\r\n\r\n3\r\n{CONTENT}\r\n0\r\n\r\n"
    );
    let moved =
        "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n".to_string();
    let refused = "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n".to_string();
    let range = format!(
        "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-2/3\r\nContent-Length: 3\r\n\
         X-Repo-Commit: {COMMIT}\r\n\r\n{CONTENT}"
    );
    Ok([plain, chunked, moved, refused, range].map(String::into_bytes).to_vec())
}

/// Downloads one file from a server that answers all requests alike. What arrives is what the
/// manifest says.
fn fetch(answer: &Path) -> anyhow::Result<Verdict> {
    let answer = std::fs::read(answer)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let folder = tempfile::tempdir()?;
    let manifest: Manifest = toml::from_str(&format!(
        "name = \"m\"\ntitle = \"M\"\nrepository = \"o/m\"\nrevision = \"{COMMIT}\"\nlicence = \
         \"x\"\nlicence_url = \"x\"\nnote = \"\"\n[[file]]\npath = \"config.json\"\nsize = \
         3\nsha256 = \"{SHA256}\"\n"
    ))?;
    let settings = Settings {
        endpoint: format!("http://{address}"),
        hub_cache: folder.path().join("hub"),
        torch_cache: folder.path().join("torch"),
        ..Settings::from_lookup(|_| None)
    };
    let options = DownloadOptions {
        silence: Duration::from_millis(200),
        pause: Duration::from_millis(1),
        attempts: 2,
        ..DownloadOptions::default()
    };
    let (finished, result) = std::thread::scope(|scope| {
        let server = scope.spawn(move || serve(&listener, &answer));
        // Also where it panics: the server must end before that goes on.
        let result = catch_unwind(|| download(&manifest, &options, &settings, &|_| {}));
        // The connection that ends the server.
        let ended =
            std::net::TcpStream::connect(address).and_then(|mut end| end.write_all(b"end\r\n\r\n"));
        (ended.is_ok() && server.join().is_ok(), result)
    });
    Ok(match result.unwrap_or_else(|panic| resume_unwind(panic)) {
        _ if !finished => Verdict::Broken("the server did not end".into()),
        Ok(paths) => {
            let whole = paths
                .iter()
                .all(|path| std::fs::read(path).is_ok_and(|it| it == CONTENT.as_bytes()));
            Verdict::holds(whole, || format!("{paths:?} is not what was expected"))
        }
        Err(_) => Verdict::Refused,
    })
}

/// Answers every connection with `answer`, until one says `end`.
fn serve(listener: &TcpListener, answer: &[u8]) {
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else { continue };
        let mut asked = Vec::new();
        let mut part = [0; 1024];
        while !asked.ends_with(b"\r\n\r\n") {
            match stream.read(&mut part) {
                Ok(count) if count > 0 => asked.extend(&part[..count]),
                _ => break,
            }
        }
        if asked.starts_with(b"end") {
            return;
        }
        // A client that hangs up is one that does not like the answer.
        let _ = stream.write_all(answer);
    }
}
