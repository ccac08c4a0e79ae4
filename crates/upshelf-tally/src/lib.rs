//! Live counts and top lists.
