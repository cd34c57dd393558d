//! The allocator of this project's programs.
//!
//! A U-Net's weights and features are blocks of megabytes. A general allocator puts them into
//! regions of huge pages whose ends stay half empty, and keeps what was freed for a while: of SD
//! 2.1's U-Net that is a twentieth of its memory. On Linux [`Allocator`] holds such blocks apart,
//! page by page; everything else, and everything elsewhere, is mimalloc's.
//!
//! ```
//! #[global_allocator]
//! static ALLOCATOR: allocator::Allocator = allocator::Allocator;
//!
//! assert_eq!(vec![0_u8; 3 << 20].iter().max(), Some(&0));
//! ```

#![warn(missing_docs)]
// Memory is handed out and taken back by address.
#![allow(unsafe_code)]

mod allocator;
#[cfg(target_os = "linux")]
mod blocks;
#[cfg(target_os = "linux")]
mod idle;
#[cfg(target_os = "linux")]
mod system;

pub use crate::allocator::Allocator;
