//! What members can do, and the rules.
