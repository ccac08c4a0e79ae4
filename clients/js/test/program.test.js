import assert from "node:assert/strict";
import { before, after, test } from "node:test";
import { browserStorage, unwrap } from "../src/index.js";
import { Heard, WebSocket } from "./kit/hub.js";
import { PASSWORD, Program } from "./kit/program.js";
import { Browser } from "./kit/tabs.js";

// One library for all of these, each of which makes its own suggestions.
const ends = [];
let program, ada, mia, ben;
before(async () => {
  program = await Program.start(
    { after: (end) => ends.push(end) },
    { UPSHELF_APPROVAL_MIN_OPEN: "0s", UPSHELF_APPROVAL_SCORE: "50" },
  );
  ada = await program.setUp({ WebSocket });
  mia = await program.member("mia", { WebSocket });
  ben = await program.member("ben", { WebSocket });
  const list =
    "# Tools\n\n## Editors\n\n- [Vis](https://vis.example) - An editor.\n- [Acme](https://acme.example) - Another.\n";
  const report = unwrap(await ada.admin.import(list, { format: "markdown" }));
  assert.equal(report.added, 2);
});
after(async () => {
  for (const client of [ada, mia, ben]) client?.close();
  for (const end of ends) await end();
});

let count = 0;
async function suggest(client) {
  const { items } = unwrap(await client.categories.tree());
  const changes = {
    url: `https://new-${(count += 1)}.example`,
    title: `New ${count}`,
    description: "Fresh.",
    category_ids: [items[0].id],
  };
  return unwrap(await client.suggestions.create({ kind: "add", changes, reason: "It is missing." }));
}

test("a member suggests, another votes, takes it back and comments", async () => {
  const suggestion = await suggest(mia);
  const vote = unwrap(await ben.suggestions.vote(suggestion.id, 1));
  assert.deepEqual([vote.up, vote.down, vote.my_vote], [1, 0, 1]);
  assert.equal(unwrap(await ben.suggestions.myVote(suggestion.id)).value, 1);
  assert.equal(unwrap(await ben.suggestions.retractVote(suggestion.id)).score, 0);
  assert.equal((await mia.suggestions.vote(suggestion.id, 1)).problem.code, "own_suggestion");
  unwrap(await ben.suggestions.comment(suggestion.id, "Why not?"));
  const said = [];
  for await (const comment of mia.suggestions.allComments(suggestion.id)) said.push(comment.body);
  assert.deepEqual(said, ["Why not?"]);
  assert.equal(unwrap(await mia.suggestions.withdraw(suggestion.id)).status, "withdrawn");
});

test("what is wrong is told field by field", async () => {
  const reply = await mia.suggestions.create({ kind: "add", changes: { url: "nonsense" } });
  assert.equal(reply.problem.status, 422);
  assert.ok(
    reply.problem.errors.some((error) => error.field.includes("url")),
    JSON.stringify(reply.problem.errors),
  );
  const known = await mia.suggestions.create({
    kind: "add",
    changes: { url: "https://vis.example", title: "Vis", description: "d", category_ids: [] },
  });
  assert.ok(!known.ok);
});

test("a call that is made twice with one key is done once", async () => {
  const options = { idempotencyKey: "once" };
  const first = unwrap(await mia.collections.create({ title: "Mine" }, options));
  const again = await mia.collections.create({ title: "Mine" }, options);
  assert.equal(unwrap(again).id, first.id);
  assert.equal(again.headers.get("idempotency-replayed"), "true");
});

test("every page of a list is walked", async () => {
  const seen = new Set();
  for await (const resource of mia.resources.all({ limit: 1 })) seen.add(resource.title);
  assert.deepEqual([...seen].sort(), ["Acme", "Vis"]);
  assert.equal(unwrap(await mia.search.resources({ q: "vis" })).items[0].title, "Vis");
});

test("an admin takes the list home as a file, and the feeds and keys are there", async () => {
  assert.match(unwrap(await ada.admin.export({ format: "markdown" })), /\[Vis\]\(https:\/\/vis\.example\)/);
  assert.equal((await mia.admin.export()).problem.status, 403);
  assert.match(unwrap(await mia.site.feed("resources")), /<feed/);
  assert.ok(unwrap(await mia.site.keys()).keys.length > 0);
  assert.equal(unwrap(await mia.site.ready()).status, "up");
});

test("an API key works where tokens would, and reads events", async () => {
  const { token } = unwrap(await ada.admin.apiKeys.create({ name: "robot", scopes: ["write"] }));
  const robot = program.client({ auth: { key: token }, WebSocket });
  assert.equal(unwrap(await robot.auth.me()).username, "ada");
  const suggestion = await suggest(robot);
  const heard = new Heard();
  assert.ok((await robot.live.votes({ filter: [suggestion.id] }, heard.add).ready).ok);
  assert.equal(robot.live.state.transport, "sse");
  unwrap(await mia.suggestions.vote(suggestion.id, 1));
  await heard.until((all) => all.at(-1)?.up === 1);
  robot.close();
});

