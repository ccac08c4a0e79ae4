import { packages } from "./packages.js";
import { fakeSite } from "./site.js";

/** The WebSocket of the package `ws`, for Node before 22. */
export const { WebSocket, WebSocketServer } = packages("ws");

/**
 * A live server of the test's own, which speaks Centrifugo's protocol as it is published and does what it is told.
 * `answer` gets each command and gives the rest of the reply; without it, everything is granted.
 */
export class Hub {
  /** All connections ever made, the newest last. */
  connections = [];
  #waiting = [];

  static async start(t, answer = () => undefined, http = () => ({ status: 404, body: {} })) {
    const hub = new Hub();
    hub.answer = answer;
    const site = await fakeSite(t, http);
    hub.url = site.url;
    hub.requests = site.requests;
    const server = new WebSocketServer({ server: site.server, path: "/connection/websocket" });
    server.on("connection", (socket) => hub.#took(socket));
    t.after(() => {
      for (const { socket } of hub.connections) socket.terminate();
      server.close();
    });
    return hub;
  }

  #took(socket) {
    const connection = { socket, commands: [], pongs: 0, push: (push) => socket.send(JSON.stringify({ push })) };
    this.connections.push(connection);
    socket.on("close", () => (connection.isClosed = true) && this.#stir());
    socket.on("message", (text) => {
      for (const line of String(text).split("\n")) {
        const command = JSON.parse(line);
        if (Object.keys(command).length === 0) connection.pongs += 1;
        else this.#answer(connection, command);
      }
      this.#stir();
    });
    this.#stir();
  }

  #answer(connection, command) {
    connection.commands.push(command);
    const [method] = Object.keys(command).filter((name) => name !== "id");
    const reply = this.answer(command, connection, this.connections.length) ?? {
      [method]: method === "connect" ? { client: "c", ping: 25, pong: true } : {},
    };
    if (reply !== "silence") connection.socket.send(JSON.stringify({ id: command.id, ...reply }));
  }

  #stir() {
    for (const look of this.#waiting.splice(0)) look();
  }

  /** Comes when `isSo` holds, which is asked whenever something happens here. */
  async until(isSo) {
    for (;;) {
      const found = isSo(this);
      if (found) return found;
      await new Promise((look) => this.#waiting.push(look));
    }
  }

  /** Gives the `n`th connection (from 0) once it has sent `count` commands of a kind. */
  async connection(n, method = "connect", count = 1) {
    const has = (one) => one?.commands.filter((command) => method in command).length >= count;
    return this.until((hub) => has(hub.connections[n]) && hub.connections[n]);
  }
}

/** Gathers what is called back, and waits for it. */
export class Heard {
  items = [];
  #waiting = [];
  add = (item) => {
    this.items.push(item);
    for (const look of this.#waiting.splice(0)) look();
  };
  async until(isSo) {
    while (!isSo(this.items)) await new Promise((look) => this.#waiting.push(look));
    return this.items;
  }
  count(n) {
    return this.until((items) => items.length >= n);
  }
}
