import { backoff } from "../clock.js";
import { problemOf } from "../problem.js";
import { Channel } from "./channel.js";

/**
 * @typedef {import("../clock.js").Clock} Clock
 * @typedef {import("../session.js").Session} Session
 * @typedef {import("./channel.js").Listener} Listener
 * @typedef {import("./line.js").Line} Line
 * @typedef {import("./line.js").LineEnd} LineEnd
 * @typedef {import("./line.js").LineParts} LineParts
 */

/**
 * How live updates are: `idle` while nobody listens, `connecting`, `connected`, or `closed`, which is final until somebody
 * listens anew.
 *
 * @typedef {object} LiveState
 * @property {"idle" | "connecting" | "connected" | "closed"} state
 * @property {"websocket" | "sse"} [transport] Over what, when connected.
 * @property {number} [code] Why the connection before ended.
 * @property {string} [reason]
 */

/**
 * A way to connect.
 *
 * @typedef {object} Transport
 * @property {"websocket" | "sse"} name
 * @property {(parts: LineParts) => Line} open
 */

const BOUNDS = { least: 500, most: 20_000 };
/** After so many connections in a row that came to nothing, the next one is tried another way. */
const TRIES = 3;
/** The one channel that the site subscribes us to by itself. */
const PERSONAL = "notifications:";

/** Stays connected while somebody listens, by whichever way works, and comes back after every loss. */
export class Connection {
  #clock;
  #session;
  #transports;
  /** @type {Map<string, Channel>} */
  #channels = new Map();
  #personal = new Channel(PERSONAL, true);
  /** @type {Line | null} */
  #line = null;
  /** @type {LiveState} */
  #state = { state: "idle" };
  /** @type {Set<(state: LiveState) => void>} */
  #watchers = new Set();
  /** Which way is tried, and how often it came to nothing in a row. */
  #way = 0;
  #failures = 0;
  #attempt = 0;
  #cancelRetry = () => {};
  #forgetSession;
  #me;

