//! The tables and figures that can be made.

use serde::{Deserialize, Serialize};

/// A table or figure of the paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Each block's weight raised by itself.
    #[serde(rename = "table-1")]
    Table1,
    /// Dynamic importance ranking.
    #[serde(rename = "table-2")]
    Table2,
    /// Weight ranges on the training seed and the test seed (the paper's SD-Turbo).
    #[serde(rename = "table-3")]
    Table3,
    /// The same (the paper's SDXL-Turbo).
    #[serde(rename = "table-4")]
    Table4,
    /// Inverted scores (the paper's SD-Turbo).
    #[serde(rename = "table-5")]
    Table5,
    /// The same (the paper's SDXL-Turbo).
    #[serde(rename = "table-6")]
    Table6,
    /// Which importance is true: estimates against measured effects.
    #[serde(rename = "table-a")]
    TableA,
    /// Fidelity of pruned and fine-tuned students.
    #[serde(rename = "figure-3")]
    Figure3,
    /// The effect of the range's lower end.
    #[serde(rename = "figure-4")]
    Figure4,
    /// Pictures side by side, with FreeU.
    Pictures,
    /// What skipping blocks saves, and what it costs, beside fewer steps.
    Skipping,
}

impl Part {
    /// All parts, in the paper's order; then what the paper does not ask.
    pub const ALL: [Self; 11] = [
        Self::Table1,
        Self::Table2,
        Self::Table3,
        Self::Table4,
        Self::Table5,
        Self::Table6,
        Self::Figure3,
        Self::Figure4,
        Self::Pictures,
        Self::TableA,
        Self::Skipping,
    ];

    /// The table of a Roman or Arabic number, or A.
    pub fn table(number: &str) -> Option<Self> {
        Some(match number.to_uppercase().as_str() {
            "I" | "1" => Self::Table1,
            "II" | "2" => Self::Table2,
            "III" | "3" => Self::Table3,
            "IV" | "4" => Self::Table4,
            "V" | "5" => Self::Table5,
            "VI" | "6" => Self::Table6,
            "A" => Self::TableA,
            _ => return None,
        })
    }

    /// The figure of a number, `pictures` (the comparison with FreeU of Fig. 1), or `skipping`.
    pub fn figure(name: &str) -> Option<Self> {
        Some(match name {
            "3" => Self::Figure3,
            "4" => Self::Figure4,
            "pictures" => Self::Pictures,
            "skipping" => Self::Skipping,
            _ => return None,
        })
    }
}
