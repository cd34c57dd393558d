//! Every scheduler on a "network" that knows the answer: the sample must become the clean one.
//!
//! `cargo run -p scheduler --example denoise`

use burn::tensor::{Device, Tensor};
use scheduler::{NoiseSchedule, SchedulerConfig, SchedulerKind};

/// A configuration as pipelines have it.
const CONFIG: &str = r#"{
    "_class_name": "DDIMScheduler", "num_train_timesteps": 1000, "beta_start": 0.00085,
    "beta_end": 0.012, "beta_schedule": "scaled_linear", "prediction_type": "epsilon",
    "timestep_spacing": "leading", "steps_offset": 1, "set_alpha_to_one": true,
    "clip_sample": false, "skip_prk_steps": true
}"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex();
    let config = SchedulerConfig::from_json(CONFIG, "the example's configuration")?;
    let schedule = NoiseSchedule::new(&config);
    let wave = |pitch: f32| -> Tensor<4> {
        let values: Vec<f32> = (0..64).map(|i| (i as f32 * pitch).sin()).collect();
        Tensor::<1>::from_floats(values.as_slice(), &device).reshape([1, 4, 4, 4])
    };
    let (clean, noise) = (wave(0.3), wave(1.7));
    for kind in [SchedulerKind::Ddim, SchedulerKind::Euler, SchedulerKind::DpmSolverMultistep] {
        let mut scheduler = config.build(kind, 10)?;
        let timesteps = scheduler.timesteps().to_vec();
        let mut sample = noise.clone() * scheduler.init_noise_sigma();
        for (index, timestep) in timesteps.iter().enumerate() {
            // The noise that leads from the clean sample to this one: ε = (x − √ᾱ x₀) / √(1−ᾱ).
            let input = scheduler.scale_model_input(sample.clone(), index);
            let alpha = f64::from(schedule.alphas_cumprod()[*timestep as usize]);
            let epsilon = (input - clean.clone() * alpha.sqrt()) / (1.0 - alpha).sqrt();
            sample = scheduler.step(epsilon, index, sample, &mut |_| noise.clone());
        }
        let error = (sample - clean.clone()).abs().max().into_scalar::<f32>();
        println!("{:<28} {} calls, largest error {error:.1e}", kind.class_name(), timesteps.len());
    }
    Ok(())
}
