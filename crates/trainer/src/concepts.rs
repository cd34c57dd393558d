//! Which of the training set's concepts the model learns.

use pictures::Dataset;

/// Chooses `count` concepts: first those of which the validation set holds out a style, so that
/// validation asks for new combinations of known parts, then others, evenly spread over the set.
///
/// `count` 0 means all. Concepts without a training picture are passed over.
pub(crate) fn choose(train: &Dataset, validation: &Dataset, count: usize) -> Vec<String> {
    let mut known: Vec<String> = Vec::new();
    for example in &train.examples {
        if known.last() != Some(&example.caption) && !known.contains(&example.caption) {
            known.push(example.caption.clone());
        }
    }
    if count == 0 || count >= known.len() {
        return known;
    }
    let mut chosen: Vec<String> = Vec::new();
    for example in &validation.examples {
        let caption = &example.caption;
        if chosen.len() < count && known.contains(caption) && !chosen.contains(caption) {
            chosen.push(caption.clone());
        }
    }
    let rest: Vec<&String> = known.iter().filter(|concept| !chosen.contains(concept)).collect();
    let missing = count - chosen.len();
    chosen.extend((0..missing).map(|i| rest[i * rest.len() / missing].clone()));
    chosen
}

#[cfg(test)]
mod tests {
    use pictures::Example;

    use super::*;

    fn set(captions: &[&str]) -> Dataset {
        let example = |caption: &&str| Example {
            file_name: String::new(),
            text: String::new(),
            caption: caption.to_string(),
            style: String::new(),
            pixels: Vec::new(),
        };
        Dataset { examples: captions.iter().map(example).collect(), size: 0 }
    }

    #[test]
    fn choose_takes_held_out_concepts_first_and_spreads_the_rest() {
        let train = set(&["a", "a", "b", "c", "d", "e", "f"]);
        assert_eq!(choose(&train, &set(&["e", "b"]), 4), ["e", "b", "a", "d"]);
        assert_eq!(choose(&train, &set(&["e"]), 0), ["a", "b", "c", "d", "e", "f"]);
    }

    #[test]
    fn choose_passes_over_concepts_without_a_training_picture() {
        let train = set(&["a", "b", "c"]);
        assert_eq!(choose(&train, &set(&["x", "y"]), 2), ["a", "b"]);
    }
}
