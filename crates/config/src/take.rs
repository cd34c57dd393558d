//! Values of each type, taken with their bounds.

use std::ops::RangeInclusive;

use serde_json::Value;

use crate::{ConfigError, Keys};

impl Keys {
    /// A whole number within `bounds`; `None` where absent.
    ///
    /// # Errors
    /// [`ConfigError::Value`] for anything else.
    pub fn size(
        &mut self,
        key: &'static str,
        bounds: RangeInclusive<usize>,
    ) -> Result<Option<usize>, ConfigError> {
        self.value(key).map(|value| self.whole(key, &value, &bounds)).transpose()
    }

    /// A list of `count` whole numbers within `bounds`; `None` where absent.
    ///
    /// # Errors
    /// [`ConfigError::Value`] for anything else.
    pub fn sizes(
        &mut self,
        key: &'static str,
        bounds: RangeInclusive<usize>,
        count: RangeInclusive<usize>,
    ) -> Result<Option<Vec<usize>>, ConfigError> {
        let Some(value) = self.value(key) else { return Ok(None) };
        let entries = self.entries(key, &value, count)?;
        entries
            .iter()
            .map(|entry| self.whole(key, entry, &bounds))
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// One whole number within `bounds` that counts `count` times, or a list of `count`; `None`
    /// where absent.
    ///
    /// # Errors
    /// [`ConfigError::Value`] for anything else.
    pub fn repeated(
        &mut self,
        key: &'static str,
        bounds: RangeInclusive<usize>,
        count: usize,
    ) -> Result<Option<Vec<usize>>, ConfigError> {
        let Some(value) = self.value(key) else { return Ok(None) };
        if value.is_number() {
            return Ok(Some(vec![self.whole(key, &value, &bounds)?; count]));
        }
        let entries = self.entries(key, &value, count..=count)?;
        entries
            .iter()
            .map(|entry| self.whole(key, entry, &bounds))
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// A finite number that `fits`, which `expected` puts into words; `None` where absent.
    ///
    /// # Errors
    /// [`ConfigError::Value`] for anything else.
    pub fn float(
        &mut self,
        key: &'static str,
        expected: &str,
        fits: impl Fn(f64) -> bool,
    ) -> Result<Option<f64>, ConfigError> {
        let Some(value) = self.value(key) else { return Ok(None) };
        match value.as_f64() {
            Some(number) if number.is_finite() && fits(number) => Ok(Some(number)),
            _ => Err(self.invalid(key, expected, value)),
        }
    }

    /// `true` or `false`; `None` where absent.
    ///
    /// # Errors
    /// [`ConfigError::Value`] for anything else.
    pub fn flag(&mut self, key: &'static str) -> Result<Option<bool>, ConfigError> {
        let Some(value) = self.value(key) else { return Ok(None) };
        match value.as_bool() {
            Some(flag) => Ok(Some(flag)),
            None => Err(self.invalid(key, "true or false", value)),
        }
    }

    /// A text; `None` where absent.
    ///
    /// # Errors
    /// [`ConfigError::Value`] for anything else.
    pub fn text(&mut self, key: &'static str) -> Result<Option<String>, ConfigError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.invalid(key, "a text", other)),
        }
    }

    /// What one of the names of `choices` stands for; `None` where absent.
    ///
    /// # Errors
    /// [`ConfigError::Value`] for anything else.
    pub fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        choices: &[(&str, T)],
    ) -> Result<Option<T>, ConfigError> {
        self.value(key).map(|value| self.chosen(key, &value, choices)).transpose()
    }

    /// What the names of a list of `count` stand for; `None` where absent.
    ///
    /// # Errors
    /// [`ConfigError::Value`] for anything else.
    pub fn choices<T: Copy>(
        &mut self,
        key: &'static str,
        choices: &[(&str, T)],
        count: RangeInclusive<usize>,
    ) -> Result<Option<Vec<T>>, ConfigError> {
        let Some(value) = self.value(key) else { return Ok(None) };
        let entries = self.entries(key, &value, count)?;
        entries
            .iter()
            .map(|entry| self.chosen(key, entry, choices))
            .collect::<Result<_, _>>()
            .map(Some)
    }

    fn whole(
        &self,
        key: &str,
        value: &Value,
        bounds: &RangeInclusive<usize>,
    ) -> Result<usize, ConfigError> {
        // Python writes a size as 8.0 now and then.
        let whole = value.as_f64().filter(|number| number.fract() == 0.0 && *number >= 0.0);
        let number = value.as_u64().or(whole.map(|number| number as u64));
        let number = number.and_then(|number| usize::try_from(number).ok());
        number.filter(|number| bounds.contains(number)).ok_or_else(|| {
            let (least, largest) = (bounds.start(), bounds.end());
            self.invalid(key, format!("a whole number from {least} to {largest}"), value)
        })
    }

