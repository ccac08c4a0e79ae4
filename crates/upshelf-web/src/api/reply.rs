use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;

use crate::kept::whole;

/// A list that has no further page.
pub(super) struct Items(Bytes);

impl Items {
    pub(super) fn of<T: Serialize>(items: &[T]) -> Items {
        Items(whole(items).into())
    }
}

impl IntoResponse for Items {
    fn into_response(self) -> Response {
        ([(axum::http::header::CONTENT_TYPE, "application/json")], self.0).into_response()
    }
}
