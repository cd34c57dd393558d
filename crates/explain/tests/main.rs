//! Tests of the page from outside, in one program: it is linked once.

mod page;
