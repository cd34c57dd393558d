//! Parts of the check: what they are, how each runs in a process of its own, and what is kept.

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::Context;
use burn::tensor::{Device, FloatDType};
use clap::ValueEnum;
use pipeline::DeviceChoice;
use serde::{Deserialize, Serialize};

use crate::peer::Peer;
use crate::row::Row;
use crate::{agreement, networks, shipped};

/// What is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The device and its driver.
    Device,
    /// Results in f32 against the CPU's.
    AgreeF32,
    /// Results in f16.
    AgreeF16,
    /// Results in bf16.
    AgreeBf16,
    /// A guided picture of the shipped model against the CPU's.
    Picture,
    /// The probe's decisions against the CPU's.
    Decisions,
    /// A convolution as a product of matrices and as burn's.
    Convolution,
    /// The U-Net of SD 2.1 in f16.
    SdF16,
    /// The same in bf16, one size.
    SdBf16,
    /// The same in f32.
    SdF32,
    /// The U-Net of SDXL in f16.
    SdxlF16,
    /// SD's autoencoder in f16.
    VaeF16,
    /// SD 2.1's text encoder in f16.
    TextF16,
    /// The probe of the shipped model.
    Probe,
    /// Training steps of the shipped U-Net.
    Training,
}

/// Longest time of a part.
const LIMIT: Duration = Duration::from_secs(90);

impl Part {
    /// The parts that were asked for; all where none was.
    pub fn chosen(asked: &[Self]) -> Vec<Self> {
        if asked.is_empty() { Self::value_variants().to_vec() } else { asked.to_vec() }
    }

    /// Does the part in this process and prints its rows.
    pub fn here(self, device: &Device) -> anyhow::Result<()> {
        let half = FloatDType::F16;
        match self {
            Self::Device => shipped::identity(device),
            Self::AgreeF32 => agreement::agree(device, FloatDType::F32),
            Self::AgreeF16 => agreement::agree(device, half),
            Self::AgreeBf16 => agreement::agree(device, FloatDType::BF16),
            Self::Picture => agreement::picture(device),
            Self::Decisions => agreement::decisions(device),
            Self::Convolution => networks::convolution(device),
            Self::SdF16 => networks::unet("sd-2.1", device, half, networks::CELLS),
            Self::SdBf16 => {
                networks::unet("sd-2.1", device, FloatDType::BF16, &networks::CELLS[..2])
            }
            Self::SdF32 => networks::unet("sd-2.1", device, FloatDType::F32, networks::CELLS),
            Self::SdxlF16 => networks::unet("sdxl-base", device, half, networks::CELLS),
            Self::VaeF16 => networks::vae(device, half),
            Self::TextF16 => networks::text(device, half),
            Self::Probe => shipped::probe(device),
            Self::Training => shipped::training(device),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}

/// What a part's process printed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PartResult {
    /// The part.
    pub part: Part,
    /// The device it ran on.
    pub device: DeviceChoice,
    /// Its results, as far as it came.
    pub rows: Vec<Row>,
    /// PyTorch's rows of the same names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pytorch: Vec<Row>,
    /// Why it ended early, or which bound does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Seconds of its process.
    pub seconds: f64,
}

impl PartResult {
    /// The result of an earlier call on `device`.
    pub fn kept(folder: &Path, part: Part, device: DeviceChoice) -> Option<Self> {
        let text = files::read_to_string(folder.join(format!("{part}.json"))).ok()?;
        let result: Self = serde_json::from_str(&text).ok()?;
        (result.device == device && result.part == part).then_some(result)
    }

    /// Runs the part in a process of its own, then PyTorch.
    pub fn run(
        part: Part,
        device: DeviceChoice,
        peer: &Peer,
        left: Duration,
    ) -> anyhow::Result<Self> {
        let start = Instant::now();
        let mut command = Command::new(std::env::current_exe().context("this program's path")?);
        command.args(["--here", &part.to_string(), "--device", &device.to_string()]);
        let limit = left.min(LIMIT);
        let (rows, mut error) = rows_of(command, limit)?;
        let seconds = start.elapsed().as_secs_f64();
        if let Some(row) = rows.iter().find(|row| row.fails()) {
            error.get_or_insert_with(|| format!("{}: beyond its bound", row.name()));
        }
        let (pytorch, problem) =
            peer.rows(part, limit.saturating_sub(start.elapsed()).max(LIMIT / 3))?;
        if let Some(problem) = problem {
            terminal::note(format_args!("{part}: PyTorch: {problem}"));
        }
        Ok(Self { part, device, rows, pytorch, error, seconds })
    }

    /// Writes it for a later call.
    pub fn keep(&self, folder: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_vec_pretty(self)?;
        Ok(files::write_atomically(folder.join(format!("{}.json", self.part)), text)?)
    }
}

/// The rows a process prints before it ends or the time is over, and what went wrong.
pub fn rows_of(
    mut command: Command,
    limit: Duration,
) -> anyhow::Result<(Vec<Row>, Option<String>)> {
    let name = command.get_program().display().to_string();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("`{name}` could not be started"))?;
    let (sender, receiver) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
    }
    let stderr = child.stderr.take();
    let errors = std::thread::spawn(move || {
        let mut text = Vec::new();
        if let Some(mut stderr) = stderr {
            // What cannot be read is missing from the message.
            stderr.read_to_end(&mut text).unwrap_or_default();
        }
        String::from_utf8_lossy(&text).into_owned()
    });
    let end = Instant::now() + limit;
    let (mut rows, mut late) = (Vec::new(), false);
    loop {
        match receiver.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(line) => rows.extend(serde_json::from_str::<Row>(&line)),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                late = true;
                child.kill().with_context(|| format!("`{name}` could not be stopped"))?;
                break;
            }
        }
    }
    let status = child.wait().with_context(|| format!("`{name}`"))?;
    if late {
        return Ok((rows, Some(format!("stopped after {:.0} s", limit.as_secs_f64()))));
    }
    let text = errors.join().unwrap_or_default();
    let told: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let told = told[told.len().saturating_sub(8)..].join("\n");
    Ok((rows, (!status.success()).then(|| format!("{status}: {}", terminal::visible(&told)))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    const ROW: &str = r#"echo '{"fact":{"name":"a","text":"b"}}'"#;

    #[test]
    fn rows_before_a_failure_are_kept_and_the_failure_told() {
        let script = format!("{ROW}; echo no row; echo trouble >&2; exit 3");
        let (rows, error) = rows_of(shell(&script), LIMIT).unwrap();
        assert_eq!(rows.len(), 1);
        let error = error.unwrap();
        assert!(error.contains("trouble") && error.contains('3'), "{error}");
    }

    #[test]
    fn a_process_that_takes_too_long_is_stopped_with_its_rows() {
        let script = format!("{ROW}; exec sleep 60");
        let (rows, error) = rows_of(shell(&script), Duration::from_millis(300)).unwrap();
        assert_eq!((rows.len(), error.is_some()), (1, true));
    }
}
