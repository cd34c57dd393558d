//! The keys of one JSON object, taken one by one: what is left at the end is unknown.

use std::path::Path;

use serde_json::{Map, Value};

use crate::{ConfigError, python, show};

/// The keys of a configuration that were not yet taken.
///
/// Take every key that means something, name those that are fixed or ignored, and
/// [`finish`](Self::finish): a key that is left then is refused. Absent keys and `null` are the
/// same, as in diffusers and transformers.
///
/// ```
/// use config::{ConfigError, Keys};
///
/// fn channels(text: &str) -> Result<usize, ConfigError> {
///     let mut keys = Keys::from_json(text, "unet/config.json")?;
///     let channels = keys.size("in_channels", 1..=1024)?.unwrap_or(4);
///     keys.finish()?;
///     Ok(channels)
/// }
/// assert_eq!(channels("{}").unwrap(), 4);
/// let error = channels(r#"{"in_chanels": 9}"#).unwrap_err().to_string();
/// assert!(error.contains("did you mean `in_channels`?"));
/// ```
#[derive(Debug)]
pub struct Keys {
    file: String,
    /// Names of the objects around this one, each followed by a dot.
    prefix: String,
    object: Map<String, Value>,
    known: Vec<&'static str>,
}

impl Keys {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ConfigError`] where it cannot be read or holds no JSON object.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        Self::from_json(&files::read_to_string(path)?, path.display().to_string())
    }

    /// Reads a text; errors call it `file`.
    ///
    /// # Errors
    /// [`ConfigError::NotAnObject`].
    pub fn from_json(text: &str, file: impl Into<String>) -> Result<Self, ConfigError> {
        let file = file.into();
        match serde_json::from_str(&python::quote_constants(text)) {
            Ok(Value::Object(object)) => Ok(Self::from_object(object, file)),
            Ok(other) => Err(ConfigError::NotAnObject { file, found: show::value(&other) }),
            Err(error) => {
                Err(ConfigError::NotAnObject { file, found: format!("what is no JSON ({error})") })
            }
        }
    }

    /// The keys of an object that was read already, a part of another file; errors call it `file`.
    pub fn from_object(object: Map<String, Value>, file: impl Into<String>) -> Self {
        Self { file: file.into(), prefix: String::new(), object, known: Vec::new() }
    }

    /// The file, or what else the text came from.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Whether `key` is there, be it `null`; it stays.
    pub fn has(&self, key: &str) -> bool {
        self.object.contains_key(key)
    }

    /// The value of `key`, of whatever type, for shapes of their own; `None` where absent or `null`.
    pub fn value(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.object.remove(key).filter(|value| !value.is_null())
    }

    /// The object under `key`, whose own keys must be finished too.
    ///
    /// # Errors
    /// [`ConfigError::Value`] where it is something else.
    pub fn inner(&mut self, key: &'static str) -> Result<Option<Self>, ConfigError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(Self {
                file: self.file.clone(),
                prefix: format!("{}{key}.", self.prefix),
                object,
                known: Vec::new(),
            })),
            Some(other) => Err(self.invalid(key, "an object", other)),
        }
    }

    /// Takes a key that may only have one of the `allowed` values, or be absent.
    ///
    /// # Errors
    /// [`ConfigError::Value`] for another value.
    pub fn fixed(&mut self, key: &'static str, allowed: &[Value]) -> Result<(), ConfigError> {
        self.known.push(key);
        match self.object.remove(key) {
            Some(found) if !allowed.iter().any(|value| same(value, &found)) => {
                let allowed: Vec<String> = allowed.iter().map(Value::to_string).collect();
                Err(self.invalid(key, allowed.join(" or "), found))
            }
            _ => Ok(()),
        }
    }

    /// Drops keys whose value changes nothing here, whatever it is, for the `reason` given.
    pub fn ignore(&mut self, reason: &str, keys: &[&'static str]) {
        for key in keys {
            self.known.push(key);
            if let Some(value) = self.object.remove(*key) {
                let value = show::value(&value);
                log::debug!(
                    "`{}`: `{}{key}` = {value} is ignored: {reason}",
                    self.file,
                    self.prefix
                );
            }
        }
    }

    /// The value, or an error where there is none.
    ///
    /// # Errors
    /// [`ConfigError::Value`] where it is absent.
    pub fn required<T>(
        &self,
        key: &str,
        expected: &str,
        value: Option<T>,
    ) -> Result<T, ConfigError> {
        value.ok_or_else(|| self.invalid(key, expected, "nothing"))
    }

    /// The error that `key` has a wrong value, for checks that need several keys.
    pub fn invalid(
        &self,
        key: &str,
        expected: impl std::fmt::Display,
        found: impl std::fmt::Display,
    ) -> ConfigError {
        ConfigError::Value {
            file: self.file.clone(),
            key: format!("{}{key}", self.prefix),
            expected: expected.to_string(),
            found: show::text(&found.to_string()),
        }
    }

    /// Refuses what was not taken. Keys that begin with `_` are the library's own bookkeeping
    /// (`_diffusers_version`, `_name_or_path`), which diffusers drops as well.
    ///
    /// # Errors
    /// [`ConfigError::UnknownKey`] for the first key that is left.
    pub fn finish(self) -> Result<(), ConfigError> {
        let Some((key, found)) = self.object.iter().find(|(key, _)| !key.starts_with('_')) else {
            return Ok(());
        };
        let distance = |known: &&str| strsim::osa_distance(key, known);
        let nearest = self.known.iter().copied().min_by_key(distance);
        let similar = nearest.filter(|known| distance(known) <= 2);
        Err(ConfigError::UnknownKey {
            key: format!("{}{}", self.prefix, show::text(key)),
            found: show::value(found),
            similar: similar.map(|known| format!("{}{known}", self.prefix)),
            file: self.file,
        })
    }
}

/// Whether two values are the same; 1 and 1.0 are.
fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn keys(text: &str) -> Keys {
        Keys::from_json(text, "some/config.json").unwrap()
    }

    #[test]
    fn finish_names_file_key_and_value_of_what_is_left() {
        let mut left = keys(r#"{"_private": 1, "hidden_actt": "gelu", "inner": {"wdith": 3}}"#);
        let mut inner = left.inner("inner").unwrap().unwrap();
        assert_eq!(inner.size("width", 1..=9).unwrap(), None);
        assert_eq!(
            inner.finish().unwrap_err().to_string(),
            "`some/config.json`: unknown key `inner.wdith` (= 3): did you mean `inner.width`?"
        );
        left.ignore("no reason", &["hidden_act"]);
        assert_eq!(
            left.finish().unwrap_err().to_string(),
            "`some/config.json`: unknown key `hidden_actt` (= \"gelu\"): did you mean `hidden_act`?"
        );
        let strange = keys(r#"{"quite something else": null}"#).finish().unwrap_err();
        assert!(matches!(strange, ConfigError::UnknownKey { similar: None, .. }));
        assert!(keys(r#"{"_private": 1}"#).finish().is_ok());
    }

    #[test]
    fn fixed_takes_the_allowed_values_only() {
        let mut found = keys(r#"{"a": 1.0, "b": null, "c": "x"}"#);
        assert!(found.fixed("a", &[json!(1)]).is_ok());
        assert!(found.fixed("b", &[json!(null), json!(false)]).is_ok());
        assert!(found.fixed("absent", &[json!(2)]).is_ok());
        let error = found.fixed("c", &[json!("y"), json!(null)]).unwrap_err().to_string();
        assert_eq!(error, "`some/config.json`: `c`: expected \"y\" or null, found \"x\"");
        let error = keys(r#"{"a": null}"#).fixed("a", &[json!(true)]).unwrap_err().to_string();
        assert!(error.ends_with("expected true, found null"), "{error}");
    }

    #[test]
    fn from_json_and_from_file_say_what_is_no_object() {
        let error = Keys::from_json("[1]", "a.json").unwrap_err().to_string();
        assert_eq!(error, "`a.json`: expected a JSON object, found [1]");
        let error = Keys::from_json("{", "a.json").unwrap_err().to_string();
        assert!(error.contains("`a.json`") && error.contains("line 1"), "{error}");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        let error = Keys::from_file(&path).unwrap_err().to_string();
        assert!(error.contains("config.json"), "{error}");
        std::fs::write(&path, r#"{"a": -Infinity}"#).unwrap();
        let mut keys = Keys::from_file(&path).unwrap();
        assert!(keys.fixed("a", &[json!("-Infinity")]).is_ok());
        assert_eq!(keys.file(), path.display().to_string());
    }
}
