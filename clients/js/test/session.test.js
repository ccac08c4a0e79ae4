import assert from "node:assert/strict";
import { test } from "node:test";
import { Client, browserStorage, memoryStorage } from "../src/index.js";
import { HandClock } from "./kit/clock.js";
import { fakeSite, problem, signedIn } from "./kit/site.js";
import { Browser } from "./kit/tabs.js";

const bearer = ({ headers }) => headers.authorization?.slice("Bearer ".length);
const isRefresh = ({ path }) => path === "/api/v1/auth/refresh";

/** A site where refreshing gives the next tokens, and which takes only the newest access token. */
async function house(t, clock, { refuse, seconds } = {}) {
  let n = 0;
  let current = null;
  const give = () => (current = signedIn((n += 1), clock.now(), seconds));
  const site = await fakeSite(t, (request) => {
    if (request.path === "/api/v1/auth/login") return { body: give() };
    if (isRefresh(request)) return refuse ? refuse(request) : { body: give() };
    if (request.path === "/api/v1/auth/logout") return { status: 204, body: "" };
    return bearer(request) === current?.access_token ? { body: { username: "mia" } } : problem(401, "token_expired");
  });
  const refreshes = () => site.requests.filter(isRefresh).length;
  return { ...site, refreshes, replace: give };
}

const login = async (client) => assert.ok((await client.auth.login({ login: "mia", password: "p" })).ok);

test("a token is refreshed a minute before it ends, once for all who wait", async (t) => {
  const clock = new HandClock();
  const site = await house(t, clock);
  const client = new Client({ baseUrl: site.url, clock });
  await login(client);
  clock.pass(3500_000);
  assert.ok((await client.auth.me()).ok);
  assert.equal(site.refreshes(), 0);
  clock.pass(50_000);
  const replies = await Promise.all([client.auth.me(), client.auth.me(), client.auth.me()]);
  assert.ok(replies.every((reply) => reply.ok));
  assert.equal(site.refreshes(), 1);
  assert.equal((await client.auth.member()).username, "mia");
});

test("a machine whose clock is wrong refreshes no sooner and no later", async (t) => {
  const clock = new HandClock();
  const site = await house(t, { now: () => clock.now() - 5 * 86_400_000 });
  const client = new Client({ baseUrl: site.url, clock });
  await login(client);
  assert.ok((await client.auth.me()).ok);
  clock.pass(3000_000);
  assert.ok((await client.auth.me()).ok);
  assert.equal(site.refreshes(), 0);
});

test("a token that the site no longer takes is refreshed, and the call made once more", async (t) => {
  const clock = new HandClock();
  const site = await house(t, clock);
  const client = new Client({ baseUrl: site.url, clock });
  await login(client);
  site.replace();
  assert.ok((await client.auth.me()).ok);
  assert.equal(site.refreshes(), 1);
});

test("a site that never takes the token is not asked without end", async (t) => {
  const clock = new HandClock();
  const site = await fakeSite(t, (request) =>
    isRefresh(request) || request.path.endsWith("login")
      ? { body: signedIn(request.n, clock.now()) }
      : problem(401, "token_invalid"),
  );
  const client = new Client({ baseUrl: site.url, clock });
  await login(client);
  assert.equal((await client.auth.me()).problem.status, 401);
  assert.equal(site.requests.length, 4, "login, me, refresh, me");
});

test("only a true refusal signs out", async (t) => {
  const clock = new HandClock();
  const answers = [
    () => null,
    () => problem(503, "database_away"),
    () => problem(429, "too_many_requests", { "retry-after": "1" }),
    () => ({ status: 401, headers: { "content-type": "text/html" }, body: "<html>a proxy</html>" }),
    () => problem(401, "token_reused"),
  ];
  const site = await house(t, clock, { refuse: () => answers.shift()() });
  const storage = memoryStorage();
  const client = new Client({ baseUrl: site.url, clock, retries: 0, auth: { storage } });
  await login(client);
  const heard = [];
  client.auth.onChange((member) => heard.push(member));
  site.replace();
  for (const code of ["network", "database_away", "too_many_requests", "reply"]) {
    assert.equal((await client.suggestions.vote("s", 1)).problem.code, code);
    assert.ok(storage.load(), `still signed in after ${code}`);
  }
  assert.deepEqual(heard, []);
  const reply = await client.auth.me();
  assert.equal(reply.problem.status, 401);
  assert.equal(storage.load(), null);
  assert.deepEqual(heard, [null]);
});

