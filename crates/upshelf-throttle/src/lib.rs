//! Rate limits: GCRA, several policies at once, all or nothing.
