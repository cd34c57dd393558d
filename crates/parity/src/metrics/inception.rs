use std::collections::BTreeMap;

use ::metrics::{Features, Inception, InceptionTap, extract};
use anyhow::{Context, bail};
use burn::tensor::FloatDType;
use pictures::RgbImage;
use weights::{StoredTensor, Tensors};

use super::Metrics;
use crate::golden::json;
use crate::report::Report;

/// Tolerance relative to the largest feature.
const TOLERANCE: f64 = 1e-4;

pub(super) fn run(case: &Metrics<'_>, report: &mut Report<'_>) -> anyhow::Result<()> {
    let dims: Vec<usize> = case
        .golden
        .cases("inception/feat", "")
        .iter()
        .map(|dims| dims.parse().with_context(|| format!("`inception/feat{dims}`")))
        .collect::<Result<_, _>>()?;
    if dims.is_empty() {
        return Ok(());
    }
    let pictures = case.pictures("inception_images")?;
    let tensors = generate(case, report)?;
    let path = case.folder.join("inception_keys.json");
    let mut network =
        Inception::from_tensors(tensors, &path, InceptionTap::D64, FloatDType::F32, &case.device)?;
    for dims in dims {
        let tap = InceptionTap::from_dims(dims)
            .with_context(|| format!("the network has no features of length {dims}"))?;
        network = network.with_tap(tap);
        let found = features(&network, &pictures)?;
        let key = format!("inception/feat{dims}");
        let expected = case.golden.values(&key)?;
        let largest = expected.iter().fold(0.0f64, |most, value| most.max(value.abs()));
        report.compare(&case.label(&key), &found.values, expected, TOLERANCE * largest);
    }
    Ok(())
}

fn features(network: &Inception, pictures: &[RgbImage]) -> anyhow::Result<Features> {
    let open = |index: usize| Ok(pictures[index].clone());
    Ok(extract(network, pictures.len(), &open, 2, &mut |_| {})?)
}

/// The weights of the reference, which are computed and not stored.
fn generate(case: &Metrics<'_>, report: &mut Report<'_>) -> anyhow::Result<Tensors<'static>> {
    let facts = &case.facts["inception_generator"];
    let seed: u64 = facts["base_seed"].as_str().context("`base_seed`")?.parse()?;
    let shapes: BTreeMap<String, Vec<usize>> =
        serde_json::from_value(json(&case.folder.join("inception_keys.json"))?)?;
    let mut tensors = Tensors::new();
    for (name, shape) in shapes {
        let values = tensor(&name, &shape, seed)?;
        if let Some(expected) = facts["checksum"][&name].as_f64() {
            let sum: f64 = values.iter().map(|value| f64::from(*value)).sum();
            let label = case.label(&format!("inception_generator/{name}"));
            report.compare(&label, &[sum], &[expected], 1e-9 * values.len() as f64);
        }
        tensors.insert(name, StoredTensor::Owned { shape, values });
    }
    Ok(tensors)
}

/// One tensor of the generator: uniform numbers from SplitMix64, seeded by the name.
fn tensor(name: &str, shape: &[usize], seed: u64) -> anyhow::Result<Vec<f32>> {
    let count: usize = shape.iter().product();
    let fan_in: usize = shape.iter().skip(1).product();
    let (_, kind) = name.rsplit_once('.').context("a name without dots")?;
    let scale = |u: f64| -> anyhow::Result<f64> {
        let in_norm = name.contains(".bn.");
        Ok(match kind {
            "weight" if in_norm => 1.0 + 0.2 * u,
            "weight" => u * (6.0 / fan_in as f64).sqrt(),
            "bias" | "running_mean" => 0.1 * u,
            "running_var" => 1.0 + 0.3 * u,
            "num_batches_tracked" => 0.0,
            other => bail!("`{name}`: the generator knows no `{other}`"),
        })
    };
    let state = fnv1a(name) ^ seed;
    (0..count as u64)
        .map(|i| {
            let mixed = splitmix64(state.wrapping_add((i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)));
            Ok(scale(2.0 * ((mixed >> 40) as f64 / (1u64 << 24) as f64) - 1.0)? as f32)
        })
        .collect()
}

fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn splitmix64(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
