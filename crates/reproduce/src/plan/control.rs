//! Schedules beside which the importance-based ones must stand: what they share is their mean
//! weight, or where their scores come from.

use reweight::WeightRange;
use serde::{Deserialize, Serialize};

use super::study::Study;
use super::weighting::Weighting;
use crate::ReproduceError;

/// A schedule whose weights come from a range by a rule.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Control {
    pub(crate) rule: Rule,
    pub(crate) range: WeightRange,
    /// Steps of the probe its weights come from, where they are not the sample's own: the weights are
    /// interpolated by noise level.
    #[serde(default)]
    pub(crate) probed_steps: Option<usize>,
}

/// What a control's weights follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Rule {
    /// Importance (Eq. 7).
    Importance,
    /// Inverted importance (Eq. 8).
    Inverted,
    /// Nothing: the mean of the importance-based weights everywhere.
    Constant,
    /// Importance, of another block: a seeded order of the blocks for each prompt.
    Shuffled(u32),
    /// Inverted importance, shifted to the mean of the importance-based weights.
    MatchedInverse,
    /// Importance by how much the prediction moves with a block's weight.
    Derivative,
    /// The least-squares fit to real pictures: the same weights for every prompt.
    Fitted,
    /// Nothing: the mean of the fitted weights everywhere.
    FittedConstant,
    /// Sec. III-F. In more than one step its mean is that of the importance-based weights: a block's
    /// weights average to the middle of the range over the steps, the bottleneck's are at its end.
    Empirical,
}

impl Control {
    /// Weights from `range` by a rule, after a probe of as many steps as the sample has.
    pub(crate) fn by(rule: Rule, range: WeightRange) -> Weighting {
        Weighting::Control(Self { rule, range, probed_steps: None })
    }

    /// The same by scores of a probe of `steps` steps.
    pub(crate) fn probed_at(rule: Rule, range: WeightRange, steps: usize) -> Weighting {
        Weighting::Control(Self { rule, range, probed_steps: Some(steps) })
    }

    /// Whether it needs a probe of the prompt.
    pub(crate) fn needs_probe(&self) -> bool {
        use Rule::{Derivative, Empirical, Fitted, FittedConstant};
        !matches!(self.rule, Derivative | Empirical | Fitted | FittedConstant)
    }

    /// As tables name it, after its range.
    pub(crate) fn label(&self, range: &str) -> String {
        match self.rule {
            Rule::Importance => range.into(),
            Rule::Inverted => format!("{range} inverted"),
            Rule::Constant => format!("constant at the mean of {range}"),
            Rule::Shuffled(order) => format!("{range} on shuffled blocks ({order})"),
            Rule::MatchedInverse => format!("{range} inverted, at the same mean"),
            Rule::Derivative => format!("{range} by derivative"),
            Rule::Fitted => "fitted".into(),
            Rule::FittedConstant => "constant at the mean of fitted".into(),
            Rule::Empirical => format!("{range} empirical"),
        }
    }
}

/// Weightings that share their mean weight.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ControlGroup {
    /// The mean everywhere.
    pub(crate) constant: Weighting,
    /// The importance-based weights on other blocks; none where that is not asked.
    pub(crate) shuffled: Vec<Weighting>,
    /// What is compared with them, the importance-based weights first.
    pub(crate) compared: Vec<Weighting>,
    /// Whether its pictures are scored where Eq. 2 can be measured, too.
    sampled: bool,
}

impl ControlGroup {
    /// All its weightings.
    pub(crate) fn weightings(&self) -> impl Iterator<Item = Weighting> {
        let constant = std::iter::once(&self.constant);
        constant.chain(&self.shuffled).chain(&self.compared).copied()
    }

    /// What of it is left where pictures are scored: beside Eq. 2, which tells smaller differences
    /// and costs a tenth, one range by importance, inverted and by derivative; all otherwise.
    pub(crate) fn scored(mut self, study: &Study) -> Option<Self> {
        if study.has_pictures() {
            self.shuffled.clear();
            self.compared.retain(|weighting| match weighting {
                Weighting::Control(control) => control.rule != Rule::Empirical,
                _ => true,
            });
        }
        (self.sampled || !study.has_pictures()).then_some(self)
    }
}

/// The range of Tables V and VI with every control, the fitted weights, and each other range of
/// Tables III and IV, and the first and the last of Fig. 4, beside its constant.
pub(crate) fn control_groups(study: &Study) -> Result<Vec<ControlGroup>, ReproduceError> {
    let experiment = &study.experiment;
    let main = experiment.ablation_range;
    let orders = 0..study.size.shuffles as u32;
    let rules = [Rule::MatchedInverse, Rule::Derivative, Rule::Empirical];
    let compared = rules.map(|rule| Control::by(rule, main));
    let mut groups = vec![ControlGroup {
        constant: Control::by(Rule::Constant, main),
        shuffled: orders.map(|order| Control::by(Rule::Shuffled(order), main)).collect(),
        compared: [Weighting::Importance(main)].into_iter().chain(compared).collect(),
        sampled: true,
    }];
    if !study.held_out.is_empty() {
        groups.push(ControlGroup {
            constant: Control::by(Rule::FittedConstant, main),
            shuffled: Vec::new(),
            compared: vec![Control::by(Rule::Fitted, main)],
            sampled: false,
        });
    }
    let mut seen = vec![main];
    let figure4 = experiment.figure4_ranges(study.size)?;
    let ends = [figure4.first(), figure4.last()].into_iter().flatten();
    for range in experiment.ranges.iter().chain(ends).copied() {
        if !seen.contains(&range) {
            seen.push(range);
            groups.push(ControlGroup {
                constant: Control::by(Rule::Constant, range),
                shuffled: Vec::new(),
                compared: vec![Weighting::Importance(range)],
                sampled: false,
            });
        }
    }
    Ok(groups)
}

/// Sampled in one step less than everything else, by the scores of all steps.
pub(crate) fn fewer_steps_weightings(study: &Study) -> Vec<Weighting> {
    let (range, steps) = (study.experiment.ablation_range, study.experiment.steps);
    let rules = [Rule::Importance, Rule::Inverted, Rule::Constant];
    let ruled = rules.map(|rule| Control::probed_at(rule, range, steps));
    std::iter::once(Weighting::Vanilla).chain(ruled).collect()
}
