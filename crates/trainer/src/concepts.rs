use pictures::Dataset;

/// Chooses `count` concepts: first those of which the validation set holds out a style, so that
/// validation asks for new combinations of known parts, then others, evenly spread over the set.
///
/// `count` 0 means all.
pub(crate) fn choose(train: &Dataset, validation: &Dataset, count: usize) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for example in &train.examples {
        if all.last() != Some(&example.caption) && !all.contains(&example.caption) {
            all.push(example.caption.clone());
        }
    }
    if count == 0 || count >= all.len() {
        return all;
    }
    let mut chosen: Vec<String> = Vec::new();
    for example in &validation.examples {
        if chosen.len() < count && !chosen.contains(&example.caption) {
            chosen.push(example.caption.clone());
        }
    }
    let rest: Vec<&String> = all.iter().filter(|concept| !chosen.contains(concept)).collect();
    let missing = count - chosen.len();
    chosen.extend((0..missing).map(|i| rest[i * rest.len() / missing].clone()));
    chosen
}
