//! What a picture is called while a model is trained: its concept, or something vaguer.

use pictures::{Dataset, Example};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::colours::main_colour;
use crate::kinds::{Kind, Kinds};
use crate::recipe::DiffusionRecipe;

/// The captions of every picture of a set.
pub(crate) struct Captions {
    pictures: Vec<Names>,
    drop_caption: f64,
    drop_style: f64,
    /// Upper bounds of the draws that give a keyword, a kind and a colour.
    bounds: [f64; 3],
}

/// What one picture may be called.
struct Names {
    /// The concept.
    caption: String,
    /// What the style puts before and after the concept.
    style: [String; 2],
    /// Keywords, kinds and colours.
    vaguer: [Vec<String>; 3],
}

impl Captions {
    /// The captions of `data`, with vaguer ones for concepts of known kind.
    pub(crate) fn new(data: &Dataset, kinds: &Kinds, recipe: &DiffusionRecipe) -> Self {
        let captions = &recipe.captions;
        let names = |example: &Example| {
            let caption = &example.caption;
            let phrases = |kind: &Kind| -> Vec<String> {
                [&kind.category, &kind.subcategory]
                    .into_iter()
                    .filter_map(|name| captions.phrases.get(name))
                    .flatten()
                    .cloned()
                    .collect()
            };
            let kind = kinds.get(caption);
            let phrases = kind.map(phrases).unwrap_or_default();
            let colours = match main_colour(&example.pixels) {
                Some(colour) => {
                    let beside = phrases.iter().map(|phrase| format!("{phrase}, mostly {colour}"));
                    std::iter::once(format!("something {colour}")).chain(beside).collect()
                }
                None => Vec::new(),
            };
            let keywords = kind.map(keywords).unwrap_or_default();
            let style = style_around(example);
            Names { caption: caption.clone(), style, vaguer: [keywords, phrases, colours] }
        };
        let mut bounds = [captions.keyword, captions.kind, captions.colour];
        for i in 1..bounds.len() {
            bounds[i] += bounds[i - 1];
        }
        Self {
            pictures: data.examples.iter().map(names).collect(),
            drop_caption: recipe.drop_caption,
            drop_style: recipe.drop_style,
            bounds,
        }
    }

    /// Number of pictures.
    pub(crate) fn len(&self) -> usize {
        self.pictures.len()
    }

    /// A caption of the picture `index`, empty with the recipe's probability of none.
    pub(crate) fn draw(&self, index: usize, rng: &mut ChaCha8Rng) -> String {
        let choice: f64 = rng.random();
        if choice < self.drop_caption {
            return String::new();
        }
        let styled = choice >= self.drop_caption + self.drop_style;
        self.pictures[index].write(self.name(index, rng), styled)
    }

    /// A caption of the picture `index` with its style.
    pub(crate) fn draw_whole(&self, index: usize, rng: &mut ChaCha8Rng) -> String {
        self.pictures[index].write(self.name(index, rng), true)
    }

    /// What the picture's caption calls it.
    fn name(&self, index: usize, rng: &mut ChaCha8Rng) -> &str {
        let names = &self.pictures[index];
        if self.bounds[2] <= 0.0 {
            return &names.caption;
        }
        let choice: f64 = rng.random();
        let vaguer = self.bounds.iter().position(|bound| choice < *bound);
        match vaguer.map(|place| &names.vaguer[place]) {
            Some(found) if !found.is_empty() => &found[rng.random_range(0..found.len())],
            _ => &names.caption,
        }
    }

    /// Every caption with its style that can be drawn, picture by picture.
    pub(crate) fn all(&self) -> impl Iterator<Item = String> + '_ {
        self.pictures.iter().flat_map(|names| {
            let used = self.bounds[2] > 0.0;
            let vaguer = names.vaguer.iter().flatten().filter(move |_| used);
            std::iter::once(&names.caption).chain(vaguer).map(|name| names.write(name, true))
        })
    }
}