test("while the site cannot refresh, a token is used until it ends", async (t) => {
  const clock = new HandClock();
  const site = await house(t, clock, { refuse: () => problem(503, "database_away") });
  const client = new Client({ baseUrl: site.url, clock, retries: 0 });
  await login(client);
  clock.pass(3570_000);
  assert.ok((await client.auth.me()).ok);
  clock.pass(40_000);
  assert.equal((await client.auth.me()).problem.code, "database_away");
});

test("tabs refresh one after another, and the second takes what the first has got", async (t) => {
  const clock = new HandClock();
  const site = await house(t, clock);
  const browser = new Browser();
  const tab = () =>
    new Client({
      baseUrl: site.url,
      clock,
      tabs: browser.tabs(),
      auth: { storage: browserStorage("upshelf", browser.storage) },
    });
  const [one, other] = [tab(), tab()];
  await login(one);
  clock.pass(3590_000);
  const replies = await Promise.all([one.auth.me(), other.auth.me(), other.auth.me()]);
  assert.ok(replies.every((reply) => reply.ok));
  assert.equal(site.refreshes(), 1);
});

test("who signs out in one tab is signed out in all", async (t) => {
  const clock = new HandClock();
  const site = await house(t, clock);
  const browser = new Browser();
  const tab = () =>
    new Client({
      baseUrl: site.url,
      clock,
      tabs: browser.tabs(),
      auth: { storage: browserStorage("upshelf", browser.storage) },
    });
  const [one, other] = [tab(), tab()];
  const heard = [];
  other.auth.onChange((member) => heard.push(member?.username ?? null));
  await login(one);
  await browser.quiet();
  assert.ok((await other.auth.me()).ok);
  assert.ok((await one.auth.logout()).ok);
  await browser.quiet();
  assert.deepEqual(heard, ["mia", null]);
  assert.equal(await other.auth.member(), null);
});

test("a sign-out that does not reach the site keeps the tokens, to be tried again", async (t) => {
  const clock = new HandClock();
  let isAway = true;
  const site = await fakeSite(t, ({ path }) =>
    path.endsWith("login") ? { body: signedIn(1, clock.now()) } : isAway ? null : { status: 204, body: "" },
  );
  const client = new Client({ baseUrl: site.url, clock, retries: 0 });
  await login(client);
  assert.equal((await client.auth.logout()).problem.code, "network");
  assert.ok(await client.auth.member());
  isAway = false;
  assert.ok((await client.auth.logout()).ok);
  assert.equal(await client.auth.member(), null);
  await login(client);
  await client.auth.forget();
  assert.equal(await client.auth.member(), null);
});

test("a key goes with every call, and is never exchanged", async (t) => {
  const site = await fakeSite(t, () => problem(401, "token_invalid"));
  const client = new Client({ baseUrl: site.url, auth: { key: "ups_k" } });
  assert.equal((await client.auth.me()).problem.code, "token_invalid");
  assert.equal(site.requests.length, 1);
  assert.equal(bearer(site.requests[0]), "ups_k");
});

test("with cookies the client holds no token", async () => {
  const asked = [];
  const fetch = async (input, init) => {
    asked.push(init);
    return Response.json({});
  };
  const client = new Client({ baseUrl: "https://shelf.example", auth: "cookie", fetch });
  await client.auth.me();
  await client.site.health();
  assert.deepEqual(
    asked.map(({ credentials }) => credentials),
    ["same-origin", "omit"],
  );
  assert.equal(asked[0].headers.authorization, undefined);
});

test("what others left in the browser's storage is nobody's sign-in", async () => {
  const browser = new Browser();
  for (const text of ["{", "1", '{"access_token":1}', "null"]) {
    browser.storage.setItem("upshelf", text);
    assert.equal(browserStorage("upshelf", browser.storage).load(), null, text);
  }
});
