//! What each block of a diffusion U-Net does for a prompt: importance at every step, pictures with
//! each block turned down, up or skipped, and one page that shows both.

#![warn(missing_docs)]

mod block;
mod drawing;
mod error;
mod explanation;
mod page;
mod picture;
mod sampling;
mod source;
mod state;
mod variant;
mod vote;
mod words;

pub use block::Block;
pub use error::ExplainError;
pub use explanation::{Explanation, Plan, Progress, Question};
pub use picture::Shown;
pub use source::ModelSource;
pub use variant::{FACTORS, Variant, Window};
