//! Tests of weights from outside, in one program: it is linked once.

mod malformed;
mod torch;
