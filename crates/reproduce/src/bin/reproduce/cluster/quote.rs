//! Texts as YAML and engines want them.

/// A text as a string of YAML in a shell's here-document.
pub(crate) fn heredoc(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    json.replace('\\', r"\\").replace('$', r"\$").replace('`', r"\`")
}

/// A name as engines allow it for jobs: lower case letters, digits and hyphens.
pub(crate) fn label(name: &str) -> String {
    let letter = |letter: char| match letter.to_ascii_lowercase() {
        letter @ ('a'..='z' | '0'..='9') => letter,
        _ => '-',
    };
    name.chars().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use terminal::shell_word;

    use super::*;

    #[cfg(unix)]
    #[test]
    fn words_come_through_a_shell_unchanged() {
        let said = |script: String| {
            let output = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        for word in ["", "a b", "it's", "$HOME", "`id`", "\\", "*", "\"", "a;b", "--gres=gpu:1"] {
            assert_eq!(said(format!("printf %s {}", shell_word(word))), word);
            let yaml = said(format!("cat <<END\n{}\nEND", heredoc(word)));
            assert_eq!(serde_json::from_str::<String>(&yaml).unwrap(), word);
        }
        assert_eq!(label("SD-2.1_paper"), "sd-2-1-paper");
    }
}
