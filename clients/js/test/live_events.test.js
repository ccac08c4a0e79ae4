import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import { test } from "node:test";
import { EventReader, readPositions } from "../src/live/stream.js";
import { Client } from "../src/index.js";
import { HandClock } from "./kit/clock.js";
import { Heard } from "./kit/hub.js";
import { fakeSite, problem, signedIn } from "./kit/site.js";

/** A site that lets no WebSocket through, and gives events. */
async function site(t) {
  const streams = [];
  const waiting = [];
  const server = createServer((request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.flushHeaders();
    const query = new URL(request.url, "http://a").searchParams;
    streams.push({ query, request, response, send: (text) => response.write(text) });
    for (const look of waiting.splice(0)) look();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const stream = async (n) => {
    while (streams.length <= n) await new Promise((look) => waiting.push(look));
    return streams[n];
  };
  return { url: `http://127.0.0.1:${server.address().port}`, stream };
}

const subscribed = (id, channels) =>
  `retry: 2000\nevent: subscribed\nid: ${id}\ndata: ${JSON.stringify({ recovered: true, channels })}\n\n`;
const message = (id, channel, pub) => `id: ${id}\ndata: ${JSON.stringify({ channel, pub })}\n\n`;
const R = "resource:updates:r";

function clientOf(t, url, options) {
  const clock = new HandClock();
  const client = new Client({ baseUrl: url, clock, ...options });
  t.after(() => client.close());
  return { client, clock };
}

test("without a WebSocket it reads events, and goes on where it was after a loss", async (t) => {
  const { url, stream } = await site(t);
  const { client, clock } = clientOf(t, url);
  const [heard, lost] = [new Heard(), new Heard()];
  const feed = client.live.resource("r", heard.add, { lost: () => lost.add("lost") });
  const first = await stream(0);
  assert.equal(first.query.get("channels"), R);
  first.send(subscribed(`${R}=4@e`, { [R]: { recovered: false } }));
  assert.ok((await feed.ready).ok);
  assert.deepEqual(client.live.state, { state: "connected", transport: "sse" });
  first.send(`: alive\n\n${message(`${R}=5@e`, R, { offset: 5, data: "five" })}`);
  await heard.count(1);
  first.response.destroy();
  await clock.passWait(500, 1000);
  const second = await stream(1);
  assert.equal(second.query.get("last_event_id"), `${R}=5@e`);
  second.send(subscribed(`${R}=5@e`, { [R]: { recovered: true } }));
  second.send(message(`${R}=6@e`, R, { offset: 6, data: "six" }));
  assert.deepEqual(await heard.count(2), ["five", "six"]);
  assert.deepEqual(lost.items, []);
  second.response.destroy();
  await clock.passWait(500, 1000);
  (await stream(2)).send(subscribed(`${R}=9@other`, { [R]: { recovered: false } }));
  await lost.count(1);
});

test("another channel is another stream, and a silent one is left", async (t) => {
  const { url, stream } = await site(t);
  const { client, clock } = clientOf(t, url);
  await Promise.resolve(client.live.votes({ filter: ["a", "b"] }));
  assert.equal((await stream(0)).query.get("filter"), "a,b");
  client.live.resource("r");
  const second = await stream(1);
  assert.equal(second.query.get("channels"), `suggestions:votes,${R}`);
  second.send(subscribed(`${R}=0@e`, { "suggestions:votes": { recovered: false }, [R]: { recovered: false } }));
  await clock.passWait(35_000, 35_000);
  await clock.passWait(500, 1000);
  await stream(2);
});

test("where WebSockets come to nothing three times, events are read", async (t) => {
  const { url, stream } = await site(t);
  let tries = 0;
  class Broken {
    constructor() {
      tries += 1;
      queueMicrotask(() => this.onclose({ code: 1006, reason: "" }));
    }
    close() {}
    send() {}
  }
  const { client, clock } = clientOf(t, url, { WebSocket: Broken });
  const heard = new Heard();
  client.live.resource("r", heard.add);
  for (let n = 0; n < 3; n += 1) await clock.passWait(500, 4000);
  const first = await stream(0);
  assert.equal(tries, 3);
  first.send(
    subscribed(`${R}=0@e`, { [R]: { recovered: false } }) + message(`${R}=1@e`, R, { offset: 1, data: "one" }),
  );
  await heard.count(1);
});

test("events are read however they are cut", () => {
  const text =
    'retry: 2000\r\nevent: subscribed\r\nid: 7\r\ndata: {"a":\ndata:1}\n\n: comment\n\ndata: two\nid: b\u0000d\n\nevent: empty\n\ndata\n\n';
  const whole = new EventReader().read(text);
  assert.deepEqual(whole, [
    { type: "subscribed", data: '{"a":\n1}', id: "7" },
    { type: "message", data: "two", id: "7" },
    { type: "message", data: "", id: "7" },
  ]);
  for (let cut = 1; cut < text.length; cut += 1) {
    const reader = new EventReader();
    assert.deepEqual([...reader.read(text.slice(0, cut)), ...reader.read(text.slice(cut))], whole, `cut at ${cut}`);
  }
});

test("positions are read as they are written, and nonsense is none", () => {
  const read = readPositions("notifications:1=7@e.1,odd%2C%3D%40=0@");
  assert.deepEqual(
    [...read],
    [
      ["notifications:1", { offset: 7, epoch: "e.1" }],
      ["odd,=@", { offset: 0, epoch: "" }],
    ],
  );
  assert.deepEqual([...readPositions("a,b=c@d,=")], []);
});

test("over events, one's notices are asked for by name, and a stale token is exchanged", async (t) => {
  const clock = new HandClock();
  let n = 0;
  const asked = [];
  const site = await fakeSite(t, ({ path, headers }) => {
    if (path.startsWith("/api/v1/auth")) return { body: signedIn((n += 1), clock.now()) };
    asked.push({ path: decodeURIComponent(path), token: headers.authorization });
    return asked.length === 1
      ? problem(401, "token_invalid")
      : {
          headers: { "content-type": "text/event-stream" },
          body: subscribed("notifications:m1=3@e", { "notifications:m1": { recovered: false } }),
        };
  });
  const client = new Client({ baseUrl: site.url, clock });
  t.after(() => client.close());
  assert.ok((await client.auth.login({ login: "mia", password: "p" })).ok);
  const feed = client.live.notices(() => {});
  await clock.passWait(500, 1000);
  assert.ok((await feed.ready).ok);
  assert.equal(asked.at(-1).path, "/api/v1/events?channels=notifications:m1");
  assert.notEqual(asked[0].token, asked[1].token);
});

test("a channel that is refused over events is told, and nothing is asked any more", async (t) => {
  const clock = new HandClock();
  const site = await fakeSite(t, () => problem(404, "channel_not_found"));
  const client = new Client({ baseUrl: site.url, clock });
  t.after(() => client.close());
  assert.equal((await client.live.resource("x").ready).problem.code, "live");
  assert.equal(client.live.state.state, "idle");
  assert.deepEqual(clock.waits, []);
  assert.equal(site.requests.length, 1);
});

test("the channels beside a refused one go on", async (t) => {
  const clock = new HandClock();
  const site = await fakeSite(t, ({ path }) => {
    if (!path.includes("%3Ax")) {
      return {
        headers: { "content-type": "text/event-stream" },
        body: subscribed(`${R}=0@e`, { [R]: { recovered: false } }),
      };
    }
    const refused = problem(404, "channel_not_found");
    refused.body.detail = 'There is no channel "resource:updates:x".';
    return refused;
  });
  const client = new Client({ baseUrl: site.url, clock });
  t.after(() => client.close());
  const [good, bad] = [client.live.resource("r"), client.live.resource("x")];
  assert.match((await bad.ready).problem.detail, /no channel/);
  await clock.passWait(500, 1000);
  assert.ok((await good.ready).ok);
});

test("when the network is back, nothing is waited for", async (t) => {
  const target = new EventTarget();
  for (const name of ["addEventListener", "removeEventListener"]) {
    globalThis[name] = target[name].bind(target);
    t.after(() => delete globalThis[name]);
  }
  const { url, stream } = await site(t);
  const { client, clock } = clientOf(t, url);
  client.live.resource("r");
  (await stream(0)).response.destroy();
  await clock.seeWait(500, 1000);
  target.dispatchEvent(new Event("online"));
  await stream(1);
});

test("who reads too slowly is told to read anew", async (t) => {
  const { url, stream } = await site(t);
  const { client } = clientOf(t, url);
  const lost = new Heard();
  const feed = client.live.resource("r", undefined, { lost: () => lost.add("lost") });
  const first = await stream(0);
  first.send(subscribed(`${R}=0@e`, { [R]: { recovered: false } }));
  const many = Array.from({ length: 10_001 }, (_, n) => message(`${R}=${n + 1}@e`, R, { offset: n + 1, data: n }));
  first.send(many.join(""));
  await lost.count(1);
  feed.stop();
});
