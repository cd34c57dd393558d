//! Manifests: what they share with the workspace, and that no crate depends on a higher one.

/// Crates from the lowest layer up; a crate may depend on those of lower layers only.
const LAYERS: [&[&str]; 13] = [
    &[
        "allocator",
        "charts",
        "hostile",
        "icu",
        "kernels",
        "one-build",
        "one-build-examples",
        "terminal",
    ],
    &["files"],
    &["config"],
    &["scheduler", "hub", "weights"],
    &["pictures", "layers", "lora", "hub-download"],
    &["unet-core", "clip", "autoencoder", "downloads"],
    &["reweight", "metrics"],
    &["pipeline"],
    &["probe", "trainer", "onnx-backbone", "random-model"],
    &["pruning", "workloads"],
    &["reproduce", "parity", "explain", "peers", "gpu-check"],
    &["cli", "fuzz"],
    &["xtask"],
];

/// What every manifest says.
const EVERYWHERE: [&str; 3] =
    ["license.workspace = true", "edition.workspace = true", "[lints]\nworkspace = true"];

fn layer(name: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&name))
}

/// Complains about the manifest called `name`.
pub fn check(name: &str, text: &str, complaints: &mut Vec<String>) {
    for line in EVERYWHERE.iter().filter(|line| !text.contains(**line)) {
        complaints.push(format!("{name}: expected `{}`", line.replace('\n', " ")));
    }
    let package = text.lines().find_map(|line| line.strip_prefix("name = \""));
    let package = package.map(|name| name.trim_end_matches('"')).unwrap_or_default();
    let Some(height) = layer(package) else {
        complaints.push(format!("{name}: the crate `{package}` stands in no layer"));
        return;
    };
    for dependency in dependencies(text) {
        if layer(dependency).is_some_and(|layer| layer >= height) {
            complaints.push(format!("{name}: `{package}` must not depend on `{dependency}`"));
        }
    }
}

/// The names in `[dependencies]`; tests and benches may look up.
fn dependencies(manifest: &str) -> impl Iterator<Item = &str> {
    let section = manifest.split("\n[dependencies]\n").nth(1).unwrap_or_default();
    let section = section.split("\n[").next().unwrap_or_default();
    section.lines().filter_map(|line| line.split(['.', ' ']).next())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(name: &str, dependency: &str) -> String {
        format!(
            "[package]\nname = \"{name}\"\nlicense.workspace = true\nedition.workspace = true\n\n\
             [dependencies]\n{dependency}.workspace = true\n\n[lints]\nworkspace = true\n"
        )
    }

    #[test]
    fn a_crate_must_not_depend_upwards_or_beside_itself() {
        let complaints = |name: &str, dependency: &str| {
            let mut complaints = Vec::new();
            check("Cargo.toml", &manifest(name, dependency), &mut complaints);
            complaints
        };
        assert!(complaints("probe", "unet-core").is_empty());
        assert!(complaints("unet-core", "serde").is_empty());
        assert_eq!(complaints("unet-core", "reweight").len(), 1);
        assert_eq!(complaints("reweight", "metrics").len(), 1);
        assert_eq!(complaints("nobody", "serde").len(), 1);
    }
}
