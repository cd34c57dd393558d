//! What an interrupted page goes on from.

use probe::{Estimates, FastSearch};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::block::Times;
use crate::explanation::{PICTURES, Question};
use crate::picture::Shown;
use crate::{ExplainError, Variant};

/// The kept state.
const STATE: &str = "state.json";

/// What is done so far.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) facts: Value,
    pub(crate) estimates: Option<Estimates>,
    /// The search of the vote, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) vote: Option<FastSearch>,
    pub(crate) times: Option<Times>,
    /// `[seed][block]`, in order.
    pub(crate) pictures: Vec<Vec<Shown>>,
}

impl Question<'_> {
    /// Keeps what is done.
    pub(crate) fn keep(&self, state: &State) -> Result<(), ExplainError> {
        let text = files::with_checksum(&serde_json::to_string(state)?);
        Ok(files::write_atomically(self.out.join(STATE), text)?)
    }

    /// Checks that what an interrupted run kept, if there was one, is of the same question.
    ///
    /// # Errors
    /// [`ExplainError::State`] where it is of another or cannot be read.
    pub fn check_kept(&self) -> Result<(), ExplainError> {
        self.kept().map(drop)
    }

    /// What an interrupted run of the same question kept, as far as its pictures are there.
    pub(crate) fn kept(&self) -> Result<State, ExplainError> {
        let path = self.out.join(STATE);
        if !path.exists() {
            return Ok(State { facts: self.facts.clone(), ..State::default() });
        }
        let broken = |reason: String| ExplainError::State { path: path.clone(), reason };
        let text = files::checked(&files::read_to_string(&path)?).map_err(broken)?;
        let mut state: State =
            serde_json::from_str(&text).map_err(|error| broken(error.to_string()))?;
        if state.facts != self.facts {
            return Err(broken("it is of another page".into()));
        }
        let variants = 1 + Variant::of_block(0, self.steps()?).len();
        let there = |shown: &Vec<Shown>| {
            let file = |shown: &Shown| self.out.join(PICTURES).join(&shown.file).is_file();
            shown.len() == variants && shown.iter().all(file)
        };
        let whole = state.pictures.iter().take_while(|shown| there(shown)).count();
        state.pictures.truncate(whole.min(self.generation.samples() * self.block_count()));
        let count = self.block_count();
        if let Some(vote) = &state.vote
            && !self.continues(vote)?
        {
            state.vote = None;
        }
        state.times = state.times.filter(|times| times.saved.len() == count);
        Ok(state)
    }
}
