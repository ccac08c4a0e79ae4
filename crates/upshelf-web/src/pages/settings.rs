//! A member's own settings: profile, password, notices, devices.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use upshelf_catalog::{NoticeKind, ProfileChanges};
use upshelf_session::Reason;
use upshelf_store::{EmailWish, NoticePreference, Time};
use uuid::Uuid;

use crate::extract::{Id, Limited, Member, Session};
use crate::limits::{Login, Read, Write};
use crate::pages::ago::Ago;
use crate::pages::form::Form;
use crate::pages::frame::{Frame, see};
use crate::pages::{page, page_as};
use crate::problem::{Problem, Result};
use crate::web::Web;

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    frame: Frame,
    profile: Form,
    password: Form,
    wishes: Vec<Wish>,
    devices: Vec<Device>,
}

/// How a member wants to hear of one kind of event.
struct Wish {
    kind: String,
    label: &'static str,
    /// Whether it comes whatever is wished.
    is_fixed: bool,
    inbox: bool,
    email: EmailWish,
}

/// A device on which the member is signed in.
struct Device {
    id: String,
    name: String,
    ip: Option<String>,
    seen: Ago,
    is_this: bool,
}

/// What a kind of event is in words.
pub(crate) fn label(kind: NoticeKind) -> &'static str {
    match kind {
        NoticeKind::Suggested => "Something I watch has a new suggestion",
        NoticeKind::Approved => "A suggestion was approved",
        NoticeKind::Rejected => "A suggestion was rejected",
        NoticeKind::Stopped => "A curator stopped a suggestion",
        NoticeKind::Withdrawn => "A suggestion was taken back",
        NoticeKind::Conflicted => "A suggestion came into conflict",
        NoticeKind::Reverted => "A resource was reverted",
        NoticeKind::Voted => "People voted on my suggestion",
        NoticeKind::Commented => "Somebody commented",
        NoticeKind::RoleChanged => "My role changed",
        NoticeKind::Security => "The safety of my account",
    }
}

async fn draw(
    web: &Web,
    frame: Frame,
    member: &Member,
    session: Uuid,
    profile: Option<Form>,
    password: Form,
) -> Result<SettingsPage> {
    let as_it_is = || Form::filled([("display_name", member.display_name.as_str()), ("bio", &member.bio)]);
    let wishes = web.catalog().preferences(member).await?;
    let devices = web.sessions().list(member.id.0, web.now()).await?;
    Ok(SettingsPage {
        profile: profile.unwrap_or_else(as_it_is),
        password,
        wishes: wishes
            .into_iter()
            .filter_map(|wish| {
                let kind = NoticeKind::find(&wish.kind)?;
                Some(Wish {
                    kind: wish.kind,
                    label: label(kind),
                    is_fixed: kind == NoticeKind::Security,
                    inbox: wish.inbox,
                    email: wish.email,
                })
            })
            .collect(),
        devices: devices
            .into_iter()
            .map(|open| Device {
                id: open.session_id.to_string(),
                name: named(open.device.user_agent.as_deref().unwrap_or_default()),
                ip: open.device.ip.map(|ip| ip.to_string()),
                seen: frame.ago(&Time::from(open.last_seen_at)),
                is_this: open.session_id == session,
            })
            .collect(),
        frame,
    })
}

/// What a browser calls itself, as far as people know the words.
fn named(agent: &str) -> String {
    let first = |words: &[(&'static str, &'static str)]| {
        words.iter().find(|(sign, _)| agent.contains(sign)).map(|(_, name)| *name)
    };
    let browser = first(&[
        ("Firefox/", "Firefox"),
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ]);
    let system = first(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "A program".to_owned(),
    }
}

/// `GET /settings`
pub(crate) async fn show(
    _: Limited<Read>,
    State(web): State<Web>,
    member: Member,
    Session(identity): Session,
    frame: Frame,
) -> Result<Response> {
    page(&draw(&web, frame, &member, identity.session_id, None, Form::default()).await?)
}

/// `POST /settings/profile`
pub(crate) async fn profile(
    _: Limited<Write>,
    State(web): State<Web>,
    member: Member,
    Session(identity): Session,
    frame: Frame,
    form: Form,
) -> Result<Response> {
    let changes = ProfileChanges {
        display_name: Some(form.value("display_name").to_owned()),
        bio: Some(form.value("bio").to_owned()),
    };
    match web.catalog().change_profile(&member, &changes).await {
        Ok(_) => Ok(see("/settings", "saved")),
        Err(error) => {
            let form = form.refused(error.into())?;
            let status = form.status();
            page_as(
                status,
                &draw(&web, frame, &member, identity.session_id, Some(form), Form::default()).await?,
            )
        }
    }
}

/// `POST /settings/password`: all other devices are signed out.
pub(crate) async fn password(
    _: Limited<Login>,
    State(web): State<Web>,
    member: Member,
    Session(identity): Session,
    frame: Frame,
    form: Form,
) -> Result<Response> {
    let (current, new) = (form.value("current_password"), form.value("new_password"));
    match web.catalog().change_password(&member, current, new).await {
        Ok(()) => {
            let mine = Some(identity.session_id);
            web.sessions().logout_all(identity.member_id, mine, Reason::Password, web.now()).await?;
            Ok(see("/settings", "password"))
        }
        Err(error) => {
            let form = form.refused(error.into())?;
            page_as(form.status(), &draw(&web, frame, &member, identity.session_id, None, form).await?)
        }
    }
}

/// `POST /settings/notices`
pub(crate) async fn notices(
    _: Limited<Write>,
    State(web): State<Web>,
    member: Member,
    form: Form,
) -> Result<Response> {
    let wishes: Vec<NoticePreference> = NoticeKind::ALL
        .into_iter()
        .filter_map(|kind| {
            // A kind that the form did not show stays as it is.
            let email = form.value(&format!("email-{}", kind.as_str())).parse().ok()?;
            Some(NoticePreference {
                kind: kind.as_str().to_owned(),
                inbox: form.has("inbox", kind.as_str()),
                email,
            })
        })
        .collect();
    web.catalog().put_preferences(&member, &wishes).await?;
    Ok(see("/settings", "saved"))
}

/// `POST /settings/sessions/{id}/end`
pub(crate) async fn end_session(
    _: Limited<Write>,
    State(web): State<Web>,
    Session(identity): Session,
    Id(id): Id<Uuid>,
) -> Result<Response> {
    match web.sessions().revoke(identity.member_id, id, web.now()).await? {
        true => Ok(see("/settings", "ended")),
        false => Err(Problem::not_found("session")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_called_by_the_name_people_know() {
        let chrome =
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36";
        assert_eq!(named(chrome), "Chrome on Windows");
        assert_eq!(
            named("Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"),
            "Firefox on Linux"
        );
        assert_eq!(named("<script>"), "A program");
    }
}
