//! The weights of LPIPS as they are published: a trunk and linear layers, in one file or in two.

use std::path::{Path, PathBuf};

use burn::tensor::FloatDType;
use weights::{Tensors, WeightsError, load_tensors};

use super::lpips_trunk::{LpipsNetwork, Trunk};
use crate::MetricsError;

/// At most this many unknown names are printed.
const SHOWN: usize = 5;

/// What files hold of an LPIPS, under the names of the module's own parts.
pub(super) struct LpipsTensors<'a> {
    network: LpipsNetwork,
    convolutions: Vec<String>,
    trunk: Part<'a>,
    linear: Part<'a>,
    files: Vec<PathBuf>,
}

/// The tensors of one part, and the file that most of them are from.
#[derive(Default)]
struct Part<'a> {
    tensors: Tensors<'a>,
    file: PathBuf,
    most: usize,
}

impl<'a> LpipsTensors<'a> {
    pub(super) fn new(network: LpipsNetwork) -> Self {
        let convolutions = network.convolutions();
        let (trunk, linear) = (Part::default(), Part::default());
        Self { network, convolutions, trunk, linear, files: Vec::new() }
    }

    /// Takes the tensors of a file: torchvision's (`features.3.weight`), those of its `features`
    /// alone (`3.weight`), lpips's own (`net.slice2.3.weight`), the linear layers
    /// (`lin0.model.1.weight`); the classifier and lpips's constants are passed over.
    ///
    /// # Errors
    /// [`MetricsError::Broken`] naming a file with anything else.
    pub(super) fn take(&mut self, tensors: Tensors<'a>, path: &Path) -> Result<(), MetricsError> {
        let (mut trunk, mut linear, mut unknown) = (Tensors::new(), Tensors::new(), Vec::new());
        for (name, tensor) in tensors {
            if name.starts_with("classifier.") || name.starts_with("scaling_layer.") {
                continue;
            }
            if let Some(index) = linear_layer(&name) {
                linear.insert(index.to_string(), tensor);
            } else if let Some(name) = self.trunk_name(&name) {
                trunk.insert(name, tensor);
            } else {
                unknown.push(format!("`{name}`"));
            }
        }
        if !unknown.is_empty() {
            let (count, network) = (unknown.len(), self.network.name());
            unknown.truncate(SHOWN);
            let reason = format!(
                "expected the trunk of LPIPS {network} or its linear layers, found {count} tensors \
                 of other names: {} …",
                unknown.join(", ")
            );
            return Err(MetricsError::broken(path, reason));
        }
        self.trunk.add(trunk, path);
        self.linear.add(linear, path);
        self.files.push(path.into());
        Ok(())
    }

    /// Fills `module`.
    ///
    /// # Errors
    /// [`MetricsError`] naming the file that lacks something, or all where none has a part.
    pub(super) fn load(self, mut module: Trunk, dtype: FloatDType) -> Result<Trunk, MetricsError> {
        let Self { network, convolutions, trunk, linear, files } = self;
        let absent = |what: &str, example: &str| {
            let files: Vec<String> = files.iter().map(|f| format!("`{}`", f.display())).collect();
            MetricsError::Absent(format!(
                "expected {what} of LPIPS {} (`{example}` …), found none in {}",
                network.name(),
                files.join(", ")
            ))
        };
        if trunk.tensors.is_empty() {
            return Err(absent("the trunk", "features.0.weight"));
        }
        if linear.tensors.is_empty() {
            return Err(absent("the linear layers", "lin0.model.1.weight"));
        }
        let published = |name: &str| match name.split_once('.') {
            Some((index, rest)) => index
                .parse::<usize>()
                .ok()
                .and_then(|index| convolutions.get(index))
                .map_or(name.into(), |at| format!("features.{at}.{rest}")),
            None => format!("lin{name}.model.1.weight"),
        };
        module.convs = load_tensors(module.convs, trunk.tensors, &trunk.file, dtype)
            .map_err(|error| renamed(error, &published))?;
        module.lins = load_tensors(module.lins, linear.tensors, &linear.file, dtype)
            .map_err(|error| renamed(error, &published))?;
        Ok(module)
    }

    /// `3.weight` for the weight of the fourth convolution.
    fn trunk_name(&self, name: &str) -> Option<String> {
        let inside = match name.strip_prefix("net.slice") {
            Some(rest) => rest.split_once('.')?.1,
            None => name.strip_prefix("features.").unwrap_or(name),
        };
        let (layer, parameter) = inside.rsplit_once('.')?;
        let index = self.convolutions.iter().position(|at| at == layer)?;
        Some(format!("{index}.{parameter}"))
    }
}

impl<'a> Part<'a> {
    fn add(&mut self, tensors: Tensors<'a>, path: &Path) {
        if tensors.len() > self.most {
            (self.most, self.file) = (tensors.len(), path.into());
        }
        self.tensors.extend(tensors);
    }
}

fn linear_layer(name: &str) -> Option<usize> {
    let rest = name.strip_suffix(".model.1.weight")?;
    rest.strip_prefix("lins.").or_else(|| rest.strip_prefix("lin"))?.parse().ok()
}

/// The error with the names that tensors have in published files.
fn renamed(error: WeightsError, published: &dyn Fn(&str) -> String) -> WeightsError {
    let WeightsError::Mismatch { path, mut mismatch } = error else { return error };
    let lists = [&mut mismatch.missing, &mut mismatch.unexpected, &mut mismatch.not_finite];
    for name in lists.into_iter().flatten() {
        *name = published(name);
    }
    mismatch.wrong_shape.iter_mut().for_each(|(name, ..)| *name = published(name));
    mismatch.wrong_dtype.iter_mut().for_each(|(name, _)| *name = published(name));
    WeightsError::Mismatch { path, mismatch }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_origin_meet() {
        let name = |network, name: &str| LpipsTensors::new(network).trunk_name(name);
        for (published, index) in [
            ("features.10.bias", "4.bias"),
            ("10.bias", "4.bias"),
            ("net.slice2.3.weight", "1.weight"),
        ] {
            assert_eq!(name(LpipsNetwork::Alex, published).unwrap(), index);
        }
        assert_eq!(name(LpipsNetwork::Vgg, "features.28.bias").unwrap(), "12.bias");
        for fire in ["features.12.expand3x3.weight", "12.expand3x3.weight"] {
            assert_eq!(name(LpipsNetwork::Squeeze, fire).unwrap(), "24.weight");
        }
        for unknown in ["features.1.weight", "1.weight", "weight", "features.3.0.weight"] {
            assert_eq!(name(LpipsNetwork::Alex, unknown), None);
        }
        assert_eq!(linear_layer("lin3.model.1.weight"), Some(3));
        assert_eq!(linear_layer("lins.0.model.1.weight"), Some(0));
        assert_eq!(linear_layer("linear.model.1.weight"), None);
    }
}
