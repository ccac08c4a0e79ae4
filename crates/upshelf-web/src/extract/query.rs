use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use upshelf_store::PageRequest;
use url::form_urlencoded;
use utoipa::IntoParams;

use crate::problem::{Problem, Result};

/// The query of the URL.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Query<T>> {
        parse(parts.uri.query().unwrap_or_default()).map(Query)
    }
}

fn parse<T: DeserializeOwned>(query: &str) -> Result<T> {
    let pairs = form_urlencoded::parse(query.as_bytes());
    if let Some((name, _)) = pairs.clone().find(|(name, value)| name.contains('\0') || value.contains('\0')) {
        return Err(Problem::invalid(name.replace('\0', ""), "It must not hold the character U+0000."));
    }
    let reader = serde_urlencoded::Deserializer::new(pairs);
    serde_path_to_error::deserialize(reader).map_err(|error| {
        let field = error.path().to_string();
        let detail = format!("{}.", error.into_inner());
        Problem::invalid(if field == "." { String::new() } else { field }, detail)
    })
}

/// Which page of a list is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// How many rows, 20 by default.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

impl PageQuery {
    pub(crate) fn page(self) -> Result<PageRequest> {
        page(self.limit, self.cursor)
    }
}

/// Checks which page is asked for.
pub(crate) fn page(limit: Option<u32>, cursor: Option<String>) -> Result<PageRequest> {
    let limit = limit.unwrap_or(20);
    if !(1..=PageRequest::MAX).contains(&limit) {
        return Err(Problem::invalid("limit", format!("It is a number from 1 to {}.", PageRequest::MAX)));
    }
    Ok(PageRequest::new(limit, cursor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_twenty_rows_unless_asked_otherwise() {
        let page = |query| parse::<PageQuery>(query).and_then(PageQuery::page).map(|page| page.limit());
        assert_eq!(page("").ok(), Some(20));
        assert_eq!(page("limit=100&cursor=abc").ok(), Some(100));
        for bad in
            ["limit=0", "limit=101", "limit=-1", "limit=x", "limit=99999999999", "limit=1&limit=2", "lim=1"]
        {
            let problem = page(bad).expect_err(bad);
            assert_eq!(problem.status().as_u16(), 422, "{bad}");
        }
    }

    #[test]
    fn the_wrong_field_is_named() {
        let problem = parse::<PageQuery>("cursor=a&limit=x").expect_err("x is no number");
        assert_eq!(problem.errors()[0].field, "limit");
        let problem = parse::<PageQuery>("cursor=a%00").expect_err("it cannot be stored");
        assert_eq!(problem.errors()[0].field, "cursor");
    }
}
