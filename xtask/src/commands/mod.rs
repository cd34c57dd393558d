pub mod download;
pub mod packages;
pub mod parity;
pub mod quality;
pub mod random_model;
pub mod reproduce;
pub mod train;
pub mod validate;