test("tokens are exchanged once for two tabs, and signing out ends both", async () => {
  const browser = new Browser();
  const tab = () =>
    program.client({ tabs: browser.tabs(), auth: { storage: browserStorage("upshelf", browser.storage) } });
  const [one, other] = [tab(), tab()];
  unwrap(await one.auth.login({ login: "mia", password: PASSWORD }));
  const kept = JSON.parse(browser.storage.getItem("upshelf"));
  browser.storage.setItem("upshelf", JSON.stringify({ ...kept, refresh_from: 0 }));
  const replies = await Promise.all([one.auth.me(), other.auth.me(), one.auth.me()]);
  assert.ok(replies.every((reply) => reply.ok));
  assert.notEqual(JSON.parse(browser.storage.getItem("upshelf")).access_token, kept.access_token);
  unwrap(await one.auth.logout());
  await browser.quiet();
  assert.equal((await other.auth.me()).problem.code, "not_signed_in");
});

test("a sign-in that was ended elsewhere ends here at the next call", async () => {
  const phone = program.client();
  unwrap(await phone.auth.login({ login: "ben", password: PASSWORD }));
  const { items } = unwrap(await phone.auth.sessions());
  const mine = items.find((session) => session.current);
  unwrap(await ben.auth.endSession(mine.id));
  assert.equal((await phone.auth.me()).problem.status, 401);
  assert.equal(await phone.auth.member(), null);
});

test("votes are seen as they are cast", async () => {
  const suggestion = await suggest(mia);
  const heard = new Heard();
  const feed = program.client({ WebSocket });
  assert.ok((await feed.live.votes({ filter: [suggestion.id] }, heard.add).ready).ok);
  assert.equal(feed.live.state.transport, "websocket");
  unwrap(await ben.suggestions.vote(suggestion.id, -1));
  await heard.until((all) => all.at(-1)?.down === 1);
  unwrap(await ada.suggestions.vote(suggestion.id, 1));
  await heard.until((all) => all.at(-1)?.up === 1);
  const versions = heard.items.map(({ version }) => version);
  assert.deepEqual(
    versions,
    [...versions].sort((a, b) => a - b),
  );
  feed.close();
});

test("a notice comes with the count of those that are unread", async () => {
  const heard = new Heard();
  assert.ok((await mia.live.notices(heard.add).ready).ok);
  const suggestion = await suggest(mia);
  unwrap(await ben.suggestions.comment(suggestion.id, "Seen."));
  const [first] = await heard.until((all) =>
    all.some(({ notice }) => notice?.payload.suggestion?.id === suggestion.id),
  );
  assert.equal(heard.items.at(-1).unread, unwrap(await mia.notices.unread()).unread);
  assert.ok(first.seq > 0);
  assert.equal(unwrap(await mia.notices.markRead({ upTo: heard.items.at(-1).seq })).unread, 0);
});

test("the change of a resource is told", async () => {
  const [resource] = unwrap(await ada.resources.list()).items;
  const heard = new Heard();
  assert.ok((await ada.live.resource(resource.id, heard.add).ready).ok);
  const changes = { description: `Better ${Date.now()}.` };
  const edit = unwrap(
    await mia.suggestions.create({ kind: "edit", resource_id: resource.id, base_version: resource.version, changes }),
  );
  unwrap(await ada.suggestions.approve(edit.id));
  await heard.count(1);
  assert.deepEqual(heard.items[0], { resource_id: resource.id, change: "edited", version: resource.version + 1 });
  assert.equal(
    (await ada.live.resource("0197a0a0-0000-7000-8000-000000000000").ready).problem.detail,
    "unknown channel",
  );
});

test("over a restart of the program nothing is missed", async () => {
  const heard = new Heard();
  const lost = new Heard();
  const feed = mia.live.notices(heard.add, { lost: () => lost.add("lost") });
  assert.ok((await feed.ready).ok);
  const states = new Heard();
  mia.live.onState(states.add);
  const suggestion = await suggest(mia);
  await program.restart();
  unwrap(await ben.suggestions.comment(suggestion.id, "After."));
  await heard.until((all) => all.some(({ notice }) => notice?.payload.suggestion?.id === suggestion.id));
  assert.deepEqual(lost.items, []);
  assert.ok(
    states.items.some(({ code }) => code === 3001),
    JSON.stringify(states.items),
  );
});
