//! What surrounds every page: who looks at it, where, when, and what was just done.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use upshelf_store::{MemberId, Role, Time};
use url::form_urlencoded;

use crate::extract::{MaybeMember, Member};
use crate::pages::ago::Ago;
use crate::pages::{assets, scripts};
use crate::problem::{Problem, Result};
use crate::web::Web;

/// The frame of a page.
pub(crate) struct Frame {
    /// Who looks, when they are signed in.
    pub(crate) viewer: Option<Member>,
    /// How many notices they have not read.
    pub(crate) unread: i64,
    /// The page's path with its query, without what was just done.
    pub(crate) here: String,
    /// What was just done, as a sentence.
    pub(crate) note: Option<&'static str>,
    now: Time,
}

impl Frame {
    /// Frames a page for whoever `viewer` is.
    pub(crate) fn new(viewer: Option<Member>, unread: i64, uri: &axum::http::Uri, now: Time) -> Frame {
        let pairs = || form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        let note = pairs().find(|(name, _)| name == "done").and_then(|(_, word)| said(&word));
        let rest: String = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs().filter(|(name, _)| name != "done"))
            .finish();
        let here = if rest.is_empty() { uri.path().to_owned() } else { format!("{}?{rest}", uri.path()) };
        Frame { viewer, unread, here, note, now }
    }

    /// Says a time by its distance from now.
    pub(crate) fn ago(&self, time: &Time) -> Ago {
        Ago::new(*time, self.now)
    }

    /// The URL of one of the site's files.
    pub(crate) fn asset(&self, name: &str) -> &'static str {
        assets::url(name)
    }

    /// The URL of the pages' script.
    pub(crate) fn script(&self) -> String {
        scripts::url(scripts::PAGES)
    }

    /// The URLs of what that needs.
    pub(crate) fn needed_scripts(&self) -> &'static [String] {
        &scripts::NEEDED
    }

    /// Whether the page lies under `path`: then its entry in the menu is marked.
    pub(crate) fn is_at(&self, path: &str) -> bool {
        let here = self.here.split('?').next().unwrap_or_default();
        match path {
            "/" => {
                here == "/"
                    || ["/categories/", "/tags/", "/resources/", "/search"]
                        .iter()
                        .any(|part| here.starts_with(part))
            }
            path => here.starts_with(path),
        }
    }

    /// The viewer, as the catalog asks for one.
    pub(crate) fn member(&self) -> Option<&upshelf_store::Member> {
        self.viewer.as_deref()
    }

    /// Whether the viewer is this member.
    pub(crate) fn is(&self, id: &MemberId) -> bool {
        self.member().is_some_and(|member| member.id == *id)
    }

    /// Whether the viewer may decide.
    pub(crate) fn is_curator(&self) -> bool {
        self.member().is_some_and(|member| matches!(member.role, Role::Curator | Role::Admin))
    }

    /// Whether the viewer looks after the site.
    pub(crate) fn is_admin(&self) -> bool {
        self.member().is_some_and(|member| member.role == Role::Admin)
    }

    /// This page, ready to stand in the query of another URL.
    pub(crate) fn here_encoded(&self) -> String {
        form_urlencoded::byte_serialize(self.here.as_bytes()).collect()
    }
}

impl FromRequestParts<Web> for Frame {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Frame> {
        let MaybeMember(viewer) = MaybeMember::from_request_parts(parts, web).await?;
        let unread = match &viewer {
            Some(member) => web.catalog().unread(member).await?,
            None => 0,
        };
        Ok(Frame::new(viewer, unread, &parts.uri, web.catalog().clock().now()))
    }
}

/// What can be said at the top of the next page; only these words come from the URL, never a text.
const NOTES: &[(&str, &str)] = &[
    ("voted", "Your vote counts. You can change it as long as the suggestion is open."),
    ("retracted", "Your vote is taken back."),
    (
        "closed",
        "This suggestion was decided in the meantime, so the vote came too late. Thank you all the same.",
    ),
    ("own", "This is your own suggestion; it counts on others' votes."),
    ("too-young", "Your account is too young to vote; its votes will count soon."),
    ("suggested", "Thank you! Your suggestion is open, and others can vote on it."),
    ("commented", "Your comment is there."),
    ("withdrawn", "You took the suggestion back."),
    ("approved", "Approved and applied."),
    ("rejected", "Rejected."),
    ("stopped", "Stopped. It is open again, and only a curator can approve it now."),
    ("reverted", "Reverted. The log says so, too."),
    ("conflict", "The resource changed in the same fields, so this could not be applied."),
    ("imported", "The list is on the shelf."),
    ("read", "All read."),
    ("saved", "Saved."),
    ("removed", "Removed."),
    ("password", "Your password is changed, and all other devices are signed out."),
    ("ended", "That device is signed out."),
    ("signed-in", "Welcome back."),
    ("registered", "Welcome! You can vote and suggest from now on."),
    ("signed-out", "You are signed out."),
    ("watching", "You will hear of changes."),
    ("unwatched", "You will no longer hear of changes."),
];

fn said(word: &str) -> Option<&'static str> {
    NOTES.iter().find(|(known, _)| *known == word).map(|(_, text)| *text)
}

/// Sends the browser to another page of this site, where `word` is said.
pub(crate) fn see(path: &str, word: &str) -> Response {
    debug_assert!(word.is_empty() || said(word).is_some(), "{word} is none of the notes");
    let (path, fragment) = match path.split_once('#') {
        Some((path, fragment)) => (path, format!("#{fragment}")),
        None => (path, String::new()),
    };
    let to = match word {
        "" => format!("{path}{fragment}"),
        word => format!("{path}{}done={word}{fragment}", if path.contains('?') { '&' } else { '?' }),
    };
    Redirect::to(&to).into_response()
}

/// Gives `path` if it leads to a page of this site, else the front page: a link must not send anybody elsewhere.
pub(crate) fn local(path: &str) -> &str {
    let leads_away = !path.starts_with('/')
        || path.starts_with("//")
        || path.contains(['\\', '\n', '\r', '\t'])
        || path.chars().any(|each| each.is_control() || !each.is_ascii());
    if leads_away || path.len() > 2_000 { "/" } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_site_are_followed() {
        for good in ["/", "/suggestions?sort=new", "/a#b", "/a?b=//c"] {
            assert_eq!(local(good), good);
        }
        for bad in [
            "",
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "/\t/evil.example",
            "javascript:1",
            "a",
        ] {
            assert_eq!(local(bad), "/", "{bad:?}");
        }
    }

    #[test]
    fn what_was_done_is_said_once_and_only_in_known_words() {
        let at = |uri: &str| Frame::new(None, 0, &uri.parse().expect("a path"), Time::EPOCH);
        let frame = at("/suggestions?sort=new&done=voted");
        assert!(frame.note.is_some_and(|note| note.contains("vote counts")));
        assert_eq!(frame.here, "/suggestions?sort=new");
        assert_eq!(at("/?done=%3Cscript%3E").note, None);
        let to = see("/a?b=c#d", "saved");
        assert_eq!(to.headers()["location"], "/a?b=c&done=saved#d");
        assert_eq!(to.status(), 303);
    }
}
