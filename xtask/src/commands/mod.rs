pub mod parity;
pub mod reproduce;
pub mod train;
pub mod validate;
