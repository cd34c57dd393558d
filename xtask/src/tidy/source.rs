//! Source files: their length, their first line, what libraries must not call, and where their
//! constants come from.

/// Longest source file, in lines.
const MAX_LINES: usize = 300;

/// What a library must not contain outside tests; spelt in parts, so that this file does not match
/// itself.
const FORBIDDEN: [(&str, &str); 6] = [
    (".unw", "rap()"),
    (".exp", "ect("),
    ("pan", "ic!("),
    ("tod", "o!("),
    ("db", "g!("),
    ("unimple", "mented!("),
];

/// So many digits after the point make a number one that somebody computed or copied.
const COPIED_DIGITS: usize = 7;
/// The source of a copied number is named at most so many lines above it.
const REACH: usize = 30;

/// Complains about the source file called `name`.
pub fn check(name: &str, text: &str, complaints: &mut Vec<String>) {
    let lines = text.lines().count();
    if lines > MAX_LINES {
        complaints.push(format!("{name}: {lines} lines, at most {MAX_LINES} allowed"));
    }
    if !text.starts_with("//! ") {
        complaints.push(format!("{name}: the first line must say what the file is (`//! …`)"));
    }
    if !name.contains("/src/") || name.ends_with("/tests.rs") {
        return;
    }
    let is_library = name.starts_with("crates/")
        && !name.ends_with("main.rs")
        && !name.contains("/src/bin/")
        && !name.starts_with("crates/cli/");
    let code = outside_tests(text);
    for (number, line) in code.iter().enumerate() {
        if line.trim_start().starts_with("//") {
            continue;
        }
        let at = number + 1;
        for (a, b) in FORBIDDEN.iter().filter(|_| is_library) {
            if line.contains(&format!("{a}{b}")) {
                complaints.push(format!("{name}:{at}: `{a}{b}` in a library"));
            }
        }
        if has_copied_number(line) && !names_source(&code[..=number]) {
            complaints
                .push(format!("{name}:{at}: expected a comment `Source: …` above the number"));
        }
    }
}

/// The file's lines, with those of items under `#[cfg(test)]` empty.
fn outside_tests(text: &str) -> Vec<&str> {
    let mut skipped_to: Option<String> = None;
    let mut marked = false;
    let mut code = Vec::new();
    for line in text.lines() {
        let indent = &line[..line.len() - line.trim_start().len()];
        if let Some(end) = &skipped_to {
            if line == end {
                skipped_to = None;
            }
            code.push("");
        } else if line.trim() == "#[cfg(test)]" {
            marked = true;
            code.push("");
        } else if marked && !line.trim_start().starts_with("#[") {
            marked = false;
            // As the formatter leaves it: an item ends where its own indentation returns.
            if line.ends_with('{') {
                skipped_to = Some(format!("{indent}}}"));
            }
            code.push("");
        } else {
            code.push(line);
        }
    }
    code
}

fn has_copied_number(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    code.split(|c: char| !c.is_ascii_digit() && c != '.' && c != '_').any(|word| {
        let digits = word.split_once('.').map(|(_, after)| after.replace('_', ""));
        digits.is_some_and(|digits| {
            digits.len() >= COPIED_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit())
        })
    })
}

fn names_source(above: &[&str]) -> bool {
    above
        .iter()
        .rev()
        .take(REACH)
        .any(|line| line.trim_start().starts_with("//") && line.contains("Source: "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(text: &str) -> Vec<String> {
        let mut complaints = Vec::new();
        check("crates/a/src/b.rs", text, &mut complaints);
        complaints
    }

    #[test]
    fn panics_are_found_after_a_test_module_too() {
        let calm = "//! A file.\n#[cfg(test)]\nmod tests {\n    fn a() {\n        b.expect(\"\");\n    }\n}\n";
        assert!(complaints(calm).is_empty());
        let after = format!("{calm}fn c() {{\n    panic!(\"\");\n}}\n");
        assert_eq!(complaints(&after), ["crates/a/src/b.rs:9: `panic!(` in a library"]);
        let single = "//! A file.\n#[cfg(test)]\nuse a::b;\nfn c() {\n    b.expect(\"\");\n}\n";
        assert_eq!(complaints(single).len(), 1);
    }

    #[test]
    fn a_copied_number_needs_its_source() {
        let number = "const A: f32 = 0.254_829_592;\n";
        assert_eq!(complaints(&format!("//! A file.\n{number}")).len(), 1);
        assert!(complaints(&format!("//! A file.\n// Source: a book.\n{number}")).is_empty());
        assert!(complaints("//! A file.\nconst A: f32 = 0.18215;\n").is_empty());
    }

    #[test]
    fn a_file_says_what_it_is() {
        assert_eq!(complaints("use a::b;\n").len(), 1);
    }
}
