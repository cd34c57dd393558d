use ::metrics::{
    FeatureStatistics, Features, Lpips, LpipsNetwork, frechet_distance, frechet_from_features,
};
use anyhow::Context;
use pictures::{Filter, Frame, RgbImage, resize_like_pillow};
use weights::WeightsFile;
use serde_json::Value;

use super::Metrics;
use crate::report::Report;

/// Tolerance of LPIPS distances.
const LPIPS_TOLERANCE: f64 = 1e-5;
/// Tolerance of Fréchet distances relative to the exact value.
const FRECHET_TOLERANCE: f64 = 1e-7;
/// Rounding of Fréchet distances relative to the traces they are differences of.
const FRECHET_ROUNDING: f64 = 1e-12;

pub(super) fn run(case: &Metrics<'_>, report: &mut Report<'_>) -> anyhow::Result<()> {
    for network in [LpipsNetwork::Alex, LpipsNetwork::Vgg, LpipsNetwork::Squeeze] {
        let weights = case.folder.join(format!("lpips_{}.safetensors", network.name()));
        let own = format!("lpips_{}", network.name());
        let key = if case.facts[&own].is_array() { own } else { "lpips".into() };
        if weights.exists() {
            let file = WeightsFile::open(&weights)?;
            let lpips = Lpips::from_tensors(network, file.tensors()?, &weights, &case.device)?;
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
    let pairs = case.facts[key].as_array().with_context(|| format!("`{key}` in golden.json"))?;
    let mut resized = None;
    for (i, pair) in pairs.iter().enumerate() {
        let open = |side: &str| -> anyhow::Result<RgbImage> {
            let file = pair[side].as_str().with_context(|| format!("`{key}[{i}].{side}`"))?;
            shrink(case.picture(file)?, &pair["resize"])
        };
        let (a, b) = (open("a")?, open("b")?);
        if !pair["resize"].is_null() && resized.is_none() {
            resized = Some((a.clone(), b.clone()));
        }
        let found = lpips.distances(&[a], &[b])?;
        let expected = pair["distance_f64"].as_f64().or(pair["distance"].as_f64());
        let expected = expected.with_context(|| format!("`{key}[{i}].distance`"))?;
        let label = case.label(&format!("{key}[{i}]/distance"));
        report.compare(&label, &found.total, &[expected], LPIPS_TOLERANCE);
        let layers: Vec<f64> = serde_json::from_value(pair["per_layer"].clone())?;
        let label = case.label(&format!("{key}[{i}]/per_layer"));
        report.compare(&label, &found.layers.concat(), &layers, LPIPS_TOLERANCE);
    }
    // The pixels of the first resized pair are on record.
    if let Some((a, b)) = resized {
        for (side, picture) in [("a", a), ("b", b)] {
            let key = format!("lpips/resized64_{side}");
            if case.golden.has(&key) {
                let planes = picture.to_unit().affine([2.0; 3], [-1.0; 3]);
                let found: Vec<f64> = planes.values.iter().map(|v| f64::from(*v)).collect();
                report.compare(&case.label(&key), &found, case.golden.values(&key)?, 1e-6);
            }
        }
    }
    Ok(())
}

/// `Resize(n, bilinear on PIL) + CenterCrop(n)`, or nothing.
fn shrink(picture: RgbImage, how: &Value) -> anyhow::Result<RgbImage> {
    let Some(text) = how.as_str() else { return Ok(picture) };
    let digits: String =
        text.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    let side: usize = digits.parse().with_context(|| format!("the resizing `{text}`"))?;
    Ok(resize_like_pillow(&picture, Frame::middle(picture.size(), side)?, Filter::Bilinear)?)
}

fn frechet(case: &Metrics<'_>, report: &mut Report<'_>) -> anyhow::Result<()> {
    let cases = case.facts["frechet"].as_array().cloned().unwrap_or_default();
    for facts in cases {
        let name = facts["name"].as_str().context("`frechet[].name`")?;
        let label = case.label(&format!("frechet/{name}"));
        let expected = facts["exact_eigh"].as_f64().or(facts["pytorch_fid"].as_f64());
        let expected = expected.with_context(|| format!("`{name}`: no value"))?;
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
            let found = frechet_distance(&first, &second)?;
            report.compare(&label, &[found], &[expected], tolerance);
        } else if let Some((first, second)) = inception_rows(case, name)? {
            // Three vectors have a singular covariance, whose root the reference knows only to the
            // root of the rounding.
            let found = frechet_from_features(&first, &second)?;
            report.compare(&label, &[found], &[expected], 1e-5 * (1.0 + expected.abs()));
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
