//! Nothing: the tests of this crate are all that it is.
