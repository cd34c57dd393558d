//! The Inception network with weights that the reference computes and does not store.

use std::collections::BTreeMap;

use ::metrics::{Features, Inception, InceptionTap, extract};
use anyhow::{Context, bail};
use burn::tensor::FloatDType;
use pictures::RgbImage;
use weights::{StoredTensor, Tensors};

use super::case::Metrics;
use crate::facts::Facts;
use crate::report::{Report, magnitude};

/// Tolerance relative to the largest feature: the reference's f32 lies 2e-7 from its f64 on one
/// machine, but the sums of the deepest layers have thousands of terms in an order of their own.
const TOLERANCE: f64 = 1e-4;
/// Rounding of a checksum in f64, per term.
const CHECKSUM_TOLERANCE: f64 = 1e-9;
/// More values than any tensor of the network has.
const MOST_VALUES: usize = 1 << 24;

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
        let features = features(&network, &pictures)?;
        let key = format!("inception/feat{dims}");
        let expected = case.golden.values(&key)?;
        let tolerance = TOLERANCE * magnitude(expected);
        report.computed(&case.label(&key), &features.values, expected, tolerance);
    }
    Ok(())
}

fn features(network: &Inception, pictures: &[RgbImage]) -> anyhow::Result<Features> {
    let open = |index: usize| Ok(pictures[index].clone());
    Ok(extract(network, pictures.len(), &open, 2, &mut |_| {})?)
}

/// The weights of the reference, which are computed and not stored.
fn generate(case: &Metrics<'_>, report: &mut Report<'_>) -> anyhow::Result<Tensors<'static>> {
    let facts = case.facts.get("inception_generator")?;
    let seed: u64 = facts.read::<String>("base_seed")?.parse().context("`base_seed`")?;
    let checksums = facts.get("checksum")?;
    let shapes: BTreeMap<String, Vec<usize>> =
        Facts::open(&case.folder.join("inception_keys.json"))?.parse()?;
    let mut tensors = Tensors::new();
    for (name, shape) in shapes {
        let values = tensor(&name, &shape, seed)?;
        if let Some(expected) = checksums.find(&name) {
            let sum: f64 = values.iter().map(|value| f64::from(*value)).sum();
            let label = case.label(&format!("inception_generator/{name}"));
            let tolerance = CHECKSUM_TOLERANCE * values.len() as f64;
            report.compare(&label, &[sum], &[expected.parse()?], tolerance);
        }
        tensors.insert(name, StoredTensor::Owned { shape, values });
    }
    Ok(tensors)
}

/// One tensor of the generator: uniform numbers from SplitMix64, seeded by the name.
fn tensor(name: &str, shape: &[usize], seed: u64) -> anyhow::Result<Vec<f32>> {
    let count = shape.iter().try_fold(1usize, |count, side| count.checked_mul(*side));
    let count = count.filter(|count| *count <= MOST_VALUES);
    let count = count.with_context(|| format!("`{name}`: {shape:?} is no shape of the network"))?;
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
