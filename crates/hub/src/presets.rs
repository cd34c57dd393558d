//! The packages that are built in, by name.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::{HubError, Manifest};

/// The manifests that are built in.
const FILES: [&str; 6] = [
    include_str!("../../../models/sd-turbo.toml"),
    include_str!("../../../models/sdxl-turbo.toml"),
    include_str!("../../../models/sd-2.1-base.toml"),
    include_str!("../../../models/sd-2.1.toml"),
    include_str!("../../../models/sdxl-base.toml"),
    include_str!("../../../models/sd-1.5.toml"),
];
const METRICS: &str = include_str!("../../../models/metrics.toml");

#[derive(Deserialize)]
struct Packages {
    package: Vec<Manifest>,
}

/// Broken manifests do not get past this crate's tests; a build of them has no presets.
static ALL: LazyLock<Vec<Manifest>> = LazyLock::new(|| parse().unwrap_or_default());

fn parse() -> Result<Vec<Manifest>, toml::de::Error> {
    let mut all = FILES.iter().map(|text| toml::from_str(text)).collect::<Result<Vec<_>, _>>()?;
    all.extend(toml::from_str::<Packages>(METRICS)?.package);
    Ok(all)
}

/// Everything that can be fetched: the presets, then what metrics need.
pub fn packages() -> &'static [Manifest] {
    &ALL
}

/// The models that can be asked for by name.
pub fn presets() -> impl Iterator<Item = &'static Manifest> {
    ALL.iter().filter(|manifest| manifest.is_preset())
}

/// The package called `name`.
///
/// # Errors
/// [`HubError::Unknown`] with the nearest name.
pub fn preset(name: &str) -> Result<&'static Manifest, HubError> {
    ALL.iter().find(|manifest| manifest.name == name).ok_or_else(|| unknown(name, |_| true))
}

/// The error for a name that is none of those `wanted`.
pub(crate) fn unknown(name: &str, wanted: impl Fn(&Manifest) -> bool) -> HubError {
    const NEAR: f64 = 0.7;
    let names: Vec<&str> =
        ALL.iter().filter(|manifest| wanted(manifest)).map(|m| m.name.as_str()).collect();
    let lower = name.to_lowercase();
    let nearest = names
        .iter()
        .map(|known| (strsim::jaro_winkler(&lower, known), *known))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(similarity, _)| *similarity >= NEAR);
    HubError::Unknown {
        name: name.into(),
        suggestion: nearest.map(|(_, known)| known.to_string()),
        presets: names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Variant;

    #[test]
    fn manifests_parse_and_are_complete() {
        let all = parse().unwrap();
        assert_eq!(all.len(), FILES.len() + 7);
        for manifest in &all {
            assert!(!manifest.files_of(None).is_empty(), "{}", manifest.name);
            for file in &manifest.files {
                let sha = file.sha256.as_deref().unwrap_or(&file.path);
                assert!(file.sha256.is_none() || sha.len() == 64, "{}", file.path);
                assert!(manifest.repository.is_some() || file.url.is_some(), "{}", file.path);
            }
            if manifest.is_preset() {
                for part in ["unet", "vae", "text_encoder", "scheduler"] {
                    assert!(manifest.config.contains_key(part), "{} {part}", manifest.name);
                }
                for variant in [Variant::Fp16, Variant::Fp32] {
                    let files = manifest.files_of(Some(variant));
                    let weights =
                        files.iter().filter(|file| file.path.ends_with(".safetensors")).count();
                    assert!(weights == 3 || weights == 4, "{}", manifest.name);
                }
            }
        }
    }

    #[test]
    fn unknown_names_are_answered_with_the_nearest() {
        let error = preset("sdxl_turbo").unwrap_err().to_string();
        assert!(error.contains("did you mean `sdxl-turbo`?"), "{error}");
        let error = preset("zzz").unwrap_err().to_string();
        assert!(!error.contains("did you mean") && error.contains("sd-2.1-base"), "{error}");
    }
}
