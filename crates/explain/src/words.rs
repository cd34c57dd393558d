//! The page's first sentences.

use probe::{Evidence, ImportanceMap};

use crate::explanation::Explanation;
use crate::variant::Window;

impl Explanation {
    /// Which blocks matter most, and when; how sure that is; what turning them does.
    pub(crate) fn in_words(&self) -> Vec<String> {
        let mut words = vec![self.most_and_least(), self.certainty()];
        words.extend(self.turning());
        words
    }

    /// Mean score of every block over a window's steps.
    fn means(&self, window: Window) -> Vec<f64> {
        let scores = self.importance.scores.matrix();
        let steps = window.steps(scores.steps());
        let mean = |block: usize| {
            steps.iter().map(|step| scores[*step][block]).sum::<f64>() / steps.len().max(1) as f64
        };
        (0..scores.blocks()).map(mean).collect()
    }

    /// The block of the largest, or the least, mean score in a window.
    fn extreme(&self, window: Window, sign: f64) -> usize {
        let means = self.means(window);
        let best =
            (0..means.len()).max_by(|a, b| (sign * means[*a]).total_cmp(&(sign * means[*b])));
        best.unwrap_or(0)
    }

    fn path(&self, block: usize) -> &str {
        self.blocks.get(block).map_or("", |block| &block.path)
    }

    fn most_and_least(&self) -> String {
        // Neighbouring windows of the same block are one.
        let mut most: Vec<(usize, Vec<&str>)> = Vec::new();
        for window in [Window::Early, Window::Middle, Window::Late] {
            if window.steps(self.importance.steps.len()).is_empty() {
                continue;
            }
            let block = self.extreme(window, 1.0);
            match most.last_mut() {
                Some((last, windows)) if *last == block => windows.push(window.name()),
                _ => most.push((block, vec![window.name()])),
            }
        }
        let name = |(block, windows): &(usize, Vec<&str>)| match most.len() {
            1 => format!("{}, from beginning to end", self.path(*block)),
            _ => format!("{} ({})", self.path(*block), windows.join(" and ")),
        };
        let named: Vec<String> = most.iter().map(name).collect();
        format!(
            "The block that moves this picture's prediction most: {}. Least: {}.",
            named.join(", then "),
            self.path(self.extreme(Window::All, -1.0))
        )
    }

    /// How many cells stand apart from their row's mean.
    fn certainty(&self) -> String {
        let scores = self.importance.scores.matrix();
        let cells = scores.steps() * scores.blocks();
        let unsure = self.unsure().into_iter().flatten().filter(|unsure| *unsure).count();
        format!(
            "{} of {cells} cells of the map below are told from the average block by their 95 % \
             intervals over five noise seeds.",
            cells - unsure
        )
    }

    /// For each step and block, whether its interval holds the mean score of the row.
    pub(crate) fn unsure(&self) -> Vec<Vec<bool>> {
        let scores = self.importance.scores.matrix();
        let Some(intervals) = &self.importance.intervals else {
            return vec![vec![true; scores.blocks()]; scores.steps()];
        };
        let row = |(row, intervals): (&[f64], &[probe::Interval])| {
            let mean = row.iter().sum::<f64>() / row.len() as f64;
            intervals.iter().map(|i| i.low <= mean && mean <= i.high).collect()
        };
        scores.rows().zip(intervals.rows()).map(row).collect()
    }

    /// What turning the most and skipping the least important block does.
    fn turning(&self) -> Vec<String> {
        let (most, least) = (self.extreme(Window::All, 1.0), self.extreme(Window::All, -1.0));
        let moved = |block: usize, factor: f64| {
            let (psnr, change) = self.effect(block, Window::All, factor)?;
            let change = change.map_or_else(String::new, |change| {
                format!(" and changes its score by {change:+.3}")
            });
            Some(format!("leaves the picture {psnr:.1} dB from the vanilla one{change}"))
        };
        let mut words = Vec::new();
        if let Some(moved) = moved(most, 1.2) {
            words.push(format!("Turning {} up to 1.2 at all steps {moved}.", self.path(most)));
        }
        if let Some(moved) = moved(least, 0.0) {
            let saved = self.blocks.get(least).map_or(0.0, |block| block.milliseconds);
            words.push(format!(
                "Skipping {} altogether {moved}; it saves {saved:.1} of {:.1} ms of each U-Net call.",
                self.path(least),
                self.milliseconds
            ));
        }
        let seeds = match self.pictures.len() {
            1 => "of one run".into(),
            count => format!("means of {count} seeds"),
        };
        words.push(format!(
            "PSNR: 40 dB and more can hardly be seen, below 20 dB it is another picture. Scores are \
             {seeds}, too few to tell which block makes better pictures."
        ));
        words
    }
}

/// What the rounds of a vote agree on.
pub(crate) fn vote_in_words(vote: &ImportanceMap) -> String {
    let rounds = match &vote.evidence {
        Evidence::Search { config, .. } => config.rounds,
        Evidence::Estimates(_) => 0,
    };
    let (chance, steps) = (vote.steps_of_chance().len(), vote.steps.len());
    match chance {
        0 => format!("The {rounds} rounds agree by more than chance at each of {steps} steps."),
        _ => format!(
            "At {chance} of {steps} steps the {rounds} rounds agree no more than by chance (p above \
             0.05): the vote's order there, hatched, cannot be told from chance."
        ),
    }
}
