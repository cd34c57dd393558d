//! JSON objects with a checksum of their own text, so that damage is not taken for values.

use crate::sha256_bytes;

/// What stands before a checksum, and between it and the other fields.
const AROUND: [&str; 2] = ["{\"sha256\":\"", "\","];

/// The JSON object `text` with the SHA-256 of its text as its first field.
pub fn with_checksum(text: &str) -> String {
    let fields = text.strip_prefix('{').unwrap_or(text);
    [AROUND[0], &sha256_bytes(text), AROUND[1], fields].concat()
}

/// The text that [`with_checksum`] was given, where it is as it was.
///
/// # Errors
/// What is wrong with it, in words.
pub fn checked(text: &str) -> Result<String, String> {
    let inside = text.strip_prefix(AROUND[0]).ok_or("expected `sha256` first, found none")?;
    let (expected, fields) = inside.split_once(AROUND[1]).ok_or("its checksum has no end")?;
    let text = format!("{{{fields}");
    same_checksum(expected, &sha256_bytes(&text))?;
    Ok(text)
}

/// Compares a checksum that was stored with that of what is there.
///
/// # Errors
/// That they differ, in words.
pub fn same_checksum(expected: &str, found: &str) -> Result<(), String> {
    if expected == found {
        return Ok(());
    }
    Err(format!("it was changed or damaged: expected the checksum {expected}, found {found}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_comes_back_as_it_was_or_not_at_all() {
        for text in ["{}", "{\"a\":[0.1,2]}"] {
            let whole = with_checksum(text);
            assert_eq!(checked(&whole).as_deref(), Ok(text));
            for changed in [whole.replace('}', " }"), whole.replace("sha256", "sha"), text.into()] {
                assert!(checked(&changed).is_err(), "{changed}");
            }
        }
    }
}
