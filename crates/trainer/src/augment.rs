//! Variants of pictures: mirrored and shifted on their white ground.

use pictures::{Dataset, Example};
use rand::Rng;

use crate::recipe::AugmentRecipe;
use crate::stage::stream;

/// Pixels of the ground.
const WHITE: f32 = 1.0;

/// The variant `variant` of every picture of `data`, drawn by `seed`; variant 0 is as it is.
///
/// Shifts are multiples of `grid` pixels, so that what lies on the latents' grid stays on it.
pub(crate) fn variant(
    data: &Dataset,
    recipe: &AugmentRecipe,
    grid: usize,
    seed: u64,
    variant: usize,
) -> Dataset {
    let vary = |(index, example): (usize, &Example)| {
        let mut rng = stream(seed, variant, index);
        let mirrored = rng.random::<bool>() && recipe.mirror && may_be_mirrored(example, recipe);
        let reach = recipe.shift as i64;
        let [dy, dx] = [(); 2].map(|()| grid as isize * rng.random_range(-reach..=reach) as isize);
        let pixels = moved(&example.pixels, data.size, mirrored, [dy, dx]);
        Example { pixels, ..example.clone() }
    };
    if variant == 0 {
        return data.clone();
    }
    Dataset { examples: data.examples.iter().enumerate().map(vary).collect(), size: data.size }
}

fn may_be_mirrored(example: &Example, recipe: &AugmentRecipe) -> bool {
    !example.caption.split(' ').any(|word| recipe.never_mirrored.iter().any(|never| never == word))
}

/// A picture mirrored, then shifted down and to the right.
fn moved(pixels: &[f32], side: usize, mirrored: bool, [dy, dx]: [isize; 2]) -> Vec<f32> {
    let mut out = Vec::with_capacity(pixels.len());
    let from = |to: usize, by: isize| to.checked_add_signed(-by).filter(|at| *at < side);
    for channel in pixels.chunks_exact(side * side) {
        for y in 0..side {
            for x in 0..side {
                out.push(match (from(y, dy), from(x, dx)) {
                    (Some(y), Some(x)) => {
                        channel[y * side + if mirrored { side - 1 - x } else { x }]
                    }
                    _ => WHITE,
                });
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moved_mirrors_then_shifts_onto_white() {
        let picture = [0.1, 0.2, 0.3, 0.4];
        assert_eq!(moved(&picture, 2, false, [0, 0]), picture);
        assert_eq!(moved(&picture, 2, true, [0, 0]), [0.2, 0.1, 0.4, 0.3]);
        assert_eq!(moved(&picture, 2, true, [1, 0]), [1.0, 1.0, 0.2, 0.1]);
        assert_eq!(moved(&picture, 2, false, [0, -1]), [0.2, 1.0, 0.4, 1.0]);
    }

    #[test]
    fn variant_moves_by_the_grid_and_spares_what_may_not_be_mirrored() {
        let side = 8;
        let example = |caption: &str| Example {
            file_name: String::new(),
            text: String::new(),
            caption: caption.into(),
            style: String::new(),
            pixels: (0..3 * side * side).map(|i| -1.0 + (i % 64) as f32 / 64.0).collect(),
        };
        let data = Dataset { examples: vec![example("a hand to the left"); 40], size: side };
        let recipe = AugmentRecipe {
            variants: 2,
            mirror: true,
            never_mirrored: vec!["left".into()],
            shift: 1,
        };
        assert_eq!(variant(&data, &recipe, 4, 1, 0).examples[0].pixels, data.examples[0].pixels);
        let shifts = [-4, 0, 4];
        let known: Vec<Vec<f32>> = shifts
            .iter()
            .flat_map(|dy| shifts.map(|dx| moved(&data.examples[0].pixels, side, false, [*dy, dx])))
            .collect();
        let varied = variant(&data, &recipe, 4, 1, 1);
        assert!(varied.examples.iter().all(|example| known.contains(&example.pixels)));
        let free = Dataset { examples: vec![example("a hand"); 40], size: side };
        let varied = variant(&free, &recipe, 4, 1, 1);
        let mirrored = varied.examples.iter().filter(|e| !known.contains(&e.pixels)).count();
        assert!((10..=30).contains(&mirrored), "{mirrored}");
    }
}
