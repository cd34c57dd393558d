//! The tables and figures that can be made.

use serde::{Deserialize, Serialize};

/// A table or figure of the paper, or one that says what those of the paper leave open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Each block's weight raised by itself.
    #[serde(rename = "table-1")]
    Table1,
    /// The same for one prompt and many noise seeds, as the authors' scripts sample it.
    #[serde(rename = "table-1-seeds")]
    Table1Seeds,
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
    /// Importance-based weights beside schedules of the same mean weight.
    Controls,
    /// Fidelity of pruned and fine-tuned students.
    #[serde(rename = "figure-3")]
    Figure3,
    /// The effect of the range's lower end.
    #[serde(rename = "figure-4")]
    Figure4,
    /// Weighted pictures of one step less beside vanilla ones of all (Fig. 1a).
    FewerSteps,
    /// Pictures side by side, with FreeU.
    Pictures,
    /// Which importance is true: estimates against measured effects.
    #[serde(rename = "table-a")]
    TableA,
    /// What skipping blocks saves, and what it costs, beside fewer steps.
    Skipping,
}

impl Part {
    /// All parts, in the paper's order; those it does not have stand where they belong, or last.
    pub const ALL: [Self; 14] = [
        Self::Table1,
        Self::Table1Seeds,
        Self::Table2,
        Self::Table3,
        Self::Table4,
        Self::Table5,
        Self::Table6,
        Self::Controls,
        Self::Figure3,
        Self::Figure4,
        Self::FewerSteps,
        Self::Pictures,
        Self::TableA,
        Self::Skipping,
    ];

    /// The table of a Roman or Arabic number, or one that the paper lacks by its name: `I-seeds`,
    /// `controls`, `fewer-steps`, `A`.
    pub fn table(number: &str) -> Option<Self> {
        Some(match number.to_uppercase().as_str() {
            "I" | "1" => Self::Table1,
            "II" | "2" => Self::Table2,
            "III" | "3" => Self::Table3,
            "IV" | "4" => Self::Table4,
            "V" | "5" => Self::Table5,
            "VI" | "6" => Self::Table6,
            "I-SEEDS" | "1-SEEDS" => Self::Table1Seeds,
            "CONTROLS" => Self::Controls,
            "FEWER-STEPS" => Self::FewerSteps,
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
