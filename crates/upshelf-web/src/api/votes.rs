//! Votes, and how suggestions stand.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use upshelf_catalog::VoteView;
use upshelf_store::{Side, Standing, SuggestionId};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::extract::{ClientIp, Id, Json, Limited, MaybeMember, Member};
use crate::limits::{CastVote, Read};
use crate::metrics;
use crate::problem::{Problem, Result};
use crate::web::Web;

pub(super) fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(my_vote, cast, retract)).routes(routes!(standing))
}

/// A vote.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Vote {
    /// `1` in favour, `-1` against.
    #[schema(schema_with = side)]
    value: i64,
}

fn side() -> utoipa::openapi::schema::Object {
    utoipa::openapi::ObjectBuilder::new()
        .schema_type(utoipa::openapi::schema::Type::Integer)
        .enum_values(Some([1, -1]))
        .description(Some("`1` in favour, `-1` against."))
        .build()
}

/// Casts a vote; casting again replaces it
///
/// It is answered once the vote is safe in the database.
#[utoipa::path(put, path = "/suggestions/{id}/vote", tag = "Votes", params(("id" = Uuid, Path, description = "The suggestion.")),
    request_body = Vote, extensions(("x-role" = json!("member"))), responses(
    (status = 200, body = VoteView, description = "The standing with the vote counted."),
    (status = 403, description = "`own_suggestion`, or `too_young_to_vote`."),
    (status = 409, description = "`suggestion_closed`: it is decided already."),
))]
async fn cast(
    _: Limited<CastVote>,
    State(web): State<Web>,
    member: Member,
    ip: ClientIp,
    Id(id): Id<SuggestionId>,
    Json(Vote { value }): Json<Vote>,
) -> Result<Json<VoteView>> {
    let side = Side::try_from(value).map_err(|detail| Problem::invalid("value", detail))?;
    vote(&web, &member, ip, id, Some(side)).await.map(Json)
}

/// Retracts one's vote
#[utoipa::path(delete, path = "/suggestions/{id}/vote", tag = "Votes", params(("id" = Uuid, Path, description = "The suggestion.")),
    extensions(("x-role" = json!("member"))), responses(
    (status = 200, body = VoteView, description = "The standing without the vote."),
    (status = 409, description = "`suggestion_closed`: it is decided already."),
))]
async fn retract(
    _: Limited<CastVote>,
    State(web): State<Web>,
    member: Member,
    ip: ClientIp,
    Id(id): Id<SuggestionId>,
) -> Result<Json<VoteView>> {
    vote(&web, &member, ip, id, None).await.map(Json)
}

/// Casts or retracts a member's vote that comes from an address.
pub(crate) async fn vote(
    web: &Web,
    member: &Member,
    ClientIp(ip): ClientIp,
    id: SuggestionId,
    side: Option<Side>,
) -> Result<VoteView> {
    let origin = web.catalog().origin(ip).await?;
    let view = web.catalog().vote(member, id, side, Some(origin)).await?;
    metrics::vote(match side {
        Some(Side::Up) => "up",
        Some(Side::Down) => "down",
        None => "retracted",
    });
    Ok(view)
}

/// One's own vote.
#[derive(Serialize, ToSchema)]
struct MyVote {
    /// `1` in favour, `-1` against, `null` for none.
    value: Option<i64>,
}

/// Gives one's own vote
#[utoipa::path(get, path = "/suggestions/{id}/vote", tag = "Votes", params(("id" = Uuid, Path, description = "The suggestion.")),
    extensions(("x-role" = json!("member"))), responses((status = 200, body = MyVote, description = "The vote, if any.")))]
async fn my_vote(
    _: Limited<Read>,
    State(web): State<Web>,
    member: Member,
    Id(id): Id<SuggestionId>,
) -> Result<Json<MyVote>> {
    let value = web.catalog().my_vote(&member, id).await?.map(i64::from);
    Ok(Json(MyVote { value }))
}

/// Gives a suggestion's standing
#[utoipa::path(get, path = "/suggestions/{id}/votes", tag = "Votes", params(("id" = Uuid, Path, description = "The suggestion.")),
    responses((status = 200, body = Standing, description = "The votes, counted.")))]
async fn standing(
    _: Limited<Read>,
    State(web): State<Web>,
    _: MaybeMember,
    Id(id): Id<SuggestionId>,
) -> Result<Json<Standing>> {
    Ok(Json(web.catalog().standing(id).await?))
}
