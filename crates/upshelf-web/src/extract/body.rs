use std::fmt;
use std::marker::PhantomData;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::LengthLimitError;
use serde::Serialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use crate::problem::{Problem, Result};

/// How many bytes the body of this request may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyLimit(pub(crate) usize);

/// Reads a whole body.
pub(crate) async fn read_body(body: Body, BodyLimit(limit): BodyLimit) -> Result<Bytes> {
    to_bytes(body, limit).await.map_err(|error| {
        let mut cause: Option<&dyn std::error::Error> = Some(&error);
        while let Some(error) = cause {
            if error.is::<LengthLimitError>() {
                let detail = format!("The body is longer than {limit} bytes.");
                return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail);
            }
            if error.is::<tower_http::timeout::TimeoutError>() {
                return Problem::new(
                    StatusCode::REQUEST_TIMEOUT,
                    "body_too_slow",
                    "The body came too slowly.",
                );
            }
            cause = error.source();
        }
        Problem::malformed("The body did not come to its end.")
    })
}

/// A body as it came.
pub(crate) struct RawBody(pub(crate) Bytes);

impl<S: Send + Sync> FromRequest<S> for RawBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<RawBody> {
        let limit = request.extensions().get().copied().unwrap_or(BodyLimit(1024 * 1024));
        read_body(request.into_body(), limit).await.map(RawBody)
    }
}

/// A JSON body, on the way in and on the way out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Json<T>> {
        if !is_json(request.headers()) {
            let detail = "The body must be JSON, with the header \"Content-Type: application/json\".";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", detail));
        }
        let RawBody(bytes) = RawBody::from_request(request, state).await?;
        parse(&bytes).map(Json)
    }
}

/// A JSON body that may be left out; then it is the default.
pub(crate) struct MaybeJson<T>(pub(crate) T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for MaybeJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<MaybeJson<T>> {
        if request.headers().contains_key(CONTENT_TYPE) {
            return Json::from_request(request, state).await.map(|Json(body)| MaybeJson(body));
        }
        let RawBody(bytes) = RawBody::from_request(request, state).await?;
        if bytes.is_empty() {
            return Ok(MaybeJson(T::default()));
        }
        let detail = "The body must be JSON, with the header \"Content-Type: application/json\".";
        Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", detail))
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    if may_hold_nul(bytes)
        && let Ok(value) = serde_json::from_slice::<Value>(bytes)
        && let Some(field) = find_nul(&value, String::new())
    {
        return Err(Problem::invalid(field, "It must not hold the character U+0000."));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let Object(value) = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let field = error.path().to_string();
        let error = error.into_inner();
        match error.classify() {
            serde_json::error::Category::Data => {
                Problem::invalid(if field == "." { String::new() } else { field }, plain(&error.to_string()))
            }
            _ => Problem::malformed(format!("The body is not JSON: {error}.")),
        }
    })?;
    reader.end().map_err(|error| Problem::malformed(format!("The body is not JSON: {error}.")))?;
    Ok(value)
}

/// A value that comes as a JSON object. Without it, serde takes an array for the fields in their order.
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object<T>, D::Error> {
        struct Fields<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(fields)).map(Object)
            }
        }

        deserializer.deserialize_map(Fields(PhantomData))
    }
}

/// Leaves out where in the text it was: the field says it.
fn plain(error: &str) -> String {
    let text = error.split(" at line ").next().unwrap_or(error);
    format!("{text}.")
}

/// PostgreSQL cannot store U+0000. In JSON it can only stand as an escape.
fn may_hold_nul(bytes: &[u8]) -> bool {
    bytes.windows(6).any(|six| six == b"\\u0000")
}

fn find_nul(value: &Value, at: String) -> Option<String> {
    let deeper = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    match value {
        Value::String(text) => text.contains('\0').then_some(at),
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(index, item)| find_nul(item, deeper(&index.to_string())))
        }
        Value::Object(fields) => fields.iter().find_map(|(name, field)| match name.contains('\0') {
            true => Some(at.clone()),
            false => find_nul(field, deeper(name)),
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Note {
        #[expect(dead_code, reason = "only its reading is of interest")]
        text: String,
        #[serde(default)]
        tags: Vec<String>,
    }

    fn refuse(body: &str) -> (u16, Vec<String>) {
        let problem = parse::<Note>(body.as_bytes()).expect_err("it is bad");
        (problem.status().as_u16(), problem.errors().iter().map(|error| error.field.clone()).collect())
    }

    #[test]
    fn what_is_no_json_is_malformed_and_what_is_the_wrong_json_names_its_field() {
        assert_eq!(refuse("{").0, 400);
        assert_eq!(refuse("").0, 400);
        assert_eq!(refuse(r#"{"text": "a"} b"#).0, 400);
        assert_eq!(refuse(r#"{"text": 1}"#), (422, vec!["text".to_owned()]));
        assert_eq!(refuse(r#"{"text": "a", "tags": ["b", 2]}"#), (422, vec!["tags[1]".to_owned()]));
        assert_eq!(refuse(r#"{"text": "a", "texxt": "b"}"#).0, 422);
        assert_eq!(refuse("[]").0, 422);
        assert_eq!(refuse(r#"["a", []]"#).0, 422);
        assert_eq!(refuse("{}").0, 422);
    }

    #[test]
    fn the_character_that_postgres_cannot_store_is_refused_wherever_it_stands() {
        assert_eq!(refuse(r#"{"text": "a\u0000"}"#), (422, vec!["text".to_owned()]));
        assert_eq!(refuse(r#"{"text": "a", "tags": ["b\u0000"]}"#), (422, vec!["tags.0".to_owned()]));
        let note: Note = parse(br#"{"text": "a\\u0000", "tags": []}"#).expect("it only looks like one");
        assert!(note.tags.is_empty());
    }
}
