//! A whole program on the allocator.

mod blocks;
