//! What is done to a text before it is cut into tokens.

/// ftfy looks at lines of up to a million characters at a time; its port cuts longer ones between
/// bytes, inside of a character. A line is looked at as a whole here.
const WHOLE_LINES: i32 = i32::MAX;

/// ftfy's repairs: mojibake, HTML entities, curly quotes, ligatures, NFC.
pub(crate) fn repair(text: &str) -> String {
    let config = plsfix::TextFixerConfig { max_decode_length: WHOLE_LINES, ..Default::default() };
    plsfix::fix_text(text, Some(&config))
}

/// What transformers' slow tokenizer does to a text first: ftfy's repairs, white space collapsed,
/// lower case.
pub(crate) fn clean(text: &str) -> String {
    collapse(&repair(text))
}

/// White space collapsed, lower case.
pub(crate) fn collapse(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// GPT-2's printable stand-in for every byte.
pub fn byte_characters() -> [char; 256] {
    let printable = |byte: u32| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    let mut characters = ['\0'; 256];
    let mut next = 256;
    for byte in 0..256u32 {
        let code = if printable(byte) {
            byte
        } else {
            next += 1;
            next - 1
        };
        characters[byte as usize] = char::from_u32(code).unwrap_or('\0');
    }
    characters
}

/// The stand-ins in the order of CLIP's ids: those that stand for themselves first.
pub(crate) fn byte_tokens() -> Vec<String> {
    let characters = byte_characters();
    let printable = |byte: &usize| characters[*byte] as usize == *byte;
    let (first, last): (Vec<usize>, Vec<usize>) = (0..256).partition(printable);
    first.into_iter().chain(last).map(|byte| characters[byte].to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clean_takes_lines_of_millions_of_bytes() {
        let long = format!("A{}", "ä".repeat(1_100_000));
        assert_eq!(clean(&long), long.to_lowercase());
    }

    #[test]
    fn byte_characters_are_distinct_and_keep_ascii() {
        let characters = byte_characters();
        let distinct: std::collections::HashSet<_> = characters.iter().collect();
        assert_eq!(distinct.len(), 256);
        assert_eq!(characters[usize::from(b'a')], 'a');
        assert_eq!(characters[usize::from(b' ')], 'Ġ');
    }
}
