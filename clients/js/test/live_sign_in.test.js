import assert from "node:assert/strict";
import { test } from "node:test";
import { Client } from "../src/index.js";
import { HandClock } from "./kit/clock.js";
import { Heard, Hub, WebSocket } from "./kit/hub.js";
import { problem, signedIn } from "./kit/site.js";

const CHANNEL = "notifications:m1";
const notice = (seq, unread = seq) => ({ offset: seq, data: { seq, unread, notice: { seq } } });
const sub = (more) => ({ recoverable: true, positioned: true, epoch: "e", offset: 0, ...more });

/** A site where one can sign in, and whose connections have `connect` as their reply. */
async function house(t, connect, refresh) {
  const clock = new HandClock();
  let n = 0;
  const http = ({ path }) => {
    if (path === "/api/v1/auth/login" || path === "/api/v1/auth/refresh")
      return { body: signedIn((n += 1), clock.now()) };
    return path === "/api/v1/auth/logout" ? { status: 204, body: "" } : problem(401, "not_signed_in");
  };
  const answer = (command, _, at) => {
    if (command.connect) return connect(command.connect, at);
    return command.refresh && (refresh?.(command.refresh) ?? { refresh: { expires: true, ttl: 600 } });
  };
  const hub = await Hub.start(t, answer, http);
  const client = new Client({ baseUrl: hub.url, WebSocket, clock });
  t.after(() => client.close());
  assert.ok((await client.auth.login({ login: "mia", password: "p" })).ok);
  return { hub, client, clock };
}

const granted = (subs, more) => ({ connect: { client: "c", ping: 25, pong: true, subs, ...more } });

test("notices come without being asked for, and after a loss those that were missed", async (t) => {
  const { hub, client, clock } = await house(t, ({ subs }, n) =>
    n === 1
      ? granted({ [CHANNEL]: sub({ offset: 1 }) })
      : granted({
          [CHANNEL]: sub({
            offset: 4,
            recovered: true,
            was_recovering: Boolean(subs),
            publications: [notice(3), notice(4)],
          }),
        }),
  );
  const heard = new Heard();
  const feed = client.live.notices(heard.add);
  assert.ok((await feed.ready).ok);
  const [first] = hub.connections;
  assert.match(first.commands[0].connect.token, /\./);
  first.push({ channel: CHANNEL, pub: notice(2) });
  await heard.count(1);
  // Some were read elsewhere: the count alone, which is no step in the stream.
  first.push({ channel: CHANNEL, pub: { data: { seq: 2, unread: 0, notice: null } } });
  await heard.count(2);
  first.socket.terminate();
  await clock.passWait(500, 1000);
  const second = await hub.connection(1);
  assert.deepEqual(second.commands[0].connect.subs, { [CHANNEL]: { recover: true, epoch: "e", offset: 2 } });
  await heard.count(4);
  assert.deepEqual(
    heard.items.map(({ seq, unread }) => [seq, unread]),
    [
      [2, 2],
      [2, 0],
      [3, 3],
      [4, 4],
    ],
  );
});

test("who is not signed in hears so, also when the connection stands already", async (t) => {
  const hub = await Hub.start(t);
  const client = new Client({ baseUrl: hub.url, WebSocket, clock: new HandClock() });
  t.after(() => client.close());
  assert.equal((await client.live.notices().ready).problem.detail, "Nobody is signed in.");
  await client.live.votes().ready;
  assert.equal((await client.live.notices().ready).problem.detail, "Nobody is signed in.");
});

test("the connection is refreshed with a new token before its sign-in ends", async (t) => {
  const { hub, client, clock } = await house(t, () => granted({}, { expires: true, ttl: 3600 }));
  await client.live.votes().ready;
  const [connection] = hub.connections;
  for (let n = 0; n < 120; n += 1) {
    clock.pass(30_000);
    connection.socket.send("{}");
    const pongs = n + 1;
    await hub.until(() => connection.pongs === pongs);
    if (connection.commands.some((command) => command.refresh)) break;
  }
  await hub.connection(0, "refresh");
  assert.equal(hub.connections.length, 1);
});

test("a token that has ended is refreshed before the next attempt", async (t) => {
  const seen = [];
  const { hub, client, clock } = await house(t, ({ token }, n) => {
    seen.push(token);
    return n === 1 ? { error: { code: 109, message: "token expired" } } : granted({});
  });
  client.live.votes();
  await hub.connection(0);
  await clock.passWait(500, 1000);
  await hub.connection(1, "subscribe");
  assert.notEqual(seen[0], seen[1]);
});

test("a connection that is refused for good does not try again", async (t) => {
  const { hub, client, clock } = await house(t, () => ({ error: { code: 103, message: "permission denied" } }));
  assert.equal((await client.live.votes().ready).problem.code, "live");
  assert.equal(client.live.state.state, "closed");
  assert.equal(hub.connections.length, 1);
  assert.deepEqual(clock.waits, []);
});

test("whoever signs in or out, the connection begins anew as who they are", async (t) => {
  const { hub, client } = await house(t, ({ token }) => granted(token ? { [CHANNEL]: sub() } : {}));
  const heard = new Heard();
  const ended = new Heard();
  await client.live.notices(heard.add, { ended: ended.add }).ready;
  await client.live.votes().ready;
  assert.ok((await client.auth.logout()).ok);
  const second = await hub.connection(1);
  assert.equal(second.commands[0].connect.token, undefined);
  await ended.count(1);
  await hub.connection(1, "subscribe");
});
