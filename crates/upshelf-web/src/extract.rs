//! What handlers ask for: who calls, from where, how often, with what.

mod body;
mod caller;
mod client_ip;
mod limited;
mod notes;
mod path;
mod query;

pub(crate) use body::{BodyLimit, Json, MaybeJson, Object, RawBody, read_body};
pub(crate) use caller::{Admin, Caller, Curator, MaybeMember, Member, Proof, Recent, Session};
pub(crate) use client_ip::{ClientIp, UserAgent};
pub(crate) use limited::Limited;
pub(crate) use notes::Notes;
pub(crate) use path::{Id, Path};
pub(crate) use query::{PageQuery, Query, page};
