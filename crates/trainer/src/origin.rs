//! What a checkpoint was trained from: the recipe and the pictures, as hashes.

use std::collections::{BTreeMap, BTreeSet};

use files::{Sha256, sha256_bytes};
use pictures::Dataset;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Fields that say how often something is written and not what.
const WITHOUT_EFFECT: [&str; 1] = ["checkpoint_every"];

/// Everything that determines a training run's result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Origin {
    /// SHA-256 of `recipe`.
    recipe_sha256: String,
    /// SHA-256 of the pictures and captions.
    pictures_sha256: String,
    /// The recipe's fields and their values as JSON; they name what differs.
    recipe: BTreeMap<String, String>,
}

impl Origin {
    /// `recipe` is the part of a recipe that the run follows.
    pub(crate) fn new<R: Serialize>(recipe: &R, pictures: &[&Dataset]) -> Self {
        // A recipe is plain numbers and lists, which JSON can always hold.
        let fields = fields(&serde_json::to_value(recipe).unwrap_or_default());
        let text: String =
            fields.iter().map(|(field, value)| format!("{field} = {value}\n")).collect();
        Self {
            recipe_sha256: sha256_bytes(text),
            pictures_sha256: hash_pictures(pictures),
            recipe: fields,
        }
    }

    /// In what `other` differs, in words; `None` where it does not.
    pub(crate) fn difference(&self, other: &Self) -> Option<String> {
        if self.recipe_sha256 != other.recipe_sha256 {
            let changed = changed_fields(&self.recipe, &other.recipe);
            return Some(format!("another recipe, which differs in {changed}"));
        }
        (self.pictures_sha256 != other.pictures_sha256).then(|| "other pictures or captions".into())
    }
}

/// The fields in which two objects differ, in words.
pub(crate) fn changed(expected: &Value, found: &Value) -> String {
    changed_fields(&fields(expected), &fields(found))
}

fn changed_fields(expected: &BTreeMap<String, String>, found: &BTreeMap<String, String>) -> String {
    let all: BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
    let word = |value: Option<&String>| value.map_or("absent", String::as_str).to_string();
    let changed: Vec<String> = all
        .into_iter()
        .map(|field| (field, [expected.get(field), found.get(field)]))
        .filter(|(_, [expected, found])| expected != found)
        .map(|(field, [expected, found])| {
            format!("`{field}` (expected {}, found {})", word(expected), word(found))
        })
        .collect();
    changed.join(", ")
}

/// Every field below `value` by its path; a list of plain values is one.
fn fields(value: &Value) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    flatten("", value, &mut fields);
    fields
}

fn flatten(path: &str, value: &Value, fields: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in
                object.iter().filter(|(n, _)| !WITHOUT_EFFECT.contains(&n.as_str()))
            {
                let separator = if path.is_empty() { "" } else { "." };
                flatten(&format!("{path}{separator}{name}"), value, fields);
            }
        }
        Value::Array(tables) if tables.iter().any(Value::is_object) => {
            for (index, table) in tables.iter().enumerate() {
                flatten(&format!("{path}[{index}]"), table, fields);
            }
        }
        plain => {
            fields.insert(path.into(), plain.to_string());
        }
    }
}

fn hash_pictures(sets: &[&Dataset]) -> String {
    let mut hash = Sha256::new();
    for set in sets {
        hash.update((set.examples.len() as u64).to_le_bytes());
        hash.update((set.size as u64).to_le_bytes());
        for example in &set.examples {
            for text in [&example.text, &example.caption, &example.style] {
                hash.update((text.len() as u64).to_le_bytes());
                hash.update(text);
            }
            hash.update(bytemuck::cast_slice::<f32, u8>(&example.pixels));
        }
    }
    hash.hex()
}

#[cfg(test)]
mod tests {
    use pictures::Example;
    use serde_json::json;

    use super::*;

    fn pictures(text: &str, pixel: f32) -> Dataset {
        let example = Example {
            file_name: String::new(),
            text: text.into(),
            caption: String::new(),
            style: String::new(),
            pixels: vec![pixel; 3],
        };
        Dataset { examples: vec![example], size: 1 }
    }

    #[test]
    fn difference_names_the_changed_fields_and_ignores_how_often_checkpoints_are_written() {
        let recipe = |steps: usize, every: usize| json!({"seed": 1, "optimizer": {"steps": steps, "checkpoint_every": every}});
        let data = pictures("a cat", 0.5);
        let origin = Origin::new(&recipe(10, 2), &[&data]);
        assert_eq!(origin.difference(&Origin::new(&recipe(10, 5), &[&data])), None);
        let difference = origin.difference(&Origin::new(&recipe(20, 2), &[&data])).unwrap();
        assert!(difference.contains("`optimizer.steps` (expected 10, found 20)"), "{difference}");
        assert!(!difference.contains("seed"), "{difference}");
    }

    #[test]
    fn difference_sees_pixels_and_captions() {
        let origin = |data: &Dataset| Origin::new(&json!({"seed": 1}), &[data]);
        let first = origin(&pictures("a cat", 0.5));
        for other in [pictures("a cat", 0.25), pictures("a cap", 0.5)] {
            assert!(first.difference(&origin(&other)).unwrap().contains("pictures"));
        }
    }
}
