//! PyTorch and diffusers on the same device, where Python has them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use pipeline::DeviceChoice;
use serde_json::{Value, json};

use crate::networks::{CELLS, cell, config};
use crate::part::{Part, rows_of};
use crate::row::Row;

const SCRIPT: &str = include_str!("../python/measure.py");

/// What a part asks of PyTorch.
struct Task {
    work: &'static str,
    preset: &'static str,
    part: &'static str,
    dtype: &'static str,
    cells: Vec<(usize, usize)>,
}

fn task(part: Part) -> Option<Task> {
    let unet = |preset, dtype, cells: &[(usize, usize)]| Task {
        work: "unet",
        preset,
        part: "unet",
        dtype,
        cells: cells.to_vec(),
    };
    Some(match part {
        Part::SdF16 => unet("sd-2.1", "float16", CELLS),
        Part::SdBf16 => unet("sd-2.1", "bfloat16", &CELLS[..2]),
        Part::SdF32 => unet("sd-2.1", "float32", CELLS),
        Part::SdxlF16 => unet("sdxl-base", "float16", CELLS),
        Part::VaeF16 => Task {
            work: "vae",
            preset: "sd-2.1",
            part: "vae",
            dtype: "float16",
            cells: vec![(64, 1), (128, 1)],
        },
        _ => return None,
    })
}

/// A Python that may have PyTorch.
pub struct Peer {
    python: Option<PathBuf>,
    device: String,
    missing: Option<String>,
}

impl Peer {
    /// Asks `python` for what is needed on `device`; `none` stands for no Python.
    pub fn new(python: &Path, device: DeviceChoice) -> Self {
        let device = device.to_string();
        let missing = if python == Path::new("none") {
            Some("not asked for".into())
        } else {
            let check = "import torch, diffusers, sys; torch.zeros(1, device=sys.argv[1])";
            match Command::new(python).args(["-c", check, &device]).output() {
                Err(error) => Some(format!("`{}`: {error}", python.display())),
                Ok(output) if output.status.success() => None,
                Ok(output) => {
                    let text = String::from_utf8_lossy(&output.stderr).into_owned();
                    let last = text.lines().last().unwrap_or_default();
                    Some(format!("`{}`: {last}", python.display()))
                }
            }
        };
        Self { python: missing.is_none().then(|| python.into()), device, missing }
    }

    /// Why PyTorch is not measured.
    pub fn missing(&self) -> Option<&str> {
        self.missing.as_deref()
    }

    /// PyTorch's rows of a part, and what went wrong.
    pub fn rows(&self, part: Part, limit: Duration) -> anyhow::Result<(Vec<Row>, Option<String>)> {
        let (Some(python), Some(task)) = (&self.python, task(part)) else {
            return Ok((Vec::new(), None));
        };
        let cells: Vec<Value> = task
            .cells
            .iter()
            .map(|(side, batch)| json!({"name": cell(*side, *batch), "side": side, "batch": batch}))
            .collect();
        let config: Value = serde_json::from_str(&config(task.preset, task.part)?)?;
        let job = json!({
            "work": task.work,
            "config": config,
            "dtype": task.dtype,
            "device": self.device,
            "cells": cells,
        });
        let mut command = Command::new(python);
        command.args(["-c", SCRIPT, &job.to_string()]);
        rows_of(command, limit)
    }
}
