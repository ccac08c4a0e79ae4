//! Live channels, watched by clients that others wrote.

mod among_bad_ones;
mod away;
mod crowd;
mod keys;
mod others;
mod processes;
mod resources;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use upshelf_testkit::{Node, Program};

use crate::client::Client;
use crate::site::{PASSWORD, SETUP_CODE, Site};

const PATIENCE: Duration = Duration::from_secs(60);

/// The Node program, by its lines.
struct Watchers {
    program: Program,
    _node: Node,
}

impl Watchers {
    async fn of(at: &str) -> Watchers {
        let node = Node::project(&[("centrifuge", "5"), ("eventsource", "4"), ("ws", "8")]).await;
        let mut program = node.start("tests/slices/live.mjs", &[at], &[]);
        program.answer("ready", PATIENCE).await;
        Watchers { program, _node: node }
    }

    fn tell(&mut self, words: &[&str]) {
        self.program.send(&words.join("\t"));
    }

    /// Waits for a line that begins so, told before or after the call, and gives the rest of it.
    async fn told(&mut self, start: &str) -> String {
        let line = self.program.wait_for(start, PATIENCE).await;
        line.split_once(start).map(|(_, rest)| rest.trim().to_owned()).unwrap_or_default()
    }

    /// The rests of all lines that begin so, so far.
    fn lines(&self, start: &str) -> Vec<String> {
        self.program
            .lines()
            .iter()
            .filter_map(|line| line.strip_prefix(start).map(|rest| rest.trim().to_owned()))
            .collect()
    }
}

fn account(name: &str) -> Value {
    json!({ "username": name, "email": format!("{name}@example.org"), "password": PASSWORD })
}

/// The keeper of an empty site, and a list with one resource in it.
async fn keeper(site: &Site) -> (Client, Value) {
    let mut first = account("keeper");
    first["code"] = json!(SETUP_CODE);
    let mut keeper = site.anybody().register("/api/v1/setup", first).await;
    let list = "# A shelf\n\n## Entries\n\n- [Zero](https://example.org/zero) - What was there before.\n";
    let reply = keeper.send("POST", "/api/v1/admin/import", "text/markdown", list.as_bytes()).await;
    assert_eq!(reply.expect("the site answers").status, 200);
    let resource = keeper.get("/api/v1/resources/popular?limit=1").await["items"][0].take();
    (keeper, resource)
}

async fn member(site: &Site, name: &str) -> (Client, String) {
    let mut member = site.anybody().register("/api/v1/auth/register", account(name)).await;
    let id = member.get("/api/v1/auth/me").await["id"].as_str().expect("a member has an id").to_owned();
    (member, id)
}

/// Suggests another title for a resource.
async fn suggest(author: &mut Client, resource: &Value, title: &str) -> String {
    let edit = json!({
        "kind": "edit", "resource_id": resource["id"], "base_version": resource["version"], "changes": { "title": title },
    });
    author.post("/api/v1/suggestions", edit).await["id"].as_str().expect("an id").to_owned()
}

/// The python that has the client for it.
fn python() -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/python/install");
    let done =
        Command::new(&script).output().unwrap_or_else(|e| panic!("could not run {}: {e}", script.display()));
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}
