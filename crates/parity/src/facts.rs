//! The facts beside reference tensors: JSON whose fields are read by name, with the place in every
//! error.

use std::path::Path;

use anyhow::{Context, anyhow};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A value of a JSON file and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    value: Value,
    /// The file and the path of the value in it, for messages.
    place: String,
}

impl Facts {
    /// Reads a file that Python's `json` wrote.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let place = format!("`{}`", path.display());
        let text = std::fs::read_to_string(path).with_context(|| place.clone())?;
        let value =
            serde_json::from_str(&without_infinities(&text)).with_context(|| place.clone())?;
        Ok(Self { value, place })
    }

    /// The field `key`; `None` where it is absent or null.
    pub(crate) fn find(&self, key: &str) -> Option<Self> {
        let value = self.value.get(key).filter(|value| !value.is_null())?.clone();
        Some(Self { value, place: format!("{}, `{key}`", self.place) })
    }

    /// The field `key`.
    pub(crate) fn get(&self, key: &str) -> anyhow::Result<Self> {
        self.find(key).ok_or_else(|| anyhow!("{}: expected a field `{key}`", self.place))
    }

    /// The value as a `T`.
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        T::deserialize(&self.value).with_context(|| self.place.clone())
    }

    /// The field `key` as a `T`.
    pub(crate) fn read<T: DeserializeOwned>(&self, key: &str) -> anyhow::Result<T> {
        self.get(key)?.parse()
    }

    /// The entries of a list.
    pub(crate) fn items(&self) -> anyhow::Result<Vec<Self>> {
        let items =
            self.value.as_array().ok_or_else(|| anyhow!("{}: expected a list", self.place))?;
        let entry = |(i, value): (usize, &Value)| Self {
            value: value.clone(),
            place: format!("{}[{i}]", self.place),
        };
        Ok(items.iter().enumerate().map(entry).collect())
    }

    /// The fields of an object and their names.
    pub(crate) fn fields(&self) -> anyhow::Result<Vec<(String, Self)>> {
        let object =
            self.value.as_object().ok_or_else(|| anyhow!("{}: expected an object", self.place))?;
        let field = |(key, value): (&String, &Value)| {
            let place = format!("{}, `{key}`", self.place);
            (key.clone(), Self { value: value.clone(), place })
        };
        Ok(object.iter().map(field).collect())
    }

    /// Names of fields that are not among `known`, each of which would change what is compared.
    pub(crate) fn unknown(&self, known: &[&str]) -> anyhow::Result<Vec<String>> {
        let names = self.fields()?.into_iter().map(|(name, _)| name);
        Ok(names.filter(|name| !known.contains(&name.as_str())).collect())
    }

    /// A matrix of numbers whose rows have `columns` entries.
    pub(crate) fn matrix(&self, columns: usize) -> anyhow::Result<Vec<Vec<f64>>> {
        let rows: Vec<Vec<f64>> = self.parse()?;
        match rows.iter().find(|row| row.len() != columns) {
            Some(row) => Err(anyhow!(
                "{}: expected rows of {columns} numbers, found {}",
                self.place,
                row.len()
            )),
            None => Ok(rows),
        }
    }

    /// A list of `length` numbers.
    pub(crate) fn vector(&self, length: usize) -> anyhow::Result<Vec<f64>> {
        let values: Vec<f64> = self.parse()?;
        if values.len() != length {
            let found = values.len();
            return Err(anyhow!("{}: expected {length} numbers, found {found}", self.place));
        }
        Ok(values)
    }

    /// The value as JSON text.
    pub(crate) fn json(&self) -> &Value {
        &self.value
    }
}

/// Python writes infinities and NaN, which JSON does not have, and nothing here needs them: `null`
/// in their place, outside strings.
fn without_infinities(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (i, part) in split_strings(text).into_iter().enumerate() {
        if i % 2 == 0 {
            let part = part.replace("-Infinity", "null").replace("Infinity", "null");
            out.push_str(&part.replace("NaN", "null"));
        } else {
            out.push_str(part);
        }
    }
    out
}

/// Text outside and inside strings by turns, starting outside; quotes belong to the strings.
fn split_strings(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut inside, mut escaped) = (Vec::new(), 0, false, false);
    for (i, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => {
                let end = if inside { i + 1 } else { i };
                parts.push(&text[start..end]);
                (start, inside) = (end, !inside);
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(text: &str) -> anyhow::Result<Facts> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("golden.json");
        std::fs::write(&path, text)?;
        Facts::open(&path)
    }

    #[test]
    fn open_reads_pythons_numbers_and_leaves_texts() {
        let text = r#"{"a": Infinity, "b": [-Infinity, NaN, 1], "c": "NaN \" Infinity", "d\\": 2}"#;
        let facts = facts(text).unwrap();
        assert!(facts.find("a").is_none());
        assert_eq!(facts.read::<Vec<Option<f64>>>("b").unwrap(), [None, None, Some(1.0)]);
        assert_eq!(facts.read::<String>("c").unwrap(), "NaN \" Infinity");
        assert_eq!(facts.read::<u8>("d\\").unwrap(), 2);
    }

    #[test]
    fn errors_name_the_file_and_the_place() {
        let facts = facts(r#"{"runs": [{"steps": "two", "w": [[1, 2], [3]]}]}"#).unwrap();
        let run = &facts.get("runs").unwrap().items().unwrap()[0];
        let messages = [
            (format!("{:#}", run.get("scheduler").unwrap_err()), "`scheduler`"),
            (format!("{:#}", run.read::<usize>("steps").unwrap_err()), "`steps`"),
            (format!("{:#}", run.get("w").unwrap().matrix(2).unwrap_err()), "found 1"),
            (format!("{:#}", run.items().unwrap_err()), "expected a list"),
        ];
        for (message, part) in messages {
            assert!(message.contains(part), "{message}");
            assert!(message.contains("golden.json") && message.contains("`runs`[0]"), "{message}");
        }
        assert_eq!(run.unknown(&["steps"]).unwrap(), ["w"]);
    }
}
