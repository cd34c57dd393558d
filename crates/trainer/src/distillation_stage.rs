//! The third stage: the guided model distilled into one that takes few steps without guidance.

use std::ops::Range;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use rand::Rng;
use rand_distr::StandardNormal;
use rayon::prelude::*;

use crate::checkpoint::CheckpointFile;
use crate::diffusion_stage::{NUM_TRAIN_TIMESTEPS, TextToLatent, alphas_cumprod, squared};
use crate::halved_step::{Level, halved_step};
use crate::latents::Latents;
use crate::stage::{self, Progress, stream};
use crate::{DistillationRecipe, TrainError};

/// What a round learns from, besides its pictures.
struct Round<'a> {
    recipe: &'a DistillationRecipe,
    seed: u64,
    teacher: &'a TextToLatent,
    /// The teacher's guidance scale; only the first round's teacher is guided.
    guidance_scale: Option<f64>,
    /// Timesteps of the teacher, two for each of the student's.
    timesteps: Vec<usize>,
    alphas: &'a [f64],
    device: &'a Device,
}

/// Distils `teacher` round by round, each resuming from its file of `checkpoints`; returns the last
/// student's averaged weights and the losses of each round.
///
/// # Errors
/// As [`stage::run`].
pub(crate) fn distil(
    (recipe, seed): (&DistillationRecipe, u64),
    data: &Latents,
    mut teacher: TextToLatent,
    checkpoints: &[CheckpointFile],
    device: &Device,
    progress: &mut dyn FnMut(Progress),
) -> Result<(TextToLatent, Vec<Vec<f32>>), TrainError> {
    let training = stage::recording(device);
    let alphas = alphas_cumprod();
    let mut curves = Vec::new();
    for (round, (steps, checkpoint)) in recipe.steps.iter().zip(checkpoints).enumerate() {
        let now = Round {
            recipe,
            seed: seed ^ (*steps as u64).rotate_left(32),
            teacher: &teacher,
            guidance_scale: (round == 0).then_some(recipe.guidance_scale),
            timesteps: trailing(2 * steps),
            alphas: &alphas,
            device,
        };
        let student = stage::recorded(teacher.clone(), &training);
        let (student, losses) = stage::run(
            student,
            &recipe.optimizer,
            checkpoint,
            progress,
            |model, step, samples| loss(model, &now, data, step, samples, &training),
        )?;
        teacher = student.valid();
        curves.push(losses);
    }
    Ok((teacher, curves))
}

/// The timesteps of `steps` inference steps with trailing spacing, which begin at the noisiest.
fn trailing(steps: usize) -> Vec<usize> {
    let stride = NUM_TRAIN_TIMESTEPS as f64 / steps as f64;
    (0..steps)
        .map(|i| (NUM_TRAIN_TIMESTEPS as f64 - i as f64 * stride).round() as usize - 1)
        .collect()
}

/// The mean squared error in velocity, which weights the error of the picture by 1 + SNR.
fn loss(
    model: &TextToLatent,
    round: &Round<'_>,
    data: &Latents,
    step: usize,
    samples: Range<usize>,
    training: &Device,
) -> Tensor<1> {
    let batch = round.recipe.optimizer.batch;
    let students = round.timesteps.len() / 2;
    let [channels, height, width] = data.shape;
    let shape = [samples.len(), channels, height, width];
    let draw = |sample: usize| {
        let mut rng = stream(round.seed, step, sample);
        let (index, latents) = data.draw(&mut rng);
        // Stratified over the batch, as the second stage's timesteps are.
        let u = (sample as f64 + rng.random::<f64>()) / batch as f64;
        let at = ((u * students as f64) as usize).min(students - 1);
        let alpha = round.alphas[round.timesteps[2 * at]];
        // A run begins with noise alone, whatever the noisiest level leaves of a picture.
        let (signal, sigma) =
            if at == 0 { (0.0, 1.0) } else { (alpha.sqrt() as f32, (1.0 - alpha).sqrt() as f32) };
        let mut noise = || sigma * rng.sample::<f32, _>(StandardNormal);
        let noised: Vec<f32> = latents.iter().map(|x0| signal * x0 + noise()).collect();
        let ids = data.tokenizer.encode(&data.captions.draw_whole(index, &mut rng));
        (noised, ids, at)
    };
    // As in the second stage.
    let drawn: Vec<(Vec<f32>, Vec<u32>, usize)> = samples.into_par_iter().map(draw).collect();
    let noised = drawn.iter().map(|(noised, ..)| &**noised).collect::<Vec<_>>().concat();
    let steps: Vec<usize> = drawn.iter().map(|(.., at)| *at).collect();
    let ids: Vec<Vec<u32>> = drawn.into_iter().map(|(_, ids, _)| ids).collect();
    let target = round.target(&noised, shape, &steps, &ids, data);
    let timesteps: Vec<f64> = steps.iter().map(|at| round.timesteps[2 * at] as f64).collect();
    let tensor = |values| Tensor::<4>::from_data(TensorData::new(values, shape), training);
    let context = model.text_encoder.forward(&ids).last_hidden_state;
    let predicted = model.unet.forward(tensor(noised), &timesteps, context, None, None);
    let share = steps.len() as f64 / batch as f64;
    squared(predicted - tensor(target)).mean() * share
}

impl Round<'_> {
    /// The velocity with which one step arrives where the teacher's two do.
    fn target(
        &self,
        noised: &[f32],
        shape: [usize; 4],
        steps: &[usize],
        ids: &[Vec<u32>],
        data: &Latents,
    ) -> Vec<f32> {
        let level = |place: usize| match self.timesteps.get(place) {
            Some(timestep) => Level::new(self.alphas[*timestep]),
            // What a run ends with, as the scheduler's `set_alpha_to_one: false` says.
            None => Level::new(self.alphas[0]),
        };
        let levels =
            |ahead: usize| -> Vec<Level> { steps.iter().map(|at| level(2 * at + ahead)).collect() };
        let levels = [levels(0), levels(1), levels(2)];
        let context = self.teacher.text_encoder.forward(ids).last_hidden_state;
        let unguided = self.guidance_scale.map(|scale| {
            let empty = vec![data.tokenizer.encode(""); ids.len()];
            (scale, self.teacher.text_encoder.forward(&empty).last_hidden_state)
        });
        let noised = Tensor::from_data(TensorData::new(noised.to_vec(), shape), self.device);
        let velocity = |half: usize, sample: Tensor<4>| {
            let timesteps: Vec<f64> =
                steps.iter().map(|at| self.timesteps[2 * at + half] as f64).collect();
            let unet = &self.teacher.unet;
            let toward = unet.forward(sample.clone(), &timesteps, context.clone(), None, None);
            match &unguided {
                Some((scale, context)) => {
                    let away = unet.forward(sample, &timesteps, context.clone(), None, None);
                    away.clone() + (toward - away) * *scale
                }
                None => toward,
            }
        };
        halved_step(noised, &levels, velocity).into_data().iter::<f32>().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailing_timesteps_of_a_student_are_every_second_of_its_teachers() {
        assert_eq!(trailing(2), [999, 499]);
        for steps in [1, 2, 4, 8, 16] {
            let [students, teachers] = [trailing(steps), trailing(2 * steps)];
            let every_second: Vec<usize> = teachers.into_iter().step_by(2).collect();
            assert_eq!(students, every_second);
        }
    }
}
