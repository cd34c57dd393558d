//! Every reference output in a folder.

use std::path::Path;

use anyhow::{Context, bail};
use pipeline::Precision;

use crate::arithmetic::Arithmetic;
use crate::report::Report;
use crate::{metrics, pipelines, probe_core, schedulers, tokens};

/// Runs every reference output below `folder`.
///
/// Recognised are: folders of pipelines with a `golden.safetensors`, folders of metrics with a
/// `clip_config.json`, `schedulers/`, `tokens/` and `probe/`. Any other folder is noted as not
/// compared.
///
/// # Errors
/// Where a file is absent or broken, or there is nothing to run. Numerical excesses are in the
/// report.
pub fn run<'a>(
    folder: &Path,
    arithmetic: &Arithmetic,
    print: &'a mut dyn FnMut(&str),
) -> anyhow::Result<Report<'a>> {
    let mut entries: Vec<_> = std::fs::read_dir(folder)
        .and_then(Iterator::collect)
        .with_context(|| format!("`{}`", folder.display()))?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    let mut report = Report::new(print);
    for entry in entries.into_iter().filter(|entry| entry.path().is_dir()) {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        one((folder, arithmetic), &path, &name, &mut report)
            .with_context(|| format!("reference outputs in `{}`", path.display()))?;
    }
    if let Some(usage) = arithmetic.device.memory_pool_usage() {
        let mebibytes = usage.bytes_reserved >> 20;
        report.note(&format!("memory: {mebibytes} MiB are reserved on the device at the end"));
    }
    if report.compared() == 0 {
        bail!("`{}` holds no reference outputs", folder.display());
    }
    Ok(report)
}

fn one(
    (root, arithmetic): (&Path, &Arithmetic),
    path: &Path,
    name: &str,
    report: &mut Report<'_>,
) -> anyhow::Result<()> {
    if path.join("model_index.json").exists() {
        report.allow(arithmetic.bound(arithmetic.dtype));
        pipelines::run(path, name, arithmetic, report)
    } else if path.join("probe_core.json").exists() {
        probe_core::run(&path.join("probe_core.json"), report)
    } else if path.join("tokens.json").exists() {
        tokens::run(&path.join("tokens.json"), root, report)
    } else if path.join("clip_config.json").exists() {
        report.allow(arithmetic.bound(Precision::F32));
        metrics::run((path, name), root, &arithmetic.device, report)
    } else if name == "schedulers" {
        report.allow(arithmetic.bound(Precision::F32));
        schedulers::run(path, &arithmetic.device, report)
    } else {
        report.note(&format!("{name}: no comparison of this kind is implemented; not run"));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use pipeline::DeviceChoice;

    use super::*;

    /// The error for a folder with one file.
    fn error(file: &str, text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        let mut print = |_: &str| {};
        let arithmetic = Arithmetic::open(DeviceChoice::Cpu, Precision::F32).unwrap();
        match run(folder.path(), &arithmetic, &mut print) {
            Ok(_) => panic!("`{file}` was accepted"),
            Err(error) => format!("{error:#}"),
        }
    }

    #[test]
    fn broken_folders_are_errors_that_name_the_file() {
        for (file, text, parts) in [
            ("a/b.txt", "", ["holds no reference outputs", ""]),
            ("probe/probe_core.json", "{}", ["probe_core.json", "`update_rules`"]),
            ("probe/probe_core.json", "{\"update_rules\": [}", ["probe_core.json", "line 1"]),
            ("tokens/tokens.json", "{\"primary\": 1}", ["tokens.json", "`primary`"]),
            ("tiny/model_index.json", "{}", ["tiny", ""]),
            ("schedulers/golden.json", "{}", ["schedulers", "golden.safetensors"]),
            ("metrics/clip_config.json", "{}", ["metrics", "golden.safetensors"]),
        ] {
            let error = error(file, text);
            for part in parts {
                assert!(error.contains(part), "`{part}` in: {error}");
            }
        }
    }
}
