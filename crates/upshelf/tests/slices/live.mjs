// Watches a site with clients that others wrote: centrifuge for WebSocket, eventsource for Server-Sent Events. It takes a
// command a line and prints what happens, a line each.
import { createInterface } from "node:readline";
import { Centrifuge } from "centrifuge";
import { EventSource } from "eventsource";
import WebSocket from "ws";

const [site] = process.argv.slice(2);
const clients = new Map();
const say = (...words) => console.log(words.map((w) => (typeof w === "string" ? w : JSON.stringify(w))).join(" "));

// Lets the test cut the connection as a lost network does: no closing frame, no goodbye.
const sockets = new Map();
function socketOf(name) {
  return class extends WebSocket {
    constructor(url, protocols) {
      super(url, protocols);
      sockets.set(name, this);
    }
  };
}

function connect(name, token, fresh) {
  const client = new Centrifuge(`${site.replace("http", "ws")}/connection/websocket`, {
    websocket: socketOf(name),
    token: token || undefined,
    getToken: fresh ? async () => (say(name, "asked-for-token"), fresh) : undefined,
    minReconnectDelay: 50,
    maxReconnectDelay: 500,
  });
  client.on("connected", (c) => say(name, "connected", c.client));
  client.on("connecting", (c) => say(name, "connecting", c.code));
  client.on("disconnected", (c) => say(name, "disconnected", c.code));
  client.on("subscribed", (c) =>
    say(name, "server-subscribed", c.channel, { recovered: c.recovered, was: c.wasRecovering, at: c.streamPosition }));
  client.on("publication", (c) => say(name, "server-publication", c.channel, { offset: c.offset, data: c.data }));
  clients.set(name, client);
  client.connect();
}

const commands = {
  connect,
  subscribe(name, channel, data) {
    const sub = clients.get(name).newSubscription(channel, { data: data ? JSON.parse(data) : undefined });
    sub.on("subscribed", (c) => say(name, "subscribed", channel, { recovered: c.recovered, was: c.wasRecovering }));
    sub.on("publication", (c) => say(name, "publication", channel, { offset: c.offset, data: c.data }));
    sub.on("error", (c) => say(name, "error", channel, c.error.code));
    sub.on("unsubscribed", (c) => say(name, "unsubscribed", channel, c.code));
    sub.subscribe();
  },
  async history(name, channel, since) {
    const options = since ? { limit: 100, since: JSON.parse(since) } : { limit: 0 };
    await clients.get(name).history(channel, options).then(
      (h) => say(name, "history", channel, { offset: h.offset, count: h.publications.length }),
      (e) => say(name, "history", channel, e.code));
  },
  async publish(name, channel) {
    await clients.get(name).publish(channel, {}).catch((e) => say(name, "publish", channel, e.code));
  },
  async rpc(name, method) {
    await clients.get(name).rpc(method, {}).catch((e) => say(name, "rpc", method, e.code));
  },
  cut(name) {
    sockets.get(name).terminate();
  },
  disconnect(name) {
    clients.get(name).disconnect();
  },
  // Many bare connections that watch votes; `tally` tells what the worst of them saw.
  watch(name, count) {
    const seen = { frames: [], last: [], back: 0 };
    for (let i = 0; i < +count; i++) {
      const socket = new WebSocket(`${site.replace("http", "ws")}/connection/websocket`);
      seen.frames[i] = [];
      seen.last[i] = 0;
      socket.on("open", () => socket.send('{"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"suggestions:votes"}}'));
      socket.on("message", (m) => {
        for (const line of String(m).split("\n").map((line) => JSON.parse(line))) {
          if (line.subscribe) say(name, "watches");
          if (!line.push && !line.id) socket.send("{}");
          if (!line.push) continue;
          seen.frames[i].push(Date.now());
          for (const { version } of line.push.pub.data) {
            if (version <= seen.last[i]) seen.back += 1;
            seen.last[i] = version;
          }
        }
      });
    }
    clients.set(name, { seen, disconnect() {} });
  },
  tally(name) {
    const { frames, last, back } = clients.get(name).seen;
    const busiest = (at) => Math.max(0, ...at.map((from) => at.filter((t) => t >= from && t < from + 1000).length));
    say(name, "tally", { least: Math.min(...last), busiest: Math.max(...frames.map(busiest)), back });
  },
  // A bare connection that sends one message and tells how it ends.
  raw(name, message) {
    const socket = new WebSocket(`${site.replace("http", "ws")}/connection/websocket`);
    socket.on("open", () => socket.send(message.startsWith("size:") ? "x".repeat(+message.slice(5)) : message));
    socket.on("message", (m) => say(name, "message", String(m)));
    socket.on("close", (code) => say(name, "closed", String(code)));
    socket.on("error", (e) => say(name, "failed", e.message));
  },
  // The upgrade with a cookie and an origin, or none.
  knock(name, cookie, origin) {
    const headers = { cookie };
    const socket = new WebSocket(`${site.replace("http", "ws")}/connection/websocket`, { headers, origin: origin || undefined });
    socket.on("open", () => socket.send('{"id":1,"connect":{}}'));
    socket.on("message", (m) => say(name, "message", String(m).split("\n")[0]));
    socket.on("close", (code) => say(name, "closed", String(code)));
    socket.on("error", (e) => say(name, "failed", e.message));
  },
  events(name, query, token) {
    const fetchWith = (url, init) =>
      fetch(url, { ...init, headers: { ...init.headers, ...(token ? { authorization: `Bearer ${token}` } : {}) } });
    const source = new EventSource(`${site}/api/v1/events?${query}`, { fetch: fetchWith });
    source.addEventListener("subscribed", (e) => say(name, "subscribed", e.data));
    source.onmessage = (e) => say(name, "event", e.data);
    source.onerror = (e) => say(name, "interrupted", String(e.code ?? ""));
    clients.set(name, { disconnect: () => source.close() });
  },
};

say("ready");
for await (const line of createInterface({ input: process.stdin })) {
  const [command, ...words] = line.split("\t");
  try {
    await commands[command](...words);
  } catch (error) {
    say("failed", command, String(error));
  }
}
process.exit(0);
