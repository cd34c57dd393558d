//! A server that behaves like the hub, or misbehaves on purpose.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a client asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    pub path: String,
    /// First byte of a range.
    pub from: Option<usize>,
    pub authorization: Option<String>,
}

/// What it is answered with.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Bytes of the body after which the connection is closed, or kept silent.
    pub cut: Option<(usize, Cut)>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cut {
    Close,
    Silence,
}

impl Reply {
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), cut: None }
    }

    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.into(), value.to_string()));
        self
    }
}

type Answer = dyn Fn(&Asked, usize) -> Reply + Send + Sync;

/// Answers until the test ends.
pub struct Server {
    pub address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// `answer` is given the request and how many like it (method and path) came before.
    pub fn start(answer: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (answer, log): (Arc<Answer>, _) = (Arc::new(answer), asked.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, log) = (answer.clone(), log.clone());
                std::thread::spawn(move || while serve(&stream, &*answer, &log) {});
            }
        });
        Self { address, asked }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Requests of a method whose path ends so.
    pub fn count(&self, method: &str, end: &str) -> usize {
        self.asked().iter().filter(|a| a.method == method && a.path.ends_with(end)).count()
    }
}

/// One request; returns whether the connection goes on.
fn serve(stream: &TcpStream, answer: &Answer, log: &Mutex<Vec<Asked>>) -> bool {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    if reader.read_line(&mut line).unwrap_or(0) == 0 {
        return false;
    }
    let mut words = line.split_whitespace().map(str::to_string);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut asked = Asked { method, path, from: None, authorization: None };
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line.trim().is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or_default();
        match name.to_lowercase().as_str() {
            "range" => {
                let from = value.trim().trim_start_matches("bytes=").trim_end_matches('-');
                asked.from = from.parse().ok();
            }
            "authorization" => asked.authorization = Some(value.trim().into()),
            _ => {}
        }
    }
    let before = {
        let mut log = log.lock().unwrap();
        let same = |other: &&Asked| other.method == asked.method && other.path == asked.path;
        let before = log.iter().filter(same).count();
        log.push(asked.clone());
        before
    };
    let reply = answer(&asked, before);
    write(stream, &asked, &reply).unwrap_or(false)
}

fn write(mut stream: &TcpStream, asked: &Asked, reply: &Reply) -> std::io::Result<bool> {
    let mut head = format!("HTTP/1.1 {} Status\r\n", reply.status);
    for (name, value) in &reply.headers {
        head += &format!("{name}: {value}\r\n");
    }
    let framed = ["Content-Length", "Transfer-Encoding"];
    if !reply.headers.iter().any(|(name, _)| framed.contains(&name.as_str())) {
        head += &format!("Content-Length: {}\r\n", reply.body.len());
    }
    stream.write_all((head + "\r\n").as_bytes())?;
    if asked.method == "HEAD" {
        return Ok(true);
    }
    match reply.cut {
        None => stream.write_all(&reply.body)?,
        Some((after, cut)) => {
            stream.write_all(&reply.body[..after.min(reply.body.len())])?;
            if cut == Cut::Silence {
                std::thread::sleep(Duration::from_secs(3));
            }
            return Ok(false);
        }
    }
    Ok(true)
}
