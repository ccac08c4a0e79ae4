//! Set-up, signing in, registering, signing out.

use std::net::IpAddr;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use upshelf_catalog::NewAccount;
use upshelf_store as store;

use crate::api;
use crate::cookies::SetCookies;
use crate::extract::{ClientIp, Limited, MaybeMember, Proof, Query, UserAgent};
use crate::limits::{Login, Read, Register, Write};
use crate::pages::form::Form;
use crate::pages::frame::{Frame, local, see};
use crate::pages::{page, page_as};
use crate::problem::Result;
use crate::web::Web;

#[derive(Template)]
#[template(path = "set_up.html")]
pub(crate) struct SetUpPage {
    pub(crate) frame: Frame,
    pub(crate) form: Form,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    frame: Frame,
    form: Form,
}

#[derive(Template)]
#[template(path = "register.html")]
struct RegisterPage {
    frame: Frame,
    form: Form,
}

/// Where to go after signing in.
#[derive(Deserialize)]
pub(crate) struct Next {
    next: Option<String>,
}

impl Next {
    fn form(&self) -> Form {
        Form::filled([("next", local(self.next.as_deref().unwrap_or("/")))])
    }
}

fn new_account(form: &Form) -> NewAccount {
    NewAccount {
        username: form.value("username").trim().to_owned(),
        email: form.value("email").trim().to_owned(),
        password: form.value("password").to_owned(),
    }
}

async fn begin(web: &Web, member: &store::Member, ip: IpAddr, agent: Option<&str>) -> Result<SetCookies> {
    Ok(SetCookies::signed_in(web, &api::begin(web, member.id, ip, agent).await?))
}

/// `POST /set-up`
pub(crate) async fn set_up(
    _: Limited<Login>,
    State(web): State<Web>,
    ClientIp(ip): ClientIp,
    UserAgent(agent): UserAgent,
    frame: Frame,
    form: Form,
) -> Result<Response> {
    match web.catalog().set_up(form.value("code").trim(), new_account(&form)).await {
        Ok(admin) => {
            Ok((begin(&web, &admin, ip, agent.as_deref()).await?, see("/import", "")).into_response())
        }
        Err(error) => {
            let form = form.refused(error.into())?;
            page_as(form.status(), &SetUpPage { frame, form })
        }
    }
}

/// `GET /sign-in`
pub(crate) async fn show_sign_in(
    _: Limited<Read>,
    frame: Frame,
    Query(next): Query<Next>,
) -> Result<Response> {
    page(&SignInPage { frame, form: next.form() })
}

/// `POST /sign-in`
pub(crate) async fn sign_in(
    _: Limited<Login>,
    State(web): State<Web>,
    ClientIp(ip): ClientIp,
    UserAgent(agent): UserAgent,
    frame: Frame,
    form: Form,
) -> Result<Response> {
    match api::sign_in(&web, form.value("login"), form.value("password"), ip, agent.as_deref()).await {
        Ok((_, tokens)) => {
            let word = if local(form.value("next")) == "/" { "signed-in" } else { "" };
            Ok((SetCookies::signed_in(&web, &tokens), see(local(form.value("next")), word)).into_response())
        }
        Err(problem) if problem.code() == "login_failed" => {
            let form = form.told(StatusCode::UNAUTHORIZED, problem.detail().to_owned());
            page_as(form.status(), &SignInPage { frame, form })
        }
        Err(problem) => {
            let form = match problem.code() {
                "banned" => form.told(problem.status(), problem.detail().to_owned()),
                _ => form.refused(problem)?,
            };
            page_as(form.status(), &SignInPage { frame, form })
        }
    }
}

/// `GET /register`
pub(crate) async fn show_register(
    _: Limited<Read>,
    frame: Frame,
    Query(next): Query<Next>,
) -> Result<Response> {
    page(&RegisterPage { frame, form: next.form() })
}

/// `POST /register`
pub(crate) async fn register(
    _: Limited<Register>,
    State(web): State<Web>,
    ClientIp(ip): ClientIp,
    UserAgent(agent): UserAgent,
    frame: Frame,
    form: Form,
) -> Result<Response> {
    match web.catalog().register(new_account(&form)).await {
        Ok(member) => {
            let cookies = begin(&web, &member, ip, agent.as_deref()).await?;
            Ok((cookies, see(local(form.value("next")), "registered")).into_response())
        }
        Err(error) => {
            let form = form.refused(error.into())?;
            page_as(form.status(), &RegisterPage { frame, form })
        }
    }
}

/// `POST /sign-out`
pub(crate) async fn sign_out(
    _: Limited<Write>,
    State(web): State<Web>,
    MaybeMember(member): MaybeMember,
) -> Result<Response> {
    if let Some(Proof::Session(identity)) = member.map(|member| member.proof) {
        web.sessions().logout(identity.session_id, web.now()).await?;
    }
    Ok((SetCookies::signed_out(&web), see("/", "signed-out")).into_response())
}
