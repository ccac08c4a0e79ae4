import { TOKEN_EXPIRED, UNRECOVERABLE_POSITION, isTerminal, mayResubscribe } from "./codes.js";

/**
 * @typedef {import("./channel.js").Channel} Channel
 * @typedef {import("./line.js").Line} Line
 * @typedef {import("./line.js").LineParts} LineParts
 * @typedef {import("./line.js").LineReport} LineReport
 */

/**
 * What makes WebSockets: the browser's, or one of the same shape.
 *
 * @typedef {new (url: string) => WebSocketLike} WebSocketMaker
 */

/**
 * The part of a WebSocket that is used.
 *
 * @typedef {object} WebSocketLike
 * @property {(data: string) => void} send
 * @property {(code?: number, reason?: string) => void} close
 * @property {((event: any) => void) | null} onopen
 * @property {((event: any) => void) | null} onmessage
 * @property {((event: any) => void) | null} onclose
 * @property {((event: any) => void) | null} onerror
 */

/** How long a connection, or a reply to a command, may take, in milliseconds. */
const PATIENCE = 10_000;
/** How much later than announced a ping may come. */
const GRACE = 10_000;
/** What we close with: the site does not answer. */
const SILENT = 4000;

/**
 * One connection over a WebSocket, in Centrifugo's client protocol (version 2, JSON).
 *
 * @implements {Line}
 */
export class SocketLine {
  /** @type {LineParts} */
  #parts;
  /** @type {WebSocketLike} */
  #socket;
  /** @type {Map<number, { answered: (reply: any) => void, cancel: () => void }>} */
  #waiting = new Map();
  /** What the site knows that we listen to. @type {Map<string, Channel>} */
  #subscribed = new Map();
  /** @type {Set<() => void>} */
  #timers = new Set();
  #cancelSilence = () => {};
  #lastId = 0;
  #ping = 0;
  #pong = false;
  #isOpen = false;
  #isOver = false;

  /**
   * @param {string} url
   * @param {WebSocketMaker} WebSocket
   * @param {LineParts} parts
   */
  constructor(url, WebSocket, parts) {
    this.#parts = parts;
    const socket = new WebSocket(url);
    this.#socket = socket;
    this.#expect(PATIENCE);
    socket.onopen = () => this.#connect();
    socket.onmessage = (event) => this.#read(String(event.data));
    socket.onclose = (event) => this.#over({ code: event.code ?? 1006, reason: event.reason ?? "" });
    // A close follows; in Node nobody must miss an error.
    socket.onerror = () => {};
  }

  close() {
    this.#leave(1000, "");
  }

  /** Tells the site what is listened to now. */
  update() {
    if (!this.#isOpen) return;
    for (const [name, channel] of this.#subscribed) {
      if (this.#parts.channels.get(name) === channel && channel.isWanted) continue;
      this.#subscribed.delete(name);
      this.#send({ unsubscribe: { channel: name } }, () => {});
    }
    for (const channel of this.#parts.channels.values()) {
      if (channel.isWanted && !channel.isServerSide && !this.#subscribed.has(channel.name)) this.#subscribe(channel);
    }
  }

  /**
   * Subscribes anew, because what is sent along has changed.
   *
   * @param {Channel} channel
   */
  again(channel) {
    if (!this.#subscribed.delete(channel.name) || !this.#isOpen) return;
    this.#send({ unsubscribe: { channel: channel.name } }, () => {});
    this.#subscribe(channel);
  }

  async #connect() {
    const token = await this.#parts.token();
    if (this.#isOver) return;
    if (!token.ok) return this.#leave(SILENT, "no token");
    /** @type {Record<string, unknown>} */
    const subs = {};
    for (const channel of this.#parts.channels.values()) {
      if (channel.isServerSide && channel.position) subs[channel.name] = { recover: true, ...channel.position };
    }
    const connect = {
      name: "upshelf-js",
      ...(token.value === null ? {} : { token: token.value }),
      ...(Object.keys(subs).length ? { subs } : {}),
    };
    this.#send({ connect }, (reply) => this.#connected(reply, token.value));
  }

  /**
   * @param {any} reply
   * @param {string | null} token
   */
  #connected(reply, token) {
    if (reply.error) return void this.#refused(reply.error, token);
    const { ping = 0, pong = false, expires, ttl, subs = {} } = reply.connect ?? {};
    this.#ping = ping;
    this.#pong = pong;
    this.#isOpen = true;
    this.#heard();
    if (expires && token !== null) this.#refreshLater(ttl);
    this.#parts.report.connected(Object.keys(subs));
    for (const [name, sub] of Object.entries(subs))
      this.#parts.channels.get(name)?.subscribed(/** @type {any} */ (sub));
    this.update();
  }

  /**
   * The site does not let us connect.
   *
   * @param {{ code: number, message: string, temporary?: boolean }} error
   * @param {string | null} token
   */
  async #refused(error, token) {
    if (error.code === TOKEN_EXPIRED && token !== null) {
      await this.#parts.renew(token);
      return this.#leave(SILENT, "the token has ended");
    }
    const isOver = !error.temporary;
    this.#leave(SILENT, error.message, isOver ? error.code : undefined);
  }

  /** @param {Channel} channel */
  #subscribe(channel) {
    this.#subscribed.set(channel.name, channel);
    const { name, data, position } = channel;
    const subscribe = {
      channel: name,
      ...(data === undefined ? {} : { data }),
      ...(position ? { recover: true, ...position } : {}),
    };
    this.#send({ subscribe }, (reply) => {
      if (this.#subscribed.get(name) !== channel) return;
      if (!reply.error) return channel.subscribed(reply.subscribe ?? {});
      this.#subscribed.delete(name);
      if (reply.error.code === UNRECOVERABLE_POSITION) channel.lost();
      else if (!reply.error.temporary) return this.#parts.report.denied(channel, reply.error);
      this.#later(this.#parts.pause(), () => this.update());
    });
  }

