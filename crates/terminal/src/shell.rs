//! Commands that are printed to be typed.

/// A word as one word of a shell's command.
pub fn shell_word(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./=:,+@%".contains(letter);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.into(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::shell_word;

    #[test]
    fn plain_words_stay_and_others_are_quoted() {
        for (word, expected) in [
            ("--gres=gpu:1", "--gres=gpu:1"),
            ("", "''"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("é;", "'é;'"),
        ] {
            assert_eq!(shell_word(word), expected);
        }
    }
}
