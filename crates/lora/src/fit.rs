//! A LoRA file fitted to a model.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use weights::Additions;

use crate::file::Layer;
use crate::names::Index;
use crate::{LoraChoice, LoraError, LoraFile, LowRank, Part, PartKind};

/// What a file adds to one tensor of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct FittedLayer {
    /// Position of the part among those that the file was fitted to.
    pub part: usize,
    /// Name of the tensor in that part.
    pub weight: String,
    /// What is added, as strong as it was chosen.
    pub matrix: LowRank,
    /// Values that the file has of it; α is none of them.
    pub parameters: usize,
}

/// So many names are listed of what does not fit.
const SHOWN: usize = 3;

impl LoraFile {
    /// What the file adds to the tensors of each of `parts`, as `choice` says how strongly and where.
    ///
    /// # Errors
    /// As [`Self::layers`].
    pub fn fit(&self, choice: &LoraChoice, parts: &[Part]) -> Result<Vec<Additions>, LoraError> {
        let mut additions = vec![Additions::new(); parts.len()];
        for FittedLayer { part, weight, matrix, .. } in self.layers(choice, parts)? {
            additions[part].push(weight, Arc::new(matrix));
        }
        Ok(additions)
    }

    /// The layers that the file adds to, as `choice` says how strongly and where; in the file's
    /// order.
    ///
    /// # Errors
    /// [`LoraError::Unmatched`] where the model lacks a layer of the file's, [`LoraError::Tensor`]
    /// where a layer has another shape or two names are of one layer, also of layers that are not
    /// chosen; [`LoraError::Blocks`] where a chosen block has no layers.
    pub fn layers(
        &self,
        choice: &LoraChoice,
        parts: &[Part],
    ) -> Result<Vec<FittedLayer>, LoraError> {
        let index = Index::new(parts);
        let mut fitted = Vec::new();
        let (mut unmatched, mut taken) = (Vec::new(), BTreeMap::new());
        let (mut used, mut blocks) = (BTreeSet::new(), BTreeSet::new());
        for (name, layer) in &self.layers {
            let Some(place @ (number, weight)) = index.find(name) else {
                unmatched.push(name.clone());
                continue;
            };
            let (part, weight) = (&parts[number], &parts[number].weights[weight]);
            self.check_shape(layer, &weight.shape)?;
            if let Some(other) = taken.insert(place, &layer.key) {
                let reason = format!("it is of the same layer as `{other}`");
                return Err(self.tensor(layer, reason));
            }
            let path = weight.name.trim_end_matches(".weight");
            let whole = match part.kind {
                PartKind::UNet => path.to_string(),
                kind => format!("{}.{path}", kind.name()),
            };
            blocks.insert(block(&whole));
            let Some(chosen) = choice.block_of(&whole) else { continue };
            used.insert(chosen);
            let scale = (choice.strength * self.scale(layer, part.kind, path)) as f32;
            if !scale.is_finite() {
                return Err(self.tensor(layer, format!("its scale is {scale}")));
            }
            let matrix = layer.matrix.clone().with_scale(scale);
            fitted.push(FittedLayer {
                part: number,
                weight: weight.name.clone(),
                matrix,
                parameters: layer.parameters,
            });
        }
        if !unmatched.is_empty() {
            return Err(self.unmatched(unmatched));
        }
        let unused = choice.blocks.iter().enumerate().filter(|(number, _)| !used.contains(number));
        let chosen: Vec<String> = unused.map(|(_, block)| block.clone()).collect();
        match chosen.is_empty() {
            true => Ok(fitted),
            false => {
                let found = blocks.into_iter().collect();
                Err(LoraError::Blocks { path: self.path.clone(), chosen, found })
            }
        }
    }

    /// α/r: the tensor `alpha` says it, else PEFT's configuration, else it is 1.
    fn scale(&self, layer: &Layer, kind: PartKind, path: &str) -> f64 {
        let [_, rank, _] = layer.matrix.dims();
        match (layer.alpha, self.configs.get(&kind)) {
            (Some(alpha), _) => f64::from(alpha) / rank as f64,
            (None, Some(config)) => config.scale(path, rank),
            (None, None) => 1.0,
        }
    }

    fn check_shape(&self, layer: &Layer, expected: &[usize]) -> Result<(), LoraError> {
        let [outputs, _, _] = layer.matrix.dims();
        let [height, width] = layer.kernel;
        let found = [outputs, layer.inputs, height, width];
        let mut whole = expected.to_vec();
        whole.resize(4, 1);
        if found[..] == whole[..] {
            return Ok(());
        }
        let reason = format!(
            "the model's layer has {} outputs, {} inputs and a kernel of {}×{}, the file's {outputs}, \
             {} and {height}×{width}{}",
            whole[0],
            whole[1],
            whole[2],
            whole[3],
            layer.inputs,
            self.hint()
        );
        Err(self.tensor(layer, reason))
    }

    fn tensor(&self, layer: &Layer, reason: String) -> LoraError {
        LoraError::Tensor { path: self.path.clone(), key: layer.key.clone(), reason }
    }

    fn unmatched(&self, mut keys: Vec<String>) -> LoraError {
        let (path, count, of, hint) =
            (self.path.clone(), keys.len(), self.layers.len(), self.hint());
        keys.truncate(SHOWN);
        LoraError::Unmatched { path, count, of, keys, hint }
    }

    fn hint(&self) -> String {
        self.family().map_or_else(String::new, |family| format!("; it seems to be for {family}"))
    }
}

/// The block of the U-Net, or the text encoder, that a layer lies in.
fn block(path: &str) -> String {
    let mut words = path.split('.');
    let first = words.next().unwrap_or_default();
    match words.next().filter(|word| word.bytes().all(|byte| byte.is_ascii_digit())) {
        Some(number) => format!("{first}.{number}"),
        None => first.to_string(),
    }
}
