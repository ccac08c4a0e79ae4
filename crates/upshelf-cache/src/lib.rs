//! A two-level cache with tags and no stale reads.
