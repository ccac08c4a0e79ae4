//! Voting with two buttons and no script.

use axum::extract::State;
use axum::response::Response;
use upshelf_store::{Side, SuggestionId};

use crate::api;
use crate::extract::{ClientIp, Id, Limited, Member};
use crate::limits::CastVote;
use crate::pages::form::Form;
use crate::pages::frame::{local, see};
use crate::problem::{Problem, Result};
use crate::web::Web;

/// `POST /suggestions/{id}/vote`: `value` is 1, -1, or 0 to take the vote back.
pub(crate) async fn vote(
    _: Limited<CastVote>,
    State(web): State<Web>,
    member: Member,
    ip: ClientIp,
    Id(id): Id<SuggestionId>,
    form: Form,
) -> Result<Response> {
    let side = match form.value("value") {
        "1" => Some(Side::Up),
        "-1" => Some(Side::Down),
        "0" => None,
        _ => return Err(Problem::invalid("value", "1, -1, or 0 to take the vote back.")),
    };
    let own_page = format!("/suggestions/{id}");
    let back = match form.value("back") {
        "" => own_page.as_str(),
        back => local(back),
    };
    match api::vote(&web, &member, ip, id, side).await {
        Ok(_) => Ok(see(back, if side.is_some() { "voted" } else { "retracted" })),
        // A vote that comes too late gets a friendly answer, never an error.
        Err(problem) => match problem.code() {
            "suggestion_closed" => Ok(see(&own_page, "closed")),
            "own_suggestion" => Ok(see(back, "own")),
            "too_young_to_vote" => Ok(see(back, "too-young")),
            _ => Err(problem),
        },
    }
}