  /**
   * @param {object} parts
   * @param {Clock} parts.clock
   * @param {Session} parts.session
   * @param {Transport[]} parts.transports The best first.
   * @param {() => Promise<string | null>} parts.me Finds the id of whoever is signed in.
   */
  constructor({ clock, session, transports, me }) {
    this.#me = me;
    this.#clock = clock;
    this.#session = session;
    this.#transports = transports;
    this.#channels.set(PERSONAL, this.#personal);
    this.#forgetSession = session.onChange(() => this.#startAnew());
    globalThis.addEventListener?.("online", this.#hurry);
  }

  get state() {
    return this.#state;
  }

  get personal() {
    return this.#personal;
  }

  /**
   * @param {(state: LiveState) => void} watcher
   * @returns {() => void} Ends it.
   */
  onState(watcher) {
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  /** @param {string} name */
  channel(name) {
    const known = this.#channels.get(name);
    if (known) return known;
    const made = new Channel(name);
    this.#channels.set(name, made);
    return made;
  }

  /**
   * @param {Channel} channel
   * @param {Listener} listener
   * @returns {() => void} Ends it.
   */
  listen(channel, listener) {
    const isNew = !channel.isWanted;
    channel.add(listener);
    if (!this.#line && this.#state.state !== "connecting") this.#open();
    else if (isNew) {
      this.#line?.update();
      this.#turnAway();
    }
    return () => {
      channel.remove(listener);
      this.#tidy();
    };
  }

  /**
   * Says that a channel is wanted with other data than before.
   *
   * @param {Channel} channel
   */
  again(channel) {
    this.#line?.again(channel);
  }

  close() {
    this.#forgetSession();
    globalThis.removeEventListener?.("online", this.#hurry);
    this.#end(problemOf("aborted", "The client was closed."), { state: "closed" });
    this.#watchers.clear();
  }

  /** Closes the connection when nobody listens any more. */
  #tidy() {
    for (const [name, channel] of this.#channels) {
      if (!channel.isWanted && channel !== this.#personal) this.#channels.delete(name);
    }
    if ([...this.#channels.values()].some((channel) => channel.isWanted)) return this.#line?.update();
    if (this.#state.state !== "idle" && this.#state.state !== "closed") this.#hangUp({ state: "idle" });
  }

  /** Somebody else is signed in, or is heard for the first time: the site should know from the beginning. */
  #startAnew() {
    this.#name(PERSONAL);
    if (this.#state.state !== "connecting" && this.#state.state !== "connected") return;
    this.#hangUp({ state: "connecting" });
    this.#open();
  }

  #open() {
    this.#cancelRetry();
    this.#tell({ ...this.#state, state: "connecting", transport: undefined });
    const transport = /** @type {Transport} */ (this.#transports[this.#way]);
    /** @type {Line | null} */
    let line = null;
    const isCurrent = () => line === null || this.#line === line;
    /** @type {LineParts} */
    const parts = {
      channels: this.#channels,
      clock: this.#clock,
      token: () => this.#session.token(),
      renew: (old) => this.#session.renew(old),
      personal: async () => (this.#personal.isWanted ? this.#findPersonal() : null),
      pause: () => backoff(this.#clock, 1, BOUNDS),
      report: {
        connected: (serverSide) => isCurrent() && this.#connected(transport.name, serverSide),
        denied: (channel, error) =>
          channel.ended(problemOf("live", error.message, { title: "Not to be watched", cause: error })),
        ended: (why) => isCurrent() && this.#ended(why),
      },
    };
    try {
      line = transport.open(parts);
      this.#line = line;
    } catch (cause) {
      this.#ended({ code: 1006, reason: String(cause), wasOpen: false, isTerminal: false });
    }
  }

  /**
   * @param {"websocket" | "sse"} transport
   * @param {string[]} serverSide
   */
  #connected(transport, serverSide) {
    this.#attempt = 0;
    this.#failures = 0;
    this.#tell({ state: "connected", transport });
    this.#name(serverSide.find((one) => one.startsWith(PERSONAL)) ?? PERSONAL);
    this.#turnAway();
  }

  /** @param {string} name Of the personal channel, which has the member's id in it. */
  #name(name) {
    if (name === this.#personal.name) return;
    this.#channels.delete(this.#personal.name);
    this.#personal.forget();
    this.#personal.name = name;
    this.#channels.set(name, this.#personal);
  }

  /** Notices are for members only. */
  #turnAway() {
    const isNobody = this.#state.state === "connected" && this.#personal.name === PERSONAL;
    if (isNobody && this.#personal.isWanted)
      this.#personal.ended(problemOf("live", "Nobody is signed in.", { title: "Sign in first" }));
  }

  /** @param {LineEnd} why */
  #ended({ code, reason, wasOpen, isTerminal }) {
    this.#line = null;
    for (const channel of this.#channels.values()) channel.interrupted();
    if (isTerminal) {
      const problem = problemOf("live", `The site ended live updates: ${reason || code}.`, { cause: { code, reason } });
      return this.#end(problem, { state: "closed", code, reason });
    }
    this.#failures += wasOpen ? 0 : 1;
    // The other way may be no better; then it is the site that is away, and the best way is tried again.
    if (wasOpen ? this.#way !== 0 : this.#failures % TRIES === 0) this.#way = (this.#way + 1) % this.#transports.length;
    this.#attempt += 1;
    this.#tell({ state: "connecting", code, reason });
    this.#cancelRetry = this.#clock.after(backoff(this.#clock, this.#attempt, BOUNDS), () => this.#open());
  }

  async #findPersonal() {
    if (this.#personal.name !== PERSONAL) return this.#personal.name;
    const id = await this.#me();
    return id === null ? null : `${PERSONAL}${id}`;
  }

  /** The network is back: there is nothing to wait for. */
  #hurry = () => {
    if (this.#state.state === "connecting" && !this.#line) this.#open();
  };

  /** @param {LiveState} state */
  #hangUp(state) {
    this.#cancelRetry();
    const line = this.#line;
    this.#line = null;
    line?.close();
    for (const channel of this.#channels.values()) channel.interrupted();
    this.#tell(state);
  }

  /**
   * @param {import("../problem.js").Problem} problem
   * @param {LiveState} state
   */
  #end(problem, state) {
    this.#hangUp(state);
    for (const channel of [...this.#channels.values()]) channel.ended(problem);
    this.#attempt = 0;
  }

  /** @param {LiveState} state */
  #tell(state) {
    this.#state = state;
    for (const watcher of [...this.#watchers]) watcher(state);
  }
}
