//! Tests of the pipeline from outside, in one program: it is linked once.

mod bad_models;
mod branches;
mod defaults;
mod diffusers;
mod generation;
#[cfg(any(feature = "cuda", feature = "wgpu", feature = "tch"))]
mod gpu;
mod half;
mod image_to_image;
mod lanes;
mod lora;
mod lora_norms;
mod reuse;
mod shipped_model;
mod single_file;
mod support;
mod torch_noise;
mod trajectory;
