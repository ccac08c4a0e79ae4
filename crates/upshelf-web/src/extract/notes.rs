use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{Extensions, HeaderName, HeaderValue};

/// Headers for the reply that are found out before there is one, such as what is left of a limit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes(Arc<Mutex<Vec<(HeaderName, HeaderValue)>>>);

impl Notes {
    /// Notes a header in a request's extensions; it is lost where nobody waits for it.
    pub(crate) fn leave(extensions: &Extensions, name: HeaderName, value: HeaderValue) {
        if let Some(notes) = extensions.get::<Notes>() {
            notes.0.lock().unwrap_or_else(PoisonError::into_inner).push((name, value));
        }
    }

    /// Takes what was noted.
    pub(crate) fn take(&self) -> Vec<(HeaderName, HeaderValue)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
