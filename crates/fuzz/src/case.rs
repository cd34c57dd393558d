//! One damaged file, from a seed and a number.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::target::Form;
use crate::{archive, bytes, json, png, tensors, text};

/// How often bytes are damaged without regard to what they mean.
const PLAIN: f64 = 0.3;

/// Case `number`: one of `seeds`, damaged.
pub fn case(form: Form, seeds: &[Vec<u8>], seed: u64, number: u64) -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number);
    let pick = |rng: &mut ChaCha8Rng| seeds[rng.random_range(0..seeds.len())].as_slice();
    let (file, other) = (pick(&mut rng), pick(&mut rng));
    let plain = rng.random_bool(PLAIN);
    let structured = if plain { None } else { with_form(form, file, other, &mut rng) };
    structured.unwrap_or_else(|| {
        let mut damaged = file.to_vec();
        bytes::damage(&mut damaged, other, &mut rng);
        damaged
    })
}

fn with_form(form: Form, file: &[u8], other: &[u8], rng: &mut ChaCha8Rng) -> Option<Vec<u8>> {
    let as_text = |rng: &mut ChaCha8Rng| {
        std::str::from_utf8(file).ok().map(|own| text::damage(own, rng).into_bytes())
    };
    match form {
        Form::Bytes => None,
        Form::Text => as_text(rng),
        Form::Json | Form::Toml if rng.random_bool(0.3) => as_text(rng),
        Form::Json => {
            let mut value = serde_json::from_slice(file).ok()?;
            json::damage(&mut value, rng);
            Some(value.to_string().into_bytes())
        }
        Form::Toml => {
            let mut value = toml::from_str(std::str::from_utf8(file).ok()?).ok()?;
            json::damage(&mut value, rng);
            Some(toml::to_string(&value).ok()?.into_bytes())
        }
        Form::Zip => archive::damage(file, other, rng),
        Form::Safetensors => tensors::damage(file, rng),
        Form::Png => png::damage(file, other, rng),
    }
}
