// A server of Socket.IO with its adapter for Redis, as its documentation sets it up; `emit` is the same without clients,
// which emits what it reads: a line each. Arguments: `serve` or `emit`, Redis' address.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { createAdapter } from "@socket.io/redis-adapter";
import { Redis } from "ioredis";
import { Server } from "socket.io";

const [role, url] = process.argv.slice(2);
const [pub, sub] = [new Redis(url), new Redis(url)];
const server = createServer();
const io = new Server(server, { adapter: createAdapter(pub, sub), transports: ["websocket"], serveClient: false });
server.listen(0, "127.0.0.1", () => console.error(`listening on http://127.0.0.1:${server.address().port}`));
if (role === "emit") {
  for await (const line of createInterface({ input: process.stdin })) io.emit("votes", JSON.parse(line));
  process.exit(0);
}
