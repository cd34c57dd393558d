//! Patterns of key paths: words between dots, `*` for any one of them, `**` for any number.

use std::fmt;

/// A key path with wildcards, such as `encoder.layers.*.ln_1.**`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyPattern(Vec<Segment>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Word(String),
    /// `*`
    One,
    /// `**`: at least one word.
    Many,
}

/// What the wildcards of a pattern stand for in a key path, in the pattern's order.
#[derive(Debug, Default)]
pub(crate) struct Captures<'k> {
    one: Vec<&'k str>,
    many: Vec<&'k [&'k str]>,
}

impl KeyPattern {
    pub(crate) fn parse(pattern: &str) -> Self {
        let segment = |word: &str| match word {
            "*" => Segment::One,
            "**" => Segment::Many,
            _ => Segment::Word(word.to_string()),
        };
        Self(pattern.split('.').map(segment).collect())
    }

    /// This pattern below `prefix`.
    pub(crate) fn below(&self, prefix: &str) -> Self {
        let Self(mut segments) = Self::parse(prefix);
        segments.extend(self.0.iter().cloned());
        Self(segments)
    }

    /// Whether the wildcards of this pattern can be filled with what `other` captures.
    pub(crate) fn is_filled_by(&self, other: &Self) -> bool {
        let count = |pattern: &Self, kind: Segment| {
            pattern.0.iter().filter(|segment| **segment == kind).count()
        };
        [Segment::One, Segment::Many]
            .into_iter()
            .all(|kind| count(self, kind.clone()) <= count(other, kind))
    }

    /// What the wildcards stand for where `key` has this form; each `**` as short as possible.
    pub(crate) fn captures<'k>(&self, key: &'k [&'k str]) -> Option<Captures<'k>> {
        let mut captures = Captures::default();
        capture(&self.0, key, &mut captures).then_some(captures)
    }

    /// The key path with the `n`th wildcard of each kind replaced by the `n`th capture.
    pub(crate) fn filled(&self, captures: &Captures<'_>) -> String {
        let (mut one, mut many) = (captures.one.iter(), captures.many.iter());
        let mut words: Vec<&str> = Vec::with_capacity(self.0.len() + 4);
        for segment in &self.0 {
            match segment {
                Segment::Word(word) => words.push(word),
                Segment::One => words.extend(one.next().copied()),
                Segment::Many => words.extend(many.next().copied().unwrap_or_default()),
            }
        }
        words.join(".")
    }
}

fn capture<'k>(pattern: &[Segment], key: &'k [&'k str], captures: &mut Captures<'k>) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return key.is_empty() };
    match first {
        Segment::Word(word) => {
            key.first().is_some_and(|found| found == word) && capture(rest, &key[1..], captures)
        }
        Segment::One => {
            let Some(found) = key.first() else { return false };
            captures.one.push(found);
            capture(rest, &key[1..], captures) || captures.one.pop().is_none()
        }
        Segment::Many => (1..=key.len()).any(|length| {
            captures.many.push(&key[..length]);
            capture(rest, &key[length..], captures) || captures.many.pop().is_none()
        }),
    }
}

impl fmt::Display for KeyPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.0.iter().map(Segment::text).collect();
        f.write_str(&words.join("."))
    }
}

impl Segment {
    fn text(&self) -> &str {
        match self {
            Self::Word(word) => word,
            Self::One => "*",
            Self::Many => "**",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::KeyPattern;

    fn renamed(from: &str, to: &str, key: &str) -> Option<String> {
        let key: Vec<&str> = key.split('.').collect();
        let (from, to) = (KeyPattern::parse(from), KeyPattern::parse(to));
        from.captures(&key).map(|captures| to.filled(&captures))
    }

    #[test]
    fn wildcards_of_each_kind_are_taken_over_in_order() {
        for (from, to, key, expected) in [
            ("a.b", "c", "a.b", Some("c")),
            ("a.b", "c", "a.b.c", None),
            ("a.**", "c.**", "a.weight", Some("c.weight")),
            ("a.**", "c.**", "a", None),
            ("**.q.**", "**.to_q.**", "x.0.q.weight", Some("x.0.to_q.weight")),
            // The first `q` that lets the rest fit.
            ("**.q.**", "**.to_q.**", "q.q.q.q", Some("q.to_q.q.q")),
            ("l.*.k.*.**", "m.*.*.**", "l.3.k.4.w.x", Some("m.3.4.w.x")),
            ("net.*.3.**", "convs.1.**", "net.slice2.3.weight", Some("convs.1.weight")),
            ("*.w", "*", "slices.w", Some("slices")),
            ("a.b", "c", "ab", None),
        ] {
            assert_eq!(renamed(from, to, key).as_deref(), expected, "{from} of {key}");
        }
    }

    #[test]
    fn a_branch_that_fails_leaves_no_capture_behind() {
        // `**` first tries `1`, then `1.2`; `*` is captured in both.
        assert_eq!(renamed("**.*.x", "*.**", "1.2.3.x").as_deref(), Some("3.1.2"));
    }
}
