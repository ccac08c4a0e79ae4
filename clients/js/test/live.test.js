import assert from "node:assert/strict";
import { test } from "node:test";
import { backoff } from "../src/clock.js";
import { Client, PROBLEMS } from "../src/index.js";
import { HandClock } from "./kit/clock.js";
import { Heard, Hub, WebSocket } from "./kit/hub.js";

const standing = (id, version, score = version) => ({ suggestion_id: id, up: score, down: 0, score, version });
const subscribed = (more) => ({ subscribe: { recoverable: true, epoch: "e", offset: 0, ...more } });

function clientOf(t, hub, options = {}) {
  const clock = new HandClock();
  const client = new Client({ baseUrl: hub.url, WebSocket, clock, ...options });
  const states = new Heard();
  client.live.onState(states.add);
  t.after(() => client.close());
  return { client, clock, states };
}

test("nothing is connected until somebody listens, nor when nobody does any more", async (t) => {
  const hub = await Hub.start(t);
  const { client, states } = clientOf(t, hub);
  assert.deepEqual(client.live.state, { state: "idle" });
  const [one, other] = [client.live.resource("r1"), client.live.votes()];
  assert.ok((await one.ready).ok && (await other.ready).ok);
  const connection = await hub.connection(0, "subscribe", 2);
  assert.deepEqual(
    connection.commands.slice(1).map((command) => command.subscribe.channel),
    ["resource:updates:r1", "suggestions:votes"],
  );
  one.stop();
  await hub.connection(0, "unsubscribe");
  other.stop();
  await hub.until(() => connection.isClosed);
  assert.equal(hub.connections.length, 1);
  assert.deepEqual(
    states.items.map(({ state }) => state),
    ["connecting", "connected", "idle"],
  );
});

test("standings come in batches and never go back", async (t) => {
  const hub = await Hub.start(
    t,
    (command) => command.subscribe && { subscribe: { publications: [{ data: [standing("a", 3), standing("b", 1)] }] } },
  );
  const { client } = clientOf(t, hub);
  const heard = new Heard();
  client.live.votes({ filter: ["a", "b"] }, heard.add);
  await heard.count(2);
  const connection = hub.connections[0];
  const tell = (data) => connection.push({ channel: "suggestions:votes", pub: { data } });
  tell([standing("a", 2), standing("a", 3), standing("other", 9)]);
  tell(standing("b", 2));
  await heard.count(3);
  assert.deepEqual(heard.items, [standing("a", 3), standing("b", 1), standing("b", 2)]);
  assert.deepEqual(connection.commands[1].subscribe, { channel: "suggestions:votes", data: { filter: ["a", "b"] } });
});

test("several who watch votes share one subscription, as wide as all of them need", async (t) => {
  const hub = await Hub.start(
    t,
    (command) => command.subscribe && { subscribe: { publications: [{ data: [standing("a", 1), standing("b", 1)] }] } },
  );
  const { client } = clientOf(t, hub);
  const [first, second, third] = [new Heard(), new Heard(), new Heard()];
  client.live.votes({ filter: ["a"] }, first.add);
  await first.count(1);
  client.live.votes({ filter: ["b"] }, second.add);
  await hub.connection(0, "subscribe", 2);
  await second.count(1);
  client.live.votes({ filter: ["a"] }, third.add);
  await third.count(1);
  assert.deepEqual(
    [...first.items, ...second.items, ...third.items],
    [standing("a", 1), standing("b", 1), standing("a", 1)],
  );
  const filters = hub.connections[0].commands.flatMap(({ subscribe }) => (subscribe ? [subscribe.data.filter] : []));
  assert.deepEqual(filters, [["a"], ["a", "b"]], "the third asks for nothing new");
});

