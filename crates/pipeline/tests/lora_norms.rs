//! How far LoRAs change a model's weights, against the weights that are loaded with them.

use lora::LoraChoice;
use pipeline::lora_norms;

use crate::lora::{check, open, shipped, unet_weights};

#[test]
fn norms_are_those_of_the_merged_weights() {
    let before = unet_weights(&open(&shipped(), &[]).unwrap());
    let model = shipped().display().to_string();
    for (form, strength) in [("kohya", 0.7), ("diffusers", 1.0), ("processor", -0.5)] {
        let path = check(&format!("{form}.safetensors"));
        let choice = LoraChoice { strength, ..LoraChoice::new(path) };
        let merged = unet_weights(&open(&shipped(), std::slice::from_ref(&choice)).unwrap());
        let norms = &lora_norms(&model, None, &[choice]).unwrap()[0];
        assert_eq!(norms.lora.strength, strength);
        let mut layers = 0;
        for part in &norms.parts {
            if part.path == "text_encoder" {
                continue;
            }
            let within = |name: &str| name.starts_with(&format!("{}.", part.path));
            let changed =
                merged.iter().filter(|(name, values)| within(name) && before[*name] != **values);
            let (mut count, mut change, mut weights) = (0, 0.0, 0.0);
            for (name, values) in changed {
                count += 1;
                for (after, before) in values.iter().zip(&before[name]) {
                    change += (f64::from(*after) - f64::from(*before)).powi(2);
                    weights += f64::from(*before).powi(2);
                }
            }
            assert_eq!(part.layers, count, "{form}: {}", part.path);
            assert_eq!(part.weights.is_some(), count > 0, "{form}: {}", part.path);
            let (change, weights) = (f64::sqrt(change), f64::sqrt(weights));
            assert!((part.change - change).abs() <= 1e-4 * change, "{form}: {part:?}: {change}");
            let found = part.weights.unwrap_or(0.0);
            assert!((found - weights).abs() <= 1e-6 * weights, "{form}: {part:?}: {weights}");
            layers += count;
        }
        assert!(layers > 0 && norms.whole.layers >= layers, "{form}");
        let square: f64 = norms.parts.iter().map(|part| part.change.powi(2)).sum();
        assert!((norms.whole.change.powi(2) - square).abs() < 1e-9 * square, "{form}");
    }
}

#[test]
fn norms_of_chosen_blocks_are_of_no_other() {
    let kohya = check("kohya.safetensors");
    let choice: LoraChoice = format!("{}=0.5@mid_block", kohya.display()).parse().unwrap();
    let whole = LoraChoice { strength: 0.5, ..LoraChoice::new(kohya) };
    let norms = lora_norms(&shipped().display().to_string(), None, &[choice, whole]).unwrap();
    let changed: Vec<_> = norms[0].parts.iter().filter(|part| part.layers > 0).collect();
    assert_eq!(changed.len(), 1);
    assert!(norms[1].parts.contains(changed[0]));
    assert_eq!(norms[0].whole.change, changed[0].change);
}