impl Names {
    fn write(&self, name: &str, styled: bool) -> String {
        match styled {
            true => format!("{}{name}{}", self.style[0], self.style[1]),
            false => name.into(),
        }
    }
}

/// What the caption with style says before and after the concept.
pub(crate) fn style_around(example: &Example) -> [String; 2] {
    let Example { caption, text, .. } = example;
    match text.rfind(caption) {
        Some(at) => [text[..at].into(), text[at + caption.len()..].into()],
        None => [format!("{text} "), String::new()],
    }
}

/// The keywords that are words, as a caption says them.
fn keywords(kind: &Kind) -> Vec<String> {
    let word = |text: &&String| {
        text.chars().all(|c| c.is_ascii_alphabetic() || c == ' ') && text.len() > 2
    };
    let said = |text: &String| [text.to_lowercase(), format!("something {}", text.to_lowercase())];
    kind.keywords.iter().filter(word).flat_map(said).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::stage::stream;

    const RECIPE: &str = r#"
concepts = 0
block_out_channels = [8, 8, 8, 8]
layers_per_block = 1
num_attention_heads = [1, 1, 1, 1]
norm_num_groups = 4
text_width = 8
text_layers = 1
text_heads = 1
text_tokens = 8
vocabulary = 530
drop_caption = 0.1
drop_style = 0.2
min_snr_gamma = 5.0

[captions]
keyword = 0.2
kind = 0.2
colour = 0.2
phrases = { nature = ["something alive"], animal-bird = ["a bird"] }

[optimizer]
steps = 1
batch = 2
learning_rate = 1e-3
warmup = 0
betas = [0.9, 0.99]
weight_decay = 0.0
gradient_clip = 1.0
ema = 0.9
checkpoint_every = 1
"#;

    fn captions() -> Captions {
        let example = Example {
            file_name: String::new(),
            text: "a cartoon of an owl at night".into(),
            caption: "an owl".into(),
            style: "cartoon".into(),
            // Red all over.
            pixels: [vec![0.9; 16], vec![-0.9; 32]].concat(),
        };
        let kind = Kind {
            category: "nature".into(),
            subcategory: "animal-bird".into(),
            keywords: vec!["Wise".into(), ":D".into(), "ow".into()],
        };
        let kinds = Kinds::from([("an owl".into(), kind)]);
        let data = Dataset { examples: vec![example], size: 4 };
        Captions::new(&data, &kinds, &toml::from_str(RECIPE).unwrap())
    }

    #[test]
    fn draw_gives_every_caption_and_no_other() {
        let captions = captions();
        let names = [
            "an owl",
            "wise",
            "something wise",
            "something alive",
            "a bird",
            "something red",
            "something alive, mostly red",
            "a bird, mostly red",
        ];
        let styled = |name: &&str| format!("a cartoon of {name} at night");
        let mut expected: BTreeSet<String> = names.iter().map(styled).collect();
        assert_eq!(captions.all().collect::<BTreeSet<_>>(), expected);
        let draws = (0..2000).map(|i| captions.draw_whole(0, &mut stream(1, i, 0)));
        assert_eq!(draws.collect::<BTreeSet<_>>(), expected);
        expected.extend(names.map(String::from));
        expected.insert(String::new());
        let draws: Vec<String> =
            (0..2000).map(|i| captions.draw(0, &mut stream(1, i, 0))).collect();
        assert_eq!(draws.iter().cloned().collect::<BTreeSet<_>>(), expected);
        let share = |of: &dyn Fn(&str) -> bool| {
            draws.iter().filter(|text| of(text.as_str())).count() as f64 / draws.len() as f64
        };
        assert!((share(&str::is_empty) - 0.1).abs() < 0.03);
        // Of the captions that are not dropped, two in five name the concept.
        assert!((share(&|text| text.contains("an owl")) - 0.9 * 0.4).abs() < 0.04);
    }
}
