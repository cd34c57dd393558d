pub mod parity;
pub mod train;
