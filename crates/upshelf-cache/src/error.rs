//! Why there is no value.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// Why there is no value: only ever the loader's doing, and only when there was no grace value to serve.
#[derive(Debug)]
pub enum LoadError<E> {
    /// The loader returned this error, to all who waited.
    Failed(Arc<E>),
    /// The loader took longer than the hard timeout and was cancelled.
    TimedOut,
    /// The loader ended without an answer: it panicked, or the runtime shut down.
    Crashed,
}

impl<E> Clone for LoadError<E> {
    fn clone(&self) -> Self {
        match self {
            Self::Failed(error) => Self::Failed(Arc::clone(error)),
            Self::TimedOut => Self::TimedOut,
            Self::Crashed => Self::Crashed,
        }
    }
}

impl<E> fmt::Display for LoadError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failed(_) => "cannot load the value",
            Self::TimedOut => "loading the value took too long",
            Self::Crashed => "loading the value ended without an answer",
        })
    }
}

impl<E: Error + 'static> Error for LoadError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed(error) => Some(&**error),
            Self::TimedOut | Self::Crashed => None,
        }
    }
}
