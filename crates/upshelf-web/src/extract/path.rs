use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::problem::{Problem, Result};

/// The variable parts of the path. What does not parse names nothing, so it answers 404.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Path<T>> {
        // U+0000 can stand in nothing that is stored.
        if parts.uri.path().contains("%00") {
            return Err(Problem::not_found("page"));
        }
        let axum::extract::Path(values) = axum::extract::Path::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::not_found("page"))?;
        Ok(Path(values))
    }
}

/// The one id in the path.
pub(crate) struct Id<T>(pub(crate) T);

impl<T: From<Uuid>, S: Send + Sync> FromRequestParts<S> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Id<T>> {
        let Path(id) = Path::<Uuid>::from_request_parts(parts, state).await?;
        Ok(Id(id.into()))
    }
}
