import assert from "node:assert/strict";
import { test } from "node:test";
import { Client, PROBLEMS, ProblemError, unwrap } from "../src/index.js";
import { HandClock } from "./kit/clock.js";
import { fakeSite, problem } from "./kit/site.js";

test("a reply is a value, and a problem is one too", async (t) => {
  const site = await fakeSite(t, ({ path }) =>
    path.endsWith("/tags") ? { body: { items: [] } } : problem(404, "not_found"),
  );
  const client = new Client({ baseUrl: `${site.url}/` });
  const tags = await client.tags.list();
  assert.ok(tags.ok);
  assert.deepEqual(tags.value, { items: [] });
  assert.equal(tags.status, 200);
  const missing = await client.resources.get("a/b?c");
  assert.ok(!missing.ok);
  assert.equal(missing.problem.code, "not_found");
  assert.equal(missing.problem.request_id, "r");
  assert.equal(site.requests[1].path, "/api/v1/resources/a%2Fb%3Fc", "an id leads nowhere else");
  assert.throws(
    () => unwrap(missing),
    (error) => error instanceof ProblemError && error.problem === missing.problem,
  );
});

test("a read is sent again after broken connections, 502, 503 and 504, each time after a longer pause at most", async (t) => {
  const clock = new HandClock();
  clock.chance = 0.999;
  const ill = [
    null,
    { status: 502, body: "<html>" },
    problem(503, "closing", { "retry-after": "2" }),
    { body: { items: [] } },
  ];
  const site = await fakeSite(t, ({ n }) => ill[n]);
  const client = new Client({ baseUrl: site.url, clock });
  const reply = client.tags.list();
  assert.ok((await clock.passWait(100, 400)) < 400);
  assert.ok((await clock.passWait(100, 800)) > 400);
  assert.ok((await clock.passWait(2000, 3600)) > 2800, "Retry-After comes on top");
  assert.ok((await reply).ok);
  assert.equal(site.requests.length, 4);
});

test("what the site refuses is not sent again", async (t) => {
  const site = await fakeSite(t, () => problem(409, "suggestion_closed"));
  const reply = await new Client({ baseUrl: site.url }).suggestions.vote("s", 1);
  assert.equal(reply.ok, false);
  assert.equal(site.requests.length, 1);
});

test("a write that is sent again has the same key, and each call has its own", async (t) => {
  const clock = new HandClock();
  const site = await fakeSite(t, ({ n }) =>
    n === 0 ? null : n === 1 ? problem(409, "idempotency_key_running") : { status: 201, body: {} },
  );
  const client = new Client({ baseUrl: site.url, clock });
  const reply = client.suggestions.create({ kind: "add", changes: { url: "https://a.example" } });
  await clock.passWait(100, 1000);
  await clock.passWait(100, 1000);
  assert.ok((await reply).ok);
  await client.collections.create({ title: "a" }, { idempotencyKey: "mine" });
  const keys = site.requests.map(({ headers }) => headers["idempotency-key"]);
  assert.match(keys[0], /^[0-9a-f]{32}$/);
  assert.deepEqual(keys, [keys[0], keys[0], keys[0], "mine"]);
  assert.deepEqual(site.requests[2].body, { kind: "add", changes: { url: "https://a.example" } });
});

test("a sign-in is sent once only, because its reply is kept nowhere", async (t) => {
  const site = await fakeSite(t, () => null);
  const reply = await new Client({ baseUrl: site.url }).auth.login({ login: "mia", password: "p" });
  assert.equal(reply.problem.type, PROBLEMS.network);
  assert.equal(site.requests.length, 1);
  assert.equal(site.requests[0].headers["idempotency-key"], undefined);
});

test("a limit is waited for when that is short, and told when it is long", async (t) => {
  const clock = new HandClock();
  const site = await fakeSite(
    t,
    ({ n }) =>
      [
        problem(429, "too_many_requests", { "retry-after": "3" }),
        { body: {} },
        problem(429, "too_many_requests", { "retry-after": "600" }),
      ][n],
  );
  const client = new Client({ baseUrl: site.url, clock });
  const reply = client.tags.list();
  await clock.passWait(3000, 3500);
  assert.ok((await reply).ok);
  const told = await client.tags.list();
  assert.equal(told.problem.retryAfter, 600);
});

test("Retry-After may be a date", async (t) => {
  const clock = new HandClock();
  const site = await fakeSite(t, () =>
    problem(503, "closing", { "retry-after": new Date(clock.now() + 90_000).toUTCString() }),
  );
  const told = await new Client({ baseUrl: site.url, clock }).tags.list();
  assert.equal(told.problem.retryAfter, 90);
});

test("no reply in time is a problem of its own", async (t) => {
  const clock = new HandClock();
  const site = await fakeSite(t, () => new Promise(() => {}));
  const reply = new Client({ baseUrl: site.url, clock, retries: 0 }).tags.list({ timeout: 700 });
  await clock.passWait(700, 700);
  assert.equal((await reply).problem.type, PROBLEMS.timeout);
});

test("a signal gives up a call, also while it waits to be sent again", async (t) => {
  const clock = new HandClock();
  const controller = new AbortController();
  const site = await fakeSite(t, ({ path }) => {
    if (path.endsWith("/log")) return problem(503, "closing");
    controller.abort();
    return new Promise(() => {});
  });
  const client = new Client({ baseUrl: site.url, clock });
  assert.equal((await client.tags.list({ signal: controller.signal })).problem.type, PROBLEMS.aborted);
  const later = new AbortController();
  const waiting = client.log.list({}, { signal: later.signal });
  await clock.seeWait(100, 1000);
  later.abort();
  assert.equal((await waiting).problem.type, PROBLEMS.aborted);
  assert.equal(site.requests.length, 2);
  assert.deepEqual(clock.waits, [], "nothing is left waiting");
});

test("a reply that is not the site's says so", async (t) => {
  const site = await fakeSite(
    t,
    ({ n }) =>
      [
        { body: "<html>" },
        { status: 403, headers: { "content-type": "text/html" }, body: "<html>" },
        { status: 400, body: "{" },
      ][n],
  );
  const client = new Client({ baseUrl: site.url });
  assert.equal((await client.tags.list()).problem.type, PROBLEMS.reply);
  const blocked = (await client.tags.list()).problem;
  assert.deepEqual([blocked.type, blocked.status], [PROBLEMS.reply, 403]);
  assert.equal((await client.tags.list()).problem.type, PROBLEMS.reply);
});

test("a list is walked to its end, and a page that cannot be had is thrown", async (t) => {
  const site = await fakeSite(t, ({ path }) => {
    const cursor = new URL(path, "http://a").searchParams.get("cursor");
    if (path.includes("tag=bad")) return problem(422, "invalid");
    return { body: cursor === null ? { items: [1, 2], next_cursor: "n" } : { items: [3], next_cursor: null } };
  });
  const client = new Client({ baseUrl: site.url });
  assert.deepEqual(await collect(client.resources.all({ tag: "a" })), [1, 2, 3]);
  await assert.rejects(collect(client.resources.all({ tag: "bad" })), (error) => error.problem.code === "invalid");
  const calls = site.requests.length;
  for await (const row of client.resources.all()) {
    assert.equal(row, 1);
    break;
  }
  assert.equal(site.requests.length, calls + 1, "who stops early asks for no more");
});

test("where there is no page, the site's address is needed", () => {
  assert.throws(() => new Client(), /baseUrl/);
});

async function collect(rows) {
  const all = [];
  for await (const row of rows) all.push(row);
  return all;
}
