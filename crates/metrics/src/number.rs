//! Numbers in JSON, which knows no infinity: the PSNR of equal pictures is written as `"inf"`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number that may be infinite.
///
/// Serialised as a number, or as `"inf"` or `"-inf"`; read back from either. NaN is no result and
/// is refused both ways. Fields take it with `#[serde(with = "metrics::number")]`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Number(pub f64);

/// Writes a number that may be infinite.
///
/// # Errors
/// For NaN.
pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.is_nan() {
        return Err(serde::ser::Error::custom("expected a number, found NaN"));
    }
    match *value {
        f64::INFINITY => serializer.serialize_str("inf"),
        f64::NEG_INFINITY => serializer.serialize_str("-inf"),
        finite => serializer.serialize_f64(finite),
    }
}

/// Reads a number that may be infinite.
///
/// # Errors
/// For anything but a number, `"inf"` and `"-inf"`.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Finite(f64),
        Text(String),
    }
    match Written::deserialize(deserializer)? {
        Written::Finite(value) => Ok(value),
        Written::Text(text) => match text.as_str() {
            "inf" => Ok(f64::INFINITY),
            "-inf" => Ok(f64::NEG_INFINITY),
            other => {
                let reason = format!("expected a number, \"inf\" or \"-inf\", found \"{other}\"");
                Err(serde::de::Error::custom(reason))
            }
        },
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn infinity_survives_json_and_nan_is_refused() {
        for (value, text) in [
            (f64::INFINITY, "\"inf\""),
            (f64::NEG_INFINITY, "\"-inf\""),
            (0.1, "0.1"),
            (-3.0, "-3.0"),
        ] {
            assert_eq!(serde_json::to_string(&Number(value)).unwrap(), text);
            assert_eq!(serde_json::from_str::<Number>(text).unwrap(), Number(value));
        }
        assert_eq!(serde_json::from_str::<Number>("7").unwrap(), Number(7.0));
        assert!(serde_json::to_string(&Number(f64::NAN)).is_err());
        for text in ["null", "\"NaN\"", "\"many\"", "[]"] {
            assert!(serde_json::from_str::<Number>(text).is_err(), "{text}");
        }
    }
}
