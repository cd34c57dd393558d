//! How several runs share the work.

/// One of several runs that share the work: `index` of `count`, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which of them, below `count`.
    pub index: usize,
    /// How many there are.
    pub count: usize,
}

impl Shard {
    /// The work of one run alone.
    pub const WHOLE: Self = Self { index: 0, count: 1 };
}

impl std::str::FromStr for Shard {
    type Err = String;

    /// Reads `i/n`, `i` from 1 to `n`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected a shard `i/n` with i from 1 to n, found `{text}`");
        let (index, count) = text.split_once('/').ok_or_else(wrong)?;
        match (index.trim().parse::<usize>(), count.trim().parse::<usize>()) {
            (Ok(index), Ok(count)) if index >= 1 && index <= count => {
                Ok(Self { index: index - 1, count })
            }
            _ => Err(wrong()),
        }
    }
}
