/**
 * @typedef {import("./channel.js").Channel} Channel
 * @typedef {import("./connection.js").Connection} Connection
 */

/**
 * How a suggestion stands.
 *
 * @typedef {object} LiveStanding
 * @property {string} suggestion_id
 * @property {number} up
 * @property {number} down
 * @property {number} score
 * @property {number} version Never goes back.
 */

/**
 * Somebody who watches votes.
 *
 * @typedef {object} Watcher
 * @property {Set<string> | null} only The suggestions that are watched; `null` for all.
 * @property {Map<string, number>} seen The version last told, by suggestion.
 * @property {import("./feed.js").Feed<LiveStanding>} feed
 */

const NAME = "suggestions:votes";
/** More than so many suggestions cannot be named; then all are watched, and what is not wanted is left out here. */
const MOST_NAMED = 200;

/** The votes that are watched here: one subscription to the site, whoever watches what. */
export class Standings {
  #connection;
  /** @type {Channel | null} */
  #channel = null;
  /** @type {Set<Watcher>} */
  #watchers = new Set();
  /** @type {Map<string, LiveStanding>} */
  #latest = new Map();

  /** @param {Connection} connection */
  constructor(connection) {
    this.#connection = connection;
  }

  /**
   * @param {string[] | undefined} filter
   * @param {import("./feed.js").Feed<LiveStanding>} feed
   * @returns {() => void} Ends it.
   */
  watch(filter, feed) {
    /** @type {Watcher} */
    const watcher = { only: filter ? new Set(filter) : null, seen: new Map(), feed };
    this.#watchers.add(watcher);
    const channel = this.#connection.channel(NAME);
    const isKnown = channel === this.#channel && channel.isWanted;
    this.#channel = channel;
    const hasGrown = this.#narrow(channel);
    const leave = this.#connection.listen(channel, {
      published: (data) => this.#published(watcher, data),
      lost: () => feed.lost(),
      begun: () => feed.begun(),
      ended: (problem) => feed.ended(problem),
    });
    if (isKnown && hasGrown) this.#connection.again(channel);
    for (const standing of this.#latest.values()) this.#tell(watcher, standing);
    return () => {
      this.#watchers.delete(watcher);
      leave();
      // It stays as wide as it is: one who leaves is no reason to ask the site again.
      if (this.#watchers.size === 0) this.#latest.clear();
    };
  }

  /**
   * Asks for all that anybody here watches, and for no more.
   *
   * @param {Channel} channel
   * @returns {boolean} Whether that is more than before.
   */
  #narrow(channel) {
    const before = /** @type {{ filter?: string[] } | undefined} */ (channel.data);
    const all = [...this.#watchers];
    const filter = [...new Set(all.flatMap((watcher) => [...(watcher.only ?? [])]))];
    if (filter.length > MOST_NAMED || all.some((watcher) => watcher.only === null)) {
      channel.data = undefined;
      return before !== undefined;
    }
    const known = new Set(before?.filter);
    const hasGrown = before === undefined || filter.some((id) => !known.has(id));
    channel.data = { filter };
    return hasGrown;
  }

  /**
   * @param {Watcher} watcher
   * @param {any} data One standing or many.
   */
  #published(watcher, data) {
    for (const standing of Array.isArray(data) ? data : [data]) {
      const latest = this.#latest.get(standing.suggestion_id);
      if (!latest || latest.version < standing.version) this.#latest.set(standing.suggestion_id, standing);
      this.#tell(watcher, standing);
    }
  }

  /**
   * @param {Watcher} watcher
   * @param {LiveStanding} standing
   */
  #tell({ only, seen, feed }, standing) {
    const { suggestion_id: id, version } = standing;
    if ((only && !only.has(id)) || (seen.get(id) ?? -1) >= version) return;
    seen.set(id, version);
    feed.put(standing);
  }
}
