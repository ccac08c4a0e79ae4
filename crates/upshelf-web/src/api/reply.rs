use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;

/// A whole list, written straight from where it is kept.
pub(super) struct Items(Bytes);

impl Items {
    pub(super) fn of<T: Serialize>(items: &[T]) -> Items {
        #[derive(Serialize)]
        struct Whole<'a, T> {
            items: &'a [T],
            next_cursor: Option<String>,
        }
        let json = serde_json::to_vec(&Whole { items, next_cursor: None }).expect("views are plain JSON");
        Items(json.into())
    }
}

impl IntoResponse for Items {
    fn into_response(self) -> Response {
        ([(axum::http::header::CONTENT_TYPE, "application/json")], self.0).into_response()
    }
}
