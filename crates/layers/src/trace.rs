//! The outputs of single layers during a forward pass, for comparison with other implementations.
//!
//! Models name their parts as diffusers does (`down_blocks.0.resnets.1`); nothing is kept, and
//! nothing but one look at a flag is paid, unless the pass runs inside [`collect`].

use std::cell::RefCell;
use std::collections::BTreeMap;

use burn::tensor::{Tensor, TensorData};

/// Outputs by path, such as `down_blocks.0.attentions.1.transformer_blocks.0.attn2`.
pub type Trace = BTreeMap<String, TensorData>;

#[derive(Default)]
struct Recorder {
    path: Vec<String>,
    outputs: Trace,
}

thread_local! {
    static RECORDER: RefCell<Option<Recorder>> = const { RefCell::new(None) };
}

/// Runs `pass` on this thread and keeps the output of every named part.
///
/// A collection inside another one records for itself alone.
pub fn collect<R>(pass: impl FnOnce() -> R) -> (R, Trace) {
    let outer = RECORDER.replace(Some(Recorder::default()));
    let result = pass();
    let recorder = RECORDER.replace(outer).unwrap_or_default();
    (result, recorder.outputs)
}

/// Runs the part `name` of the enclosing one, the `index`th where it is one of a list.
pub fn named<const D: usize>(
    name: &str,
    index: impl Into<Option<usize>>,
    part: impl FnOnce() -> Tensor<D>,
) -> Tensor<D> {
    if !active() {
        return part();
    }
    let entry = match index.into() {
        Some(index) => format!("{name}.{index}"),
        None => name.to_string(),
    };
    with(|recorder| recorder.path.push(entry));
    let output = part();
    let data = copied(&output);
    with(|recorder| {
        let path = recorder.path.join(".");
        recorder.path.pop();
        recorder.outputs.insert(path, data);
    });
    output
}

/// Records a value that the forward pass itself never holds, such as a norm before the activation
/// it is fused with. `value` is computed only while outputs are collected.
pub fn extra<const D: usize>(name: &str, value: impl FnOnce() -> Tensor<D>) {
    if active() {
        named(name, None, value);
    }
}

/// The values in memory of their own: some drivers' memory is written again while the pass goes on.
fn copied<const D: usize>(output: &Tensor<D>) -> TensorData {
    let data = output.to_data();
    let bytes = data.as_bytes().to_vec();
    TensorData::from_bytes_vec(bytes, data.shape().clone(), data.dtype())
}

fn active() -> bool {
    RECORDER.with_borrow(Option::is_some)
}

fn with(change: impl FnOnce(&mut Recorder)) {
    RECORDER.with_borrow_mut(|recorder| recorder.as_mut().map(change));
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor};

    use super::{collect, extra, named};

    #[test]
    fn paths_nest_and_nothing_is_kept_outside() {
        let one = || Tensor::<1>::ones([2], &Device::flex());
        let model = || {
            extra("norm", one);
            named("blocks", 3, || named("attn", None, one) * 2.0)
        };
        model();
        let (_, trace) = collect(model);
        let paths: Vec<&str> = trace.keys().map(String::as_str).collect();
        assert_eq!(paths, ["blocks.3", "blocks.3.attn", "norm"]);
        assert_eq!(trace["blocks.3"].try_to_vec::<f32>().unwrap(), [2.0, 2.0]);
        assert!(collect(|| ()).1.is_empty());
    }
}
