import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Client } from "../src/index.js";

const document = JSON.parse(readFileSync(new URL("../../../docs/openapi.json", import.meta.url), "utf8"));
/** What is no call but the other way to get live updates. */
const LIVE = new Set(["get /api/v1/events", "get /connection/websocket"]);
const METHODS = new Set(["get", "put", "post", "patch", "delete"]);

const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods)
    .filter(([method]) => METHODS.has(method) && !LIVE.has(`${method} ${path}`))
    .map(([method, operation]) => ({
      method,
      path,
      operation,
      pattern: new RegExp(`^${path.replaceAll(/[.]/g, "\\.").replaceAll(/\{\w+\}/g, "[^/]+")}$`),
    })),
);

/** Every call, with all that it takes. */
const CALLS = {
  auth: {
    register: (c) => c.register({ username: "u", email: "e", password: "p" }),
    login: (c) => c.login({ login: "u", password: "p" }),
    setUp: (c) => c.setUp({ code: "c", username: "u", email: "e", password: "p" }),
    refresh: (c) => c.refresh("r"),
    logout: (c) => c.logout(),
    logoutAll: (c) => c.logoutAll(),
    me: (c) => c.me(),
    sessions: (c) => c.sessions(),
    endSession: (c) => c.endSession("1"),
    changePassword: (c) => c.changePassword({ current_password: "p", new_password: "q" }),
  },
  resources: {
    list: (c) => c.list({ category: "a", tag: "b", q: "c", sort: "new", limit: 1, cursor: "d" }),
    all: (c) => c.all({ q: "x" }).next(),
    get: (c) => c.get("1"),
    popular: (c) => c.popular({ limit: 1 }),
    history: (c) => c.history("1", { limit: 1, cursor: "c" }),
    allHistory: (c) => c.allHistory("1").next(),
    revert: (c) => c.revert("1", { to_version: 1, reason: "r" }),
  },
  categories: { tree: (c) => c.tree() },
  tags: { list: (c) => c.list() },
  search: { resources: (c) => c.resources({ q: "a", limit: 1 }) },
  suggestions: {
    list: (c) =>
      c.list({ status: "open", kind: "add", author: "1", resource: "2", sort: "hot", limit: 1, cursor: "c" }),
    all: (c) => c.all({ status: "open" }).next(),
    top: (c) => c.top({ limit: 1 }),
    get: (c) => c.get("1"),
    create: (c) => c.create({ kind: "add", changes: { url: "u", title: "t" }, reason: "r" }),
    withdraw: (c) => c.withdraw("1"),
    vote: (c) => c.vote("1", 1),
    retractVote: (c) => c.retractVote("1"),
    myVote: (c) => c.myVote("1"),
    standing: (c) => c.standing("1"),
    comments: (c) => c.comments("1", { limit: 1, cursor: "c" }),
    allComments: (c) => c.allComments("1").next(),
    comment: (c) => c.comment("1", "b"),
    approve: (c) => c.approve("1", { reason: "r" }),
    reject: (c) => c.reject("1", { reason: "r" }),
    stop: (c) => c.stop("1", { reason: "r" }),
  },
  log: {
    list: (c) => c.list({ suggestion: "1", resource: "2", limit: 1, cursor: "c" }),
    all: (c) => c.all({ resource: "2" }).next(),
  },
  profiles: { get: (c) => c.get("u"), change: (c) => c.change({ display_name: "d", bio: "b" }) },
  collections: {
    list: (c) => c.list({ whose: "mine", member: "1", limit: 1, cursor: "c" }),
    all: (c) => c.all({ whose: "mine" }).next(),
    get: (c) => c.get("1", { limit: 1, cursor: "c" }),
    create: (c) => c.create({ title: "t", description: "d", public: true }),
    change: (c) => c.change("1", { title: "t" }),
    delete: (c) => c.delete("1"),
    put: (c) => c.put("1", "2"),
    take: (c) => c.take("1", "2"),
  },
  notices: {
    list: (c) => c.list({ unread: true, limit: 1, cursor: "c" }),
    all: (c) => c.all({ unread: true }).next(),
    unread: (c) => c.unread(),
    markRead: (c) => c.markRead({ upTo: 3 }),
    preferences: (c) => c.preferences(),
    setPreferences: (c) => c.setPreferences([{ kind: "approved", inbox: true, email: "off" }]),
  },
  watches: {
    list: (c) => c.list({ limit: 1, cursor: "c" }),
    all: (c) => c.all().next(),
    set: (c) => c.set("resource", "1", { level: "muted" }),
    delete: (c) => c.delete("resource", "1"),
  },
  admin: {
    analytics: (c) => c.analytics({ days: 7 }),
    lists: (c) => c.lists(),
    import: (c) => c.import("# a", { format: "markdown", list: "l", dry_run: true }),
    export: (c) => c.export({ format: "csv", list: "l" }),
  },
  "admin.members": {
    list: (c) => c.list({ limit: 1, cursor: "c" }),
    all: (c) => c.all().next(),
    create: (c) => c.create({ username: "u", email: "e", password: "p", role: "curator" }),
    setRole: (c) => c.setRole("1", "admin"),
    ban: (c) => c.ban("1", { reason: "r" }),
    unban: (c) => c.unban("1"),
  },
  "admin.apiKeys": {
    list: (c) => c.list({ limit: 1, cursor: "c" }),
    all: (c) => c.all().next(),
    create: (c) => c.create({ name: "n", scopes: ["read"] }),
    revoke: (c) => c.revoke("1"),
  },
  "admin.queues": {
    list: (c) => c.list(),
    get: (c) => c.get("email"),
    jobs: (c) => c.jobs("email", { state: "failed", limit: 1, cursor: "c" }),
    allJobs: (c) => c.allJobs("email").next(),
    pause: (c) => c.pause("email"),
    resume: (c) => c.resume("email"),
    clean: (c) => c.clean("email", { state: "failed", older_than_seconds: 1 }),
    retryFailed: (c) => c.retryFailed("email"),
    promote: (c) => c.promote("email"),
    promoteJob: (c) => c.promoteJob("email", "1"),
  },
  site: {
    health: (c) => c.health(),
    ready: (c) => c.ready(),
    keys: (c) => c.keys(),
    feed: async (c) => (await c.feed("resources"), c.feed("suggestions")),
    categoryFeed: (c) => c.categoryFeed("tools"),
  },
};
/** Calls that ask the site nothing. */
const SILENT = new Set(["auth.forget", "auth.member", "auth.onChange"]);

