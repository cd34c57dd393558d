//! Predictions of a small U-Net by parts of the batch, against those of each sample alone.

use std::path::Path;

use burn::tensor::{Device, FloatDType};
use pipeline::Pipeline;
use rayon::ThreadPoolBuilder;
use reweight::StepWeights;
use unet_core::Intervention;

use crate::support::{self, bits};

#[test]
fn predictions_of_any_number_of_threads_are_those_of_each_sample_alone() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/emoji-sd");
    let pipeline = Pipeline::from_folder(folder, FloatDType::F32, &Device::flex()).unwrap();
    let conditioning = support::request(&pipeline, 3.0, 3).unet_conditioning();
    let input = support::latents(&pipeline).repeat_dim(0, 2);
    // Samples repeat, each under weights of its own; the third skips a block.
    let samples = [0, 1, 1, 0, 1];
    let weights = |at: usize| vec![1.0 + 0.05 * at as f64; 7];
    let thresholds = |at: usize| vec![if at == 2 { 1.2 } else { 0.0 }; 7];
    let step = |samples: &[usize]| {
        let rows = |row: &dyn Fn(usize) -> Vec<f64>| samples.iter().map(|at| row(*at)).collect();
        StepWeights::new(rows(&weights), rows(&thresholds))
    };
    let predict = |samples: &[usize], step: Option<&dyn Intervention>| {
        let input = input.clone();
        bits(pipeline.predict_repeated(input, 500.0, &conditioning, samples, None, step))
    };
    let alone = |weighted: bool| -> Vec<u32> {
        let one = |at: usize| {
            let step = step(&[at]);
            predict(&samples[at..=at], weighted.then_some(&step as &dyn Intervention))
        };
        (0..samples.len()).flat_map(one).collect()
    };
    let (vanilla, weighted) = (alone(false), alone(true));
    assert_ne!(vanilla, weighted);
    for threads in 1..=6 {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert!(pool.install(|| predict(&samples, None)) == vanilla, "{threads} threads");
        let step = step(&[0, 1, 2, 3, 4]);
        assert!(pool.install(|| predict(&samples, Some(&step))) == weighted, "{threads} threads");
    }
}