  /** @param {number} seconds In which the sign-in of this connection ends. */
  #refreshLater(seconds) {
    this.#later(seconds * 900, async () => {
      const token = await this.#parts.token();
      if (!token.ok) return this.#later(this.#parts.pause(), () => this.#refreshLater(0));
      if (token.value === null) return this.#leave(SILENT, "signed out");
      this.#send({ refresh: { token: token.value } }, async ({ error, refresh }) => {
        if (error?.temporary) return this.#later(this.#parts.pause(), () => this.#refreshLater(0));
        if (error) {
          await this.#parts.renew(/** @type {string} */ (token.value));
          return this.#leave(SILENT, error.message);
        }
        if (refresh?.expires) this.#refreshLater(refresh.ttl);
      });
    });
  }

  /** @param {string} text */
  #read(text) {
    this.#heard();
    for (const line of text.split("\n")) {
      if (line.trim() === "" || this.#isOver) continue;
      /** @type {any} */
      let reply;
      try {
        reply = JSON.parse(line);
      } catch {
        return this.#leave(SILENT, "a frame is not JSON");
      }
      if (reply.id) {
        const waiting = this.#waiting.get(reply.id);
        this.#waiting.delete(reply.id);
        waiting?.cancel();
        waiting?.answered(reply);
      } else if (reply.push) this.#pushed(reply.push);
      else if (this.#pong) this.#socket.send("{}");
    }
  }

  /** @param {any} push */
  #pushed(push) {
    const channel = this.#parts.channels.get(push.channel);
    if (push.pub) channel?.published(push.pub);
    else if (push.subscribe) channel?.subscribed(push.subscribe);
    else if (push.unsubscribe && channel) {
      this.#subscribed.delete(channel.name);
      if (mayResubscribe(push.unsubscribe.code)) this.update();
      else this.#parts.report.denied(channel, { code: push.unsubscribe.code, message: push.unsubscribe.reason });
    } else if (push.disconnect) this.#leave(SILENT, push.disconnect.reason, push.disconnect.code);
  }

  /**
   * @param {Record<string, unknown>} command
   * @param {(reply: any) => void} answered
   */
  #send(command, answered) {
    if (this.#isOver) return;
    const id = (this.#lastId += 1);
    const cancel = this.#later(PATIENCE, () => this.#leave(SILENT, "no reply"));
    this.#waiting.set(id, { answered, cancel });
    this.#socket.send(JSON.stringify({ id, ...command }));
  }

  #heard() {
    if (this.#isOpen && this.#ping > 0) this.#expect(this.#ping * 1000 + GRACE);
  }

  /** @param {number} ms In which something must be heard. */
  #expect(ms) {
    this.#cancelSilence();
    this.#cancelSilence = this.#later(ms, () => this.#leave(SILENT, "the site is silent"));
  }

  /**
   * @param {number} ms
   * @param {() => void} run
   */
  #later(ms, run) {
    if (this.#isOver) return () => {};
    const done = () => {
      this.#timers.delete(cancel);
      if (!this.#isOver) run();
    };
    const cancelTimer = this.#parts.clock.after(ms, done);
    const cancel = () => {
      this.#timers.delete(cancel);
      cancelTimer();
    };
    this.#timers.add(cancel);
    return cancel;
  }

  /**
   * @param {number} code
   * @param {string} reason
   * @param {number} [told] The site's own code, where it said one.
   */
  #leave(code, reason, told) {
    if (this.#isOver) return;
    this.#over({ code: told ?? code, reason }, told !== undefined && told < 3000);
    try {
      this.#socket.close(code === 1000 ? 1000 : SILENT);
    } catch {
      // It was not open yet, which is as good as closed.
    }
  }

  /**
   * @param {{ code: number, reason: string }} why
   * @param {boolean} [isRefused]
   */
  #over({ code, reason }, isRefused = false) {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const cancel of [...this.#timers]) cancel();
    this.#waiting.clear();
    const wasOpen = this.#isOpen;
    this.#isOpen = false;
    this.#parts.report.ended({ code, reason, wasOpen, isTerminal: isRefused || isTerminal(code) });
  }
}