test("after a loss it comes back after a jittered pause and goes on where it was", async (t) => {
  const missed = [4, 5].map((offset) => ({ offset, data: { n: offset } }));
  const hub = await Hub.start(
    t,
    (command, _, n) =>
      command.subscribe &&
      (n === 1
        ? subscribed({ offset: 2 })
        : subscribed({ offset: 5, recovered: true, was_recovering: true, publications: missed })),
  );
  const { client, clock, states } = clientOf(t, hub);
  const [heard, lost] = [new Heard(), new Heard()];
  client.live.resource("r", heard.add, { lost: () => lost.add("lost") });
  const first = await hub.connection(0, "subscribe");
  await states.until((all) => all.at(-1).state === "connected");
  first.push({ channel: "resource:updates:r", pub: { offset: 3, data: { n: 3 } } });
  await heard.count(1);
  first.socket.close(3001, "shutdown");
  await states.until((all) => all.some(({ code }) => code === 3001));
  await clock.passWait(500, 1000);
  const second = await hub.connection(1, "subscribe");
  assert.deepEqual(second.commands[1].subscribe, {
    channel: "resource:updates:r",
    recover: true,
    epoch: "e",
    offset: 3,
  });
  await heard.count(3);
  second.push({ channel: "resource:updates:r", pub: { offset: 5, data: { n: 5 } } });
  second.push({ channel: "resource:updates:r", pub: { offset: 6, data: { n: 6 } } });
  await heard.count(4);
  assert.deepEqual(
    heard.items.map(({ n }) => n),
    [3, 4, 5, 6],
    "each once, in order",
  );
  assert.deepEqual(lost.items, []);
});

test("what cannot be recovered is told", async (t) => {
  const hub = await Hub.start(
    t,
    (command, _, n) =>
      command.subscribe &&
      (n === 1
        ? subscribed({ offset: 2 })
        : subscribed({ epoch: "other", offset: 9, recovered: false, was_recovering: true })),
  );
  const { client, clock } = clientOf(t, hub);
  const lost = new Heard();
  const feed = client.live.resource("r", () => {}, { lost: () => lost.add("lost") });
  await feed.ready;
  hub.connections[0].socket.terminate();
  await clock.passWait(500, 1000);
  await lost.count(1);
  hub.connections[1].socket.terminate();
  await clock.passWait(500, 1000);
  assert.equal((await hub.connection(2, "subscribe")).commands[1].subscribe.epoch, "other");
});

test("pauses grow while nobody answers", async (t) => {
  const hub = await Hub.start(t, () => "silence");
  const { client, clock } = clientOf(t, hub);
  clock.chance = 0.9999;
  client.live.votes();
  const pauses = [];
  for (let n = 0; n < 3; n += 1) {
    await hub.connection(n);
    await clock.passWait(10_000, 10_000);
    pauses.push(Math.ceil(await clock.passWait(500, 20_000)));
  }
  assert.deepEqual(pauses, [1000, 2000, 4000]);
  const later = Array.from({ length: 100 }, (_, n) => backoff(clock, n + 1, { least: 500, most: 20_000 }));
  assert.ok(later.slice(5).every((pause) => pause > 19_900 && pause <= 20_000));
  assert.equal(backoff({ ...clock, random: () => 0 }, 9, { least: 500, most: 20_000 }), 500);
});

test("a ping is answered, and a silent site is left", async (t) => {
  const hub = await Hub.start(t);
  const { client, clock } = clientOf(t, hub);
  await client.live.votes().ready;
  const connection = hub.connections[0];
  connection.socket.send("{}");
  await hub.until(() => connection.pongs === 1);
  clock.pass(34_000);
  connection.socket.send("{}\n{}");
  await hub.until(() => connection.pongs === 3);
  clock.pass(34_000);
  assert.equal(client.live.state.state, "connected");
  clock.pass(1_000);
  await hub.until(() => connection.isClosed);
  await clock.passWait(500, 1000);
  await hub.connection(1);
});

for (const [name, frame] of [
  ["not JSON", "{nonsense"],
  ["cut short", '{"id":1,"conn'],
]) {
  test(`a frame that is ${name} ends the connection, not the program`, async (t) => {
    const hub = await Hub.start(t);
    const { client, clock } = clientOf(t, hub);
    await client.live.votes().ready;
    hub.connections[0].socket.send(frame);
    await hub.until((all) => all.connections[0].isClosed);
    await clock.passWait(500, 1000);
    await hub.connection(1);
  });
}

