//! Damage to safetensors files whose header and length agree.

use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::json;

/// Damages the header of `file`, and gives it the length that it says.
pub fn damage(file: &[u8], rng: &mut ChaCha8Rng) -> Option<Vec<u8>> {
    let length = u64::from_le_bytes(file.get(..8)?.try_into().ok()?);
    let end = usize::try_from(length).ok()?.checked_add(8)?;
    let mut header: Value = serde_json::from_slice(file.get(8..end)?).ok()?;
    let mut data = file[end..].to_vec();
    match rng.random_range(0..4) {
        0 => json::damage(&mut header, rng),
        1 => reshape(&mut header, rng),
        2 => exchange(&mut header, rng),
        _ => data.iter_mut().for_each(|byte| {
            if rng.random_bool(0.05) {
                *byte = rng.random();
            }
        }),
    }
    let text = header.to_string();
    let mut out = (text.len() as u64).to_le_bytes().to_vec();
    out.extend(text.bytes());
    out.extend(data);
    Some(out)
}

/// The names of the tensors.
fn names(header: &Value) -> Vec<String> {
    let names = header.as_object().into_iter().flat_map(|map| map.keys());
    names.filter(|name| *name != "__metadata__").cloned().collect()
}

/// Another shape, or another type, of as many bytes.
fn reshape(header: &mut Value, rng: &mut ChaCha8Rng) {
    let names = names(header);
    let Some(name) = names.get(rng.random_range(0..names.len().max(1))) else { return };
    let tensor = &mut header[name.as_str()];
    let sizes: Vec<u64> =
        tensor["shape"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
    let mut shape: Vec<u64> = match rng.random_range(0..4) {
        0 => vec![sizes.iter().product()],
        1 => sizes.iter().flat_map(|size| [1, *size]).collect(),
        2 => sizes
            .iter()
            .flat_map(|size| if size % 2 == 0 { [2, size / 2] } else { [1, *size] })
            .collect(),
        _ => {
            let [from, to] = [json!("F32"), json!("I32")];
            tensor["dtype"] = if tensor["dtype"] == from { to } else { from };
            sizes
        }
    };
    shape.shuffle(rng);
    tensor["shape"] = json!(shape);
}

/// Exchanges two tensors' descriptions.
fn exchange(header: &mut Value, rng: &mut ChaCha8Rng) {
    let names = names(header);
    if names.len() < 2 {
        return;
    }
    let [a, b] = [0, 1].map(|_| names[rng.random_range(0..names.len())].as_str());
    let kept = header[a].take();
    header[a] = header[b].take();
    header[b] = kept;
}
