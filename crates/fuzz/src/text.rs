//! Damage to text: numbers, words and lines.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// What is put in the place of numbers, and between words.
const WORDS: [&str; 40] = [
    "0",
    "-0.0",
    "-1",
    "1e308",
    "-1e309",
    "1e-320",
    "nan",
    "NaN",
    "inf",
    "-Infinity",
    "null",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "4294967296",
    "[",
    "]",
    "{",
    "}",
    "[]",
    "{}",
    "\"",
    "'",
    "\\",
    "\\u0000",
    "\\ud800",
    "\u{0}",
    "\u{202e}",
    "\u{feff}",
    "\u{1b}[2J",
    "𝕳",
    "ﷺ",
    "İ",
    "&amp;#x26;amp;",
    "<|endoftext|>",
    "<|startoftext|>",
    "!",
    "&anchor ",
    "*anchor",
    "<<: ",
];

/// Damages `text` in one to four places.
pub fn damage(text: &str, rng: &mut ChaCha8Rng) -> String {
    let mut text = text.to_string();
    for _ in 0..rng.random_range(1..=4) {
        text = once(&text, rng);
    }
    text
}

fn once(text: &str, rng: &mut ChaCha8Rng) -> String {
    let word = WORDS[rng.random_range(0..WORDS.len())];
    let mut lines: Vec<&str> = text.split('\n').collect();
    let line = rng.random_range(0..lines.len());
    match rng.random_range(0..7) {
        0 => {
            lines.remove(line);
        }
        1 => lines.insert(line, lines[line]),
        2 => {
            let other = rng.random_range(0..lines.len());
            lines.swap(line, other);
        }
        3 => return replace_number(text, word, rng),
        4 => {
            let times = 1 << rng.random_range(0..13);
            return insert(text, &word.repeat(times), rng);
        }
        5 => return insert(text, word, rng),
        _ => {
            let times = 1 << rng.random_range(0..9);
            let repeated = vec![lines[line]; times].join("\n");
            return lines
                .iter()
                .enumerate()
                .map(|(at, own)| if at == line { repeated.as_str() } else { own })
                .collect::<Vec<_>>()
                .join("\n");
        }
    }
    lines.join("\n")
}

fn insert(text: &str, word: &str, rng: &mut ChaCha8Rng) -> String {
    let at = boundary(text, rng);
    format!("{}{word}{}", &text[..at], &text[at..])
}

/// A place between two characters.
fn boundary(text: &str, rng: &mut ChaCha8Rng) -> usize {
    let mut at = rng.random_range(0..=text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Puts `word` in the place of one of the text's numbers.
fn replace_number(text: &str, word: &str, rng: &mut ChaCha8Rng) -> String {
    let from = boundary(text, rng);
    let Some(start) = text[from..].find(|c: char| c.is_ascii_digit()) else {
        return insert(text, word, rng);
    };
    let start = from + start;
    let rest = &text[start..];
    let length = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    format!("{}{word}{}", &text[..start], &rest[length..])
}
