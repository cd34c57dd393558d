//! Layers that the U-Net, the autoencoder and the text encoder share, named as in diffusers.

#![warn(missing_docs)]

pub mod trace;

mod attention;
mod feed_forward;
mod layer_norm;
mod resnet;
mod sampling;
mod transformer;

pub use attention::{Attention, AttentionConfig};
pub use feed_forward::{FeedForward, FeedForwardConfig};
pub use layer_norm::{LayerNorm, LayerNormConfig};
pub use resnet::{ResnetBlock2D, ResnetBlock2DConfig};
pub use sampling::{Downsample2D, DownsamplePadding, Upsample2D};
pub use transformer::{Transformer2DModel, Transformer2DModelConfig};
