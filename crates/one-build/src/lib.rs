//! Nothing: this crate's manifest turns on the features that all programs of the workspace share.
