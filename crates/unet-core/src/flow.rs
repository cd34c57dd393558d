//! What every block of one forward pass is given.

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::Intervention;
use crate::rows::Rows;

/// What every block of one forward pass is given, a row for each of the samples that differ so far.
pub(crate) struct Flow<'a> {
    /// Time embedding through SiLU, `[rows, time_embed_dim]`.
    pub(crate) temb: Tensor<2>,
    /// Text context, `[rows, tokens, cross_attention_dim]`.
    pub(crate) context: Tensor<3>,
    /// Which samples the rows stand for.
    pub(crate) rows: Rows,
    pub(crate) intervention: Option<&'a dyn Intervention>,
    pub(crate) model_channels: usize,
    /// Outputs on the way down, with what their rows stand for.
    skips: Vec<(Tensor<4>, Rows)>,
}

impl<'a> Flow<'a> {
    /// Before the first block.
    pub(crate) fn new(
        (temb, context): (Tensor<2>, Tensor<3>),
        rows: Rows,
        intervention: Option<&'a dyn Intervention>,
        model_channels: usize,
    ) -> Self {
        Self { temb, context, rows, intervention, model_channels, skips: Vec::new() }
    }

    /// Keeps an output of the way down.
    pub(crate) fn push_skip(&mut self, hidden: Tensor<4>) {
        self.skips.push((hidden, self.rows.clone()));
    }

    /// The output kept last, in the rows of now.
    pub(crate) fn pop_skip(&mut self) -> Tensor<4> {
        let Some((skip, rows)) = self.skips.pop() else {
            unreachable!("the way down pushed one skip per layer")
        };
        if rows == self.rows { skip } else { select(skip, &rows.of_rows(&self.rows)) }
    }

    /// Height and width of the output kept last.
    pub(crate) fn next_size(&self) -> Option<[usize; 2]> {
        let [_, _, height, width] = self.skips.last()?.0.dims();
        Some([height, width])
    }

    /// Goes on with `rows`, each of which comes `from` one of those before.
    pub(crate) fn part(&mut self, rows: Rows, from: &[usize]) {
        self.rows = rows;
        self.temb = select(self.temb.clone(), from);
        self.context = select(self.context.clone(), from);
    }
}

/// These rows of a tensor.
pub(crate) fn select<const D: usize>(tensor: Tensor<D>, rows: &[usize]) -> Tensor<D> {
    let chosen = indices(rows, &tensor.device());
    tensor.select(0, chosen)
}

/// Row numbers as a tensor.
pub(crate) fn indices(values: &[usize], device: &Device) -> Tensor<1, Int> {
    let values: Vec<i64> = values.iter().map(|value| *value as i64).collect();
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), device)
}
