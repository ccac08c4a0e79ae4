#![doc = include_str!("../README.md")]

mod entry;
mod format;
mod identity;
mod markdown;
mod netscape;
mod table;
mod text;
mod writer;

pub use entry::{Entry, Reason, Section, Skipped, Warning};
pub use format::{Format, Reading, UnknownFormat, Unreadable, read};
pub use identity::{Likeness, UrlError, UrlKey};
pub use markdown::{Change, ChangeError, Document, Edit, Target, Undo, fresh};
pub use text::{escape, plain};
pub use writer::Writer;
