//! OpenCLIP's contrastive models: a picture tower and a text tower into one space.

mod config;
mod model;
mod transformer;

pub use config::{OpenClipConfig, OpenClipTextConfig, OpenClipVisionConfig};
pub use model::{OpenClip, OpenClipVision, normalize};