    fn entries<'a>(
        &self,
        key: &str,
        value: &'a Value,
        count: RangeInclusive<usize>,
    ) -> Result<&'a [Value], ConfigError> {
        let entries = value.as_array().filter(|entries| count.contains(&entries.len()));
        entries.map(Vec::as_slice).ok_or_else(|| {
            let expected = match (count.start(), count.end()) {
                (least, largest) if least == largest => format!("a list of {least}"),
                (least, largest) => format!("a list of {least} to {largest}"),
            };
            let found = match value.as_array() {
                Some(entries) => format!("one of {}: {}", entries.len(), value),
                None => value.to_string(),
            };
            self.invalid(key, expected, found)
        })
    }

    fn chosen<T: Copy>(
        &self,
        key: &str,
        value: &Value,
        choices: &[(&str, T)],
    ) -> Result<T, ConfigError> {
        let named = choices.iter().find(|(name, _)| value.as_str() == Some(*name));
        named.map(|(_, choice)| *choice).ok_or_else(|| {
            let names: Vec<String> =
                choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
            self.invalid(key, names.join(" or "), value)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Keys {
        Keys::from_json(text, "c.json").unwrap()
    }

    #[test]
    fn sizes_out_of_bounds_and_of_other_types_are_refused() {
        let text = r#"{"a": 4, "b": 4294967296, "c": -1, "d": 2.5, "e": "4", "f": 0, "g": 8.0}"#;
        let mut keys = keys(text);
        assert_eq!(keys.size("a", 1..=9).unwrap(), Some(4));
        assert_eq!(keys.size("absent", 1..=9).unwrap(), None);
        assert_eq!(keys.size("g", 1..=9).unwrap(), Some(8));
        let error = keys.size("b", 1..=65536).unwrap_err().to_string();
        assert_eq!(
            error,
            "`c.json`: `b`: expected a whole number from 1 to 65536, found 4294967296"
        );
        for key in ["c", "d", "e", "f"] {
            assert!(keys.size(key, 1..=9).is_err(), "{key}");
        }
    }

    #[test]
    fn lists_have_the_lengths_asked_for() {
        let text =
            r#"{"a": [1, 2], "b": [], "c": 3, "d": 5, "e": [6, 7], "f": [1, 2, 3], "g": [0]}"#;
        let mut keys = keys(text);
        assert_eq!(keys.sizes("a", 1..=9, 1..=4).unwrap(), Some(vec![1, 2]));
        let error = keys.sizes("b", 1..=9, 1..=4).unwrap_err().to_string();
        assert_eq!(error, "`c.json`: `b`: expected a list of 1 to 4, found one of 0: []");
        assert!(keys.sizes("c", 1..=9, 1..=4).is_err());
        assert_eq!(keys.repeated("d", 1..=9, 2).unwrap(), Some(vec![5, 5]));
        assert_eq!(keys.repeated("e", 1..=9, 2).unwrap(), Some(vec![6, 7]));
        assert!(keys.repeated("f", 1..=9, 2).unwrap_err().to_string().contains("a list of 2"));
        assert!(keys.sizes("g", 1..=9, 1..=4).unwrap_err().to_string().contains("from 1 to 9"));
    }

    #[test]
    fn numbers_flags_and_names_are_checked() {
        let text = r#"{"a": 0.5, "b": -1, "c": NaN, "d": 1, "e": "gelu", "f": "gellu",
                       "g": ["x", "y"], "h": ["x", 3]}"#;
        let mut keys = keys(text);
        let positive = |number: f64| number > 0.0;
        assert_eq!(keys.float("a", "a number above 0", positive).unwrap(), Some(0.5));
        let error = keys.float("b", "a number above 0", positive).unwrap_err().to_string();
        assert_eq!(error, "`c.json`: `b`: expected a number above 0, found -1");
        assert!(keys.float("c", "a number", |_| true).is_err());
        assert!(keys.flag("d").is_err());
        let choices = [("gelu", 1), ("quick_gelu", 2)];
        assert_eq!(keys.choice("e", &choices).unwrap(), Some(1));
        let error = keys.choice("f", &choices).unwrap_err().to_string();
        assert!(error.ends_with(r#"expected "gelu" or "quick_gelu", found "gellu""#), "{error}");
        let letters = [("x", 'x'), ("y", 'y')];
        assert_eq!(keys.choices("g", &letters, 2..=2).unwrap(), Some(vec!['x', 'y']));
        assert!(keys.choices("h", &letters, 2..=2).is_err());
    }
}