const at = (client, name) => name.split(".").reduce((part, word) => part[word], client);

/** Resolves a reference, and what a nullable body may be. */
function resolved(schema) {
  if (schema?.$ref) return resolved(document.components.schemas[schema.$ref.split("/").at(-1)]);
  if (schema?.oneOf) return resolved(schema.oneOf.find((one) => one.type !== "null"));
  return schema;
}

/** Makes every call against a site that notes what it is asked. */
async function record() {
  const seen = [];
  let current = "";
  const fetch = async (input, init) => {
    const { pathname, searchParams } = new URL(input);
    seen.push({
      call: current,
      method: init.method.toLowerCase(),
      path: pathname,
      query: [...searchParams.keys()],
      body: init.body,
      type: init.headers["content-type"],
    });
    return Response.json({
      items: [],
      access_token: "t",
      refresh_token: "r",
      access_expires_at: "2100-01-01T00:00:00Z",
    });
  };
  for (const [entity, calls] of Object.entries(CALLS)) {
    for (const [name, call] of Object.entries(calls)) {
      current = `${entity}.${name}`;
      await call(at(new Client({ baseUrl: "https://shelf.example", fetch }), entity));
    }
  }
  return seen;
}

test("every route of the API has a call", async () => {
  const seen = await record();
  const missing = operations.filter(
    ({ method, pattern }) => !seen.some((call) => call.method === method && pattern.test(call.path)),
  );
  assert.deepEqual(
    missing.map(({ method, path }) => `${method} ${path}`),
    [],
  );
});

test("every call is a route of the API, and takes what that takes", async () => {
  for (const { call, method, path, query, body, type } of await record()) {
    // `/resources/popular` is more to the point than `/resources/{id}`.
    const [operation] = operations
      .filter((one) => one.method === method && one.pattern.test(path))
      .sort((a, b) => a.path.split("{").length - b.path.split("{").length);
    assert.ok(operation, `${call}: ${method} ${path}`);
    const parameters = (operation.operation.parameters ?? []).filter((one) => one.in === "query");
    for (const name of query)
      assert.ok(
        parameters.some((one) => one.name === name),
        `${call}: ?${name}`,
      );
    for (const one of parameters.filter((each) => each.required))
      assert.ok(query.includes(one.name), `${call}: ?${one.name} is needed`);
    const content = operation.operation.requestBody?.content;
    assert.equal(body !== undefined, Boolean(content), `${call}: a body`);
    if (!content || !type.endsWith("json")) continue;
    const schema = resolved(content["application/json"].schema);
    const sent = Object.keys(JSON.parse(body));
    for (const name of sent) assert.ok(name in schema.properties, `${call}: ${name}`);
    for (const name of schema.required ?? []) assert.ok(sent.includes(name), `${call}: ${name} is needed`);
  }
});

test("every call is tried here", () => {
  const client = new Client({ baseUrl: "https://shelf.example" });
  const names = [
    "admin.members",
    "admin.apiKeys",
    "admin.queues",
    ...Object.keys(client).filter((name) => name !== "live"),
  ];
  for (const name of names) {
    const methods = Object.getOwnPropertyNames(Object.getPrototypeOf(at(client, name))).filter(
      (one) => one !== "constructor",
    );
    for (const method of methods)
      assert.ok(CALLS[name]?.[method] || SILENT.has(`${name}.${method}`), `${name}.${method}`);
  }
});
