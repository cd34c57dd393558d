//! Stands in for ICU4X's `icu` 1.5, which `plsfix` depends on for the four Unicode normalisation
//! forms alone: the whole of it takes as long to compile as the rest of the tokenizer.
//!
//! The forms are defined by Unicode (UAX #15) and stable, so any implementation gives the same
//! text for every assigned character. Without this crate, where `plsfix` is built outside this
//! workspace, the real one is used.

#![warn(missing_docs)]

pub mod normalizer;
