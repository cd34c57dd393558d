//! diffusers' `UNet2DConditionModel` in burn, for the SD 1.x / 2.x and SDXL families.
//!
//! The U-Net knows *sites*, not policies: every attention block and every skip connection can be
//! scaled, skipped, given what it added in an earlier pass, or rewritten by whoever calls
//! [`UNet2DConditionModel::forward`] with an [`Intervention`]; without one nothing is computed for
//! it.
//!
//! ```
//! use unet_core::{BlockAction, BlockSite, Intervention};
//!
//! /// Turns block 3 down.
//! struct Softer;
//!
//! impl Intervention for Softer {
//!     fn attention_block(&self, block: BlockSite, batch: usize) -> BlockAction {
//!         let scale = (block.index == 3).then(|| vec![0.9; batch]);
//!         BlockAction { scale, ..BlockAction::default() }
//!     }
//! }
//! // unet.forward(sample, &[500.0], context, None, Some(&Softer))
//! ```
//!
//! The example `turn_a_block` runs one on every block of a model.

#![warn(missing_docs)]

mod active;
mod blocks;
mod config;
mod config_json;
mod cost;
mod embeddings;
mod error;
mod flow;
mod intervention;
mod load;
mod memory;
mod rows;
mod table;
mod unet;

pub use crate::config::{AdditionEmbed, BlockType, UNet2DConditionConfig};
pub use cost::{PartCost, parameter_count};
pub use error::UNetError;
pub use intervention::{
    BlockAction, BlockKind, BlockMode, BlockSite, Intervention, SkipSite, TransformerSite,
};
pub use table::BlockInfo;
pub use unet::{AddedConditioning, UNet2DConditionModel};
