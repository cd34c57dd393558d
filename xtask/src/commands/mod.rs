pub mod parity;
pub mod quality;
pub mod reproduce;
pub mod train;
pub mod validate;