test("what nobody asked about is passed over", async (t) => {
  const hub = await Hub.start(t);
  const { client } = clientOf(t, hub);
  const heard = new Heard();
  await client.live.resource("r", heard.add).ready;
  const connection = hub.connections[0];
  connection.socket.send('{"id":999,"subscribe":{}}\n{"push":{"channel":"elsewhere","pub":{"data":1}}}');
  connection.push({ channel: "resource:updates:r", join: {} });
  connection.push({ channel: "resource:updates:r", pub: { data: "mine" } });
  assert.deepEqual(await heard.count(1), ["mine"]);
});

test("a terminal code stops, and is told to whoever listens", async (t) => {
  const hub = await Hub.start(t);
  const { client, clock, states } = clientOf(t, hub);
  const ended = new Heard();
  const feed = client.live.votes({}, () => {}, { ended: ended.add });
  await feed.ready;
  const read = (async () => {
    for await (const each of client.live.resource("r")) assert.fail(String(each));
  })();
  await hub.connection(0, "subscribe", 2);
  hub.connections[0].socket.close(3500, "invalid token");
  await states.until((all) => all.at(-1).state === "closed");
  assert.equal(client.live.state.code, 3500);
  assert.equal(ended.items[0].type, PROBLEMS.live);
  await assert.rejects(read, (error) => error.problem.type === PROBLEMS.live);
  assert.deepEqual(clock.waits, [], "it does not come back by itself");
  await client.live.votes().ready;
  assert.equal(hub.connections.length, 2, "it does when somebody listens anew");
});

test("a channel that one may not watch ends that subscription only", async (t) => {
  const hub = await Hub.start(
    t,
    ({ subscribe }) => subscribe?.channel.endsWith("x") && { error: { code: 102, message: "unknown channel" } },
  );
  const { client } = clientOf(t, hub);
  const good = client.live.resource("r");
  const bad = client.live.resource("x");
  assert.equal((await bad.ready).problem.detail, "unknown channel");
  assert.ok((await good.ready).ok);
  assert.equal(client.live.state.state, "connected");
});

test("a subscription that fails for a while, or is ended for a while, is asked for again", async (t) => {
  let n = 0;
  const hub = await Hub.start(
    t,
    ({ subscribe }) => subscribe && (n += 1) === 1 && { error: { code: 100, message: "internal", temporary: true } },
  );
  const { client, clock } = clientOf(t, hub);
  const feed = client.live.resource("r");
  await hub.connection(0, "subscribe");
  await clock.passWait(500, 1000);
  assert.ok((await feed.ready).ok);
  hub.connections[0].push({ channel: "resource:updates:r", unsubscribe: { code: 2500, reason: "insufficient state" } });
  await hub.connection(0, "subscribe", 3);
  const ended = new Heard();
  client.live.resource("r", () => {}, { ended: ended.add });
  hub.connections[0].push({ channel: "resource:updates:r", unsubscribe: { code: 2000, reason: "server unsubscribe" } });
  await ended.count(1);
});

test("a subscription ends with its signal, and with the loop that reads it", async (t) => {
  const hub = await Hub.start(
    t,
    ({ subscribe }) => subscribe && { subscribe: { publications: [{ data: [standing("a", 1)] }] } },
  );
  const { client, states } = clientOf(t, hub);
  for await (const each of client.live.votes()) {
    assert.deepEqual(each, standing("a", 1));
    break;
  }
  await states.until((all) => all.at(-1).state === "idle");
  const controller = new AbortController();
  const feed = client.live.votes({}, undefined, { signal: controller.signal });
  assert.ok((await feed.ready).ok);
  controller.abort();
  const rest = [];
  for await (const each of feed) rest.push(each.version);
  assert.deepEqual(rest, [1], "what had come is still there to be read");
  assert.equal(
    (await client.live.votes({}, () => {}, { signal: controller.signal }).ready).problem.type,
    PROBLEMS.aborted,
  );
  assert.equal(client.live.state.state, "idle");
});
