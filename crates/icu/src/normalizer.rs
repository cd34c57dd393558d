//! The names of ICU4X's `icu::normalizer`, over `unicode-normalization`.

use unicode_normalization::UnicodeNormalization;

/// Normalises to a composed form.
#[derive(Debug, Clone, Copy)]
pub struct ComposingNormalizer {
    compatible: bool,
}

impl ComposingNormalizer {
    /// Form C: canonical composition.
    pub const fn new_nfc() -> Self {
        Self { compatible: false }
    }

    /// Form KC: compatible composition.
    pub const fn new_nfkc() -> Self {
        Self { compatible: true }
    }

    /// `text` in this form.
    pub fn normalize(&self, text: &str) -> String {
        if self.compatible { text.nfkc().collect() } else { text.nfc().collect() }
    }
}

/// Normalises to a decomposed form.
#[derive(Debug, Clone, Copy)]
pub struct DecomposingNormalizer {
    compatible: bool,
}

impl DecomposingNormalizer {
    /// Form D: canonical decomposition.
    pub const fn new_nfd() -> Self {
        Self { compatible: false }
    }

    /// Form KD: compatible decomposition.
    pub const fn new_nfkd() -> Self {
        Self { compatible: true }
    }

    /// `text` in this form.
    pub fn normalize(&self, text: &str) -> String {
        if self.compatible { text.nfkd().collect() } else { text.nfd().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of UAX #15's figures 3 to 6: source, NFD, NFC, NFKD, NFKC.
    const ROWS: [[&str; 5]; 5] = [
        ["\u{212b}", "A\u{30a}", "\u{c5}", "A\u{30a}", "\u{c5}"],
        ["\u{2126}", "\u{3a9}", "\u{3a9}", "\u{3a9}", "\u{3a9}"],
        ["\u{1e69}", "s\u{323}\u{307}", "\u{1e69}", "s\u{323}\u{307}", "\u{1e69}"],
        ["\u{fb01}", "\u{fb01}", "\u{fb01}", "fi", "fi"],
        ["2\u{2075}", "2\u{2075}", "2\u{2075}", "25", "25"],
    ];

    #[test]
    fn forms_are_those_of_the_standards_figures() {
        for [source, nfd, nfc, nfkd, nfkc] in ROWS {
            assert_eq!(DecomposingNormalizer::new_nfd().normalize(source), nfd);
            assert_eq!(ComposingNormalizer::new_nfc().normalize(source), nfc);
            assert_eq!(DecomposingNormalizer::new_nfkd().normalize(source), nfkd);
            assert_eq!(ComposingNormalizer::new_nfkc().normalize(source), nfkc);
        }
    }
}
