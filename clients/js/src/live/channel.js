/**
 * @typedef {import("../problem.js").Problem} Problem
 */

/**
 * Where a subscription stands in its channel's stream.
 *
 * @typedef {{ epoch: string, offset: number }} Position
 */

/**
 * Something published in a channel.
 *
 * @typedef {{ data: any, offset?: number }} Publication
 */

/**
 * What the site says when a subscription begins, or begins again.
 *
 * @typedef {object} Subscribed
 * @property {string} [epoch]
 * @property {number} [offset]
 * @property {boolean} [recoverable]
 * @property {boolean} [recovered]
 * @property {boolean} [was_recovering]
 * @property {Publication[]} [publications]
 */

/**
 * What a channel tells.
 *
 * @typedef {object} Listener
 * @property {(data: any) => void} published
 * @property {() => void} lost Something was missed and cannot be had: read anew.
 * @property {() => void} begun The subscription stands.
 * @property {(problem: Problem) => void} ended The site refuses it, or live updates have ended.
 */

/** One channel: how far it was heard, and who listens. It outlives connections. */
export class Channel {
  /** @type {Set<Listener>} */
  #listeners = new Set();
  /** @type {Position | null} */
  #position = null;
  #stands = false;
  /** @type {unknown} What is sent along when it is subscribed to. */
  data = undefined;

  /**
   * @param {string} name As the site knows it; for what the site subscribes to by itself, the beginning of it.
   * @param {boolean} [isServerSide]
   */
  constructor(name, isServerSide = false) {
    this.name = name;
    this.isServerSide = isServerSide;
  }

  get isWanted() {
    return this.#listeners.size > 0;
  }

  get position() {
    return this.#position;
  }

  /** @param {Listener} listener */
  add(listener) {
    this.#listeners.add(listener);
    if (this.#stands) listener.begun();
  }

  /** @param {Listener} listener */
  remove(listener) {
    this.#listeners.delete(listener);
    // What the site subscribed us to by itself goes on.
    if (!this.isWanted && !this.isServerSide) this.forget();
  }

  /** Begins without a past, as when somebody else signs in. */
  forget() {
    this.#position = null;
    this.#stands = false;
  }

  /** The connection is gone; the position is kept. */
  interrupted() {
    this.#stands = false;
  }

  /** @param {Subscribed} reply */
  subscribed(reply) {
    // All that was missed comes along, or nothing: then whoever listens has to read anew.
    if (this.#position && !reply.recovered) this.lost();
    for (const publication of reply.publications ?? []) this.published(publication);
    const { recoverable, epoch, offset = 0 } = reply;
    this.#position = recoverable && epoch !== undefined ? { epoch, offset } : null;
    this.#stands = true;
    this.#each((listener) => listener.begun());
  }

  /** @param {Publication} publication */
  published({ data, offset }) {
    if (this.#position && offset) {
      // What was recovered may be sent once more.
      if (offset <= this.#position.offset) return;
      this.#position = { ...this.#position, offset };
    }
    this.#each((listener) => listener.published(data));
  }

  /** The site will not go on from where this stands. */
  lost() {
    this.#position = null;
    this.#each((listener) => listener.lost());
  }

  /** @param {Problem} problem */
  ended(problem) {
    const all = [...this.#listeners];
    this.#listeners.clear();
    this.forget();
    for (const listener of all) listener.ended(problem);
  }

  /** @param {(listener: Listener) => void} run */
  #each(run) {
    for (const listener of [...this.#listeners]) run(listener);
  }
}
