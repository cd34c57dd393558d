//! Tests of the metrics from outside, in one program: it is linked once.

mod lpips_files;
mod networks;
mod preprocess;
mod reference;
mod shipped_scorer;
