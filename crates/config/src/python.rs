//! JSON as Python's `json.dump` writes it: infinities and NaN stand as bare words.

use std::borrow::Cow;

/// The words JSON does not know.
const WORDS: [&str; 3] = ["-Infinity", "Infinity", "NaN"];

/// The text with bare infinities and NaN in quotes, so that a JSON reader takes it.
pub(crate) fn quote_constants(text: &str) -> Cow<'_, str> {
    if !WORDS.iter().any(|word| text.contains(word)) {
        return Cow::Borrowed(text);
    }
    let mut quoted = String::with_capacity(text.len() + 16);
    let (mut in_string, mut escaped) = (false, false);
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let word = WORDS.iter().find(|word| !in_string && rest.starts_with(**word));
        if let Some(word) = word {
            quoted.extend(["\"", word, "\""]);
            rest = &rest[word.len()..];
            continue;
        }
        match character {
            '"' if !escaped => in_string = !in_string,
            _ => {}
        }
        escaped = in_string && character == '\\' && !escaped;
        quoted.push(character);
        rest = &rest[character.len_utf8()..];
    }
    Cow::Owned(quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quote_constants_leaves_strings_alone() {
        let text = r#"{"a": -Infinity, "b \" NaN": "Infinity\\", "c": [NaN,Infinity]}"#;
        let quoted = r#"{"a": "-Infinity", "b \" NaN": "Infinity\\", "c": ["NaN","Infinity"]}"#;
        assert_eq!(quote_constants(text), quoted);
        assert!(matches!(quote_constants(r#"{"a": 1}"#), Cow::Borrowed(_)));
    }
}
