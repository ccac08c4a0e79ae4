//! Markdown lists and bookmark files in and out, without loss.
