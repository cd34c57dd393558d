//! Tests of pictures from outside, in one program: it is linked once.

mod limits;
mod reference;
