//! LPIPS and Fréchet distances.

use ::metrics::{
    FeatureStatistics, Features, Lpips, LpipsNetwork, frechet_distance, frechet_from_features,
};
use anyhow::Context;
use pictures::{Filter, Frame, RgbImage, resize_like_pillow};
use weights::WeightsFile;

use super::case::Metrics;
use crate::report::Report;

/// Tolerance of LPIPS distances, which are below 1 and mean over thousands of f32 values: those of
/// the reference in f32 lie 5e-9 from its f64 ones, and the trunk's order of sums is its own.
const LPIPS_TOLERANCE: f64 = 1e-5;
/// Tolerance of Fréchet distances relative to the exact value: eigenvalues in f64, whose roots a
/// nearly singular covariance knows to half their digits.
const FRECHET_TOLERANCE: f64 = 1e-7;
/// Rounding of Fréchet distances relative to the traces they are differences of.
const FRECHET_ROUNDING: f64 = 1e-12;
/// Tolerance of Fréchet distances between a few vectors, relative to one more than the distance:
/// their covariances are singular, and the root of one is known only to the root of the rounding.
const SINGULAR_TOLERANCE: f64 = 1e-5;
/// 8-bit pixels brought to [-1, 1] in f32, a few roundings of 6e-8.
const PIXEL_TOLERANCE: f64 = 1e-6;

pub(super) fn run(case: &Metrics<'_>, report: &mut Report<'_>) -> anyhow::Result<()> {
    for network in [LpipsNetwork::Alex, LpipsNetwork::Vgg, LpipsNetwork::Squeeze] {
        let weights = case.folder.join(format!("lpips_{}.safetensors", network.name()));
        // The facts of the first network have no suffix.
        let key = match network {
            LpipsNetwork::Alex => "lpips".into(),
            other => format!("lpips_{}", other.name()),
        };
        if weights.exists() {
            let file = WeightsFile::open(&weights)?;
            let lpips = Lpips::from_tensors(network, file.tensors(), &weights, &case.device)?;
            perceptual(case, &lpips, &key, report)?;
        }
    }
    frechet(case, report)
}

fn perceptual(
    case: &Metrics<'_>,
    lpips: &Lpips,
    key: &str,
    report: &mut Report<'_>,
) -> anyhow::Result<()> {
    let mut resized = None;
    for (i, pair) in case.facts.get(key)?.items()?.iter().enumerate() {
        let resize: Option<String> =
            pair.find("resize").map(|resize| resize.parse()).transpose()?;
        let open = |side: &str| -> anyhow::Result<RgbImage> {
            let picture = case.picture(&pair.read::<String>(side)?)?;
            resize.as_ref().map_or(Ok(picture.clone()), |how| shrink(&picture, how))
        };
        let (a, b) = (open("a")?, open("b")?);
        if resize.is_some() && resized.is_none() {
            resized = Some((a.clone(), b.clone()));
        }
        let distances = lpips.distances(&[a], &[b])?;
        let label = case.label(&format!("{key}[{i}]/distance"));
        let expected = pair.read("distance")?;
        report.computed(&label, &distances.total, &[expected], LPIPS_TOLERANCE);
        let label = case.label(&format!("{key}[{i}]/per_layer"));
        let expected: Vec<f64> = pair.read("per_layer")?;
        report.computed(&label, &distances.layers.concat(), &expected, LPIPS_TOLERANCE);
    }
    // The pixels of the first resized pair are on record.
    if let Some((a, b)) = resized {
        for (side, picture) in [("a", a), ("b", b)] {
            let key = format!("lpips/resized64_{side}");
            if case.golden.has(&key) {
                let planes = picture.to_unit().affine([2.0; 3], [-1.0; 3]);
                let pixels: Vec<f64> = planes.values.iter().map(|v| f64::from(*v)).collect();
                let expected = case.golden.values(&key)?;
                report.compare(&case.label(&key), &pixels, expected, PIXEL_TOLERANCE);
            }
        }
    }
    Ok(())
}

/// `Resize(n, bilinear on PIL) + CenterCrop(n)`.
fn shrink(picture: &RgbImage, text: &str) -> anyhow::Result<RgbImage> {
    let digits: String =
        text.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    let side: usize = digits.parse().with_context(|| format!("the resizing `{text}`"))?;
    Ok(resize_like_pillow(picture, Frame::middle(picture.size(), side)?, Filter::Bilinear)?)
}

fn frechet(case: &Metrics<'_>, report: &mut Report<'_>) -> anyhow::Result<()> {
    for facts in case.facts.get("frechet")?.items()? {
        let name: String = facts.read("name")?;
        let label = case.label(&format!("frechet/{name}"));
        // By eigenvalues in f64; `pytorch_fid` beside it is scipy's less exact matrix root.
        let expected: f64 = facts.read("exact_eigh")?;
        if case.golden.has(&format!("fid/{name}/mu1")) {
            let statistics = |side: u8| -> anyhow::Result<FeatureStatistics> {
                Ok(FeatureStatistics {
                    count: None,
                    mean: case.golden.values(&format!("fid/{name}/mu{side}"))?.to_vec(),
                    covariance: case.golden.values(&format!("fid/{name}/sigma{side}"))?.to_vec(),
                })
            };
            let (first, second) = (statistics(1)?, statistics(2)?);
            let traces: f64 = [&first, &second]
                .map(|s| s.covariance.iter().step_by(s.mean.len() + 1).sum::<f64>())
                .iter()
                .sum();
            let tolerance = FRECHET_TOLERANCE * expected.abs() + FRECHET_ROUNDING * traces;
            let distance = frechet_distance(&first, &second)?;
            report.compare(&label, &[distance], &[expected], tolerance);
        } else if let Some((first, second)) = inception_rows(case, &name)? {
            let distance = frechet_from_features(&first, &second)?;
            let tolerance = SINGULAR_TOLERANCE * (1.0 + expected.abs());
            report.compare(&label, &[distance], &[expected], tolerance);
        } else {
            report.missed(&label, "neither statistics nor features of this name");
        }
    }
    Ok(())
}

/// `inception_<dims>_first<n>_vs_last<m>`: rows of the reference's own features.
fn inception_rows(case: &Metrics<'_>, name: &str) -> anyhow::Result<Option<(Features, Features)>> {
    let parts: Vec<&str> = name.split('_').collect();
    let ["inception", dims, first, "vs", last] = parts[..] else { return Ok(None) };
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<usize>().ok());
    let (Some(first), Some(last)) =
        (number(first.strip_prefix("first")), number(last.strip_prefix("last")))
    else {
        return Ok(None);
    };
    let rows = case.golden.rows(&format!("inception/feat{dims}"))?;
    if first > rows.len() || last > rows.len() {
        return Ok(None);
    }
    let features = |rows: &[Vec<f64>]| Features {
        network: name.into(),
        dims: rows.first().map_or(0, Vec::len),
        values: rows.concat(),
    };
    Ok(Some((features(&rows[..first]), features(&rows[rows.len() - last..]))))
}
