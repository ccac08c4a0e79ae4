import { Connection } from "./connection.js";
import { EventLine } from "./events.js";
import { Feed } from "./feed.js";
import { SocketLine } from "./socket.js";
import { Standings } from "./standings.js";

/**
 * @typedef {import("./connection.js").LiveState} LiveState
 * @typedef {import("./feed.js").FeedOptions} FeedOptions
 * @typedef {import("./standings.js").LiveStanding} LiveStanding
 */

/**
 * A notice that came just now, or how many are unread now that some were read elsewhere.
 *
 * @typedef {object} LiveNotice
 * @property {number} seq The notice's number; without one, that of the last.
 * @property {number} unread How many are not read: the site's own count, to be shown as it is.
 * @property {import("../schema.js").NoticeView | null} notice What it says; `null` where only the count is another one: some were read, or it was put away.
 */

/**
 * A change of a resource.
 *
 * @typedef {object} ResourceUpdate
 * @property {string} resource_id
 * @property {"created" | "edited" | "moved" | "removed" | "reverted"} change
 * @property {number} version The version that it made.
 */

/** What happens right now. It connects when somebody listens, and comes back by itself after every loss. */
export class Live {
  #connection;
  #standings;

  /**
   * @param {object} parts
   * @param {string} parts.baseUrl
   * @param {typeof globalThis.fetch} parts.fetch
   * @param {import("../clock.js").Clock} parts.clock
   * @param {import("../session.js").Session} parts.session
   * @param {() => Promise<string | null>} parts.me Finds the id of whoever is signed in.
   * @param {import("./socket.js").WebSocketMaker} [parts.WebSocket]
   */
  constructor({ baseUrl, fetch, clock, session, me, WebSocket = globalThis.WebSocket }) {
    /** @type {import("./connection.js").Transport[]} */
    const transports = [];
    // A WebSocket takes the token of a session, or cookies, and no key.
    if (WebSocket && !session.usesKey) {
      const url = `${baseUrl.replace(/^http/, "ws")}/connection/websocket`;
      transports.push({ name: "websocket", open: (parts) => new SocketLine(url, WebSocket, parts) });
    }
    transports.push({
      name: "sse",
      open: (parts) =>
        new EventLine({ url: `${baseUrl}/api/v1/events`, fetch, usesCookies: session.usesCookies, parts }),
    });
    this.#connection = new Connection({ clock, session, transports, me });
    this.#standings = new Standings(this.#connection);
  }

  /** How the connection is. */
  get state() {
    return this.#connection.state;
  }

  /**
   * Calls back whenever the connection is another way.
   *
   * @param {(state: LiveState) => void} listener
   * @returns {() => void} Ends it.
   */
  onState(listener) {
    return this.#connection.onState(listener);
  }

  /**
   * Tells how suggestions stand: at once as they are, then with every change. What is older than what was told is left out.
   *
   * @param {{ filter?: string[] }} [what] Only these suggestions; all open ones without it.
   * @param {(standing: LiveStanding) => void} [listener]
   * @param {FeedOptions} [options]
   * @returns {Feed<LiveStanding>}
   */
  votes({ filter } = {}, listener, options = {}) {
    const feed = new Feed(listener, options);
    feed.start(this.#standings.watch(filter, feed));
    return feed;
  }

  /**
   * Tells the notices of whoever is signed in, each once and in order, also those that came while the connection was lost.
   *
   * @param {(notice: LiveNotice) => void} [listener]
   * @param {FeedOptions} [options]
   * @returns {Feed<LiveNotice>}
   */
  notices(listener, options = {}) {
    return this.#follow(this.#connection.personal, listener, options);
  }

  /**
   * Tells the changes of one resource.
   *
   * @param {string} id
   * @param {(update: ResourceUpdate) => void} [listener]
   * @param {FeedOptions} [options]
   * @returns {Feed<ResourceUpdate>}
   */
  resource(id, listener, options = {}) {
    return this.#follow(this.#connection.channel(`resource:updates:${id}`), listener, options);
  }

  /** Ends all subscriptions. */
  close() {
    this.#connection.close();
  }

  /**
   * @template T
   * @param {import("./channel.js").Channel} channel
   * @param {((item: T) => void) | undefined} listener
   * @param {FeedOptions} options
   * @returns {Feed<T>}
   */
  #follow(channel, listener, options) {
    /** @type {Feed<T>} */
    const feed = new Feed(listener, options);
    const leave = this.#connection.listen(channel, {
      published: (data) => feed.put(data),
      lost: () => feed.lost(),
      begun: () => feed.begun(),
      ended: (problem) => feed.ended(problem),
    });
    feed.start(leave);
    return feed;
  }
}
