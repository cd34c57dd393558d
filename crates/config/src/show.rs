//! Values and keys of files as error messages show them: short, and without control characters.

use serde_json::Value;

/// Characters of a value that are shown.
const SHOWN: usize = 80;

/// A value as JSON.
pub(crate) fn value(value: &Value) -> String {
    text(&value.to_string())
}

/// The beginning of a text, with control characters escaped.
pub(crate) fn text(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars().take(SHOWN) {
        if character.is_control() {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_and_control_characters_are_escaped() {
        assert_eq!(text("a\u{1b}[2J\u{85}"), "a\\u{1b}[2J\\u{85}");
        assert_eq!(text(&"é".repeat(SHOWN)), "é".repeat(SHOWN));
        assert_eq!(text(&"é".repeat(SHOWN + 1)), "é".repeat(SHOWN) + "…");
        assert_eq!(value(&serde_json::json!({"a": [1.5, null]})), r#"{"a":[1.5,null]}"#);
    }
}
