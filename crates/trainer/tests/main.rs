//! Tests of the trainer from outside, in one program: it is linked once.

mod common;
mod quality;
mod recipes;
mod resume;
