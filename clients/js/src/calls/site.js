import { Entity, path } from "./entity.js";

/** @typedef {import("./entity.js").CallOptions} CallOptions */

/**
 * @template T
 * @typedef {import("./entity.js").Reply<T>} Reply
 */

/** The site itself: whether it is well, its keys, its feeds. */
export class Site extends Entity {
  /**
   * Says whether the program is alive.
   *
   * @param {CallOptions} [options]
   * @returns {Reply<import("../schema.js").Alive>}
   */
  health(options) {
    return this.callSite("/healthz", {}, options);
  }

  /**
   * Says how each part is. While the database is down, the status of the result is 503.
   *
   * @param {CallOptions} [options]
   * @returns {Reply<import("../schema.js").Ready>}
   */
  ready(options) {
    return this.callSite("/readyz", { accepts: [503] }, options);
  }

  /**
   * Gives the public keys that access tokens are signed with (a JWK set).
   *
   * @param {CallOptions} [options]
   * @returns {Reply<Record<string, any>>}
   */
  keys(options) {
    return this.callSite("/.well-known/jwks.json", {}, options);
  }

  /**
   * Gives the Atom feed of new resources or of suggestions.
   *
   * @param {"resources" | "suggestions"} of
   * @param {CallOptions} [options]
   * @returns {Reply<string>}
   */
  feed(of, options) {
    return this.callSite(path`/feeds/${of}.atom`, { as: "text" }, options);
  }

  /**
   * Gives the Atom feed of one category.
   *
   * @param {string} slug
   * @param {CallOptions} [options]
   * @returns {Reply<string>}
   */
  categoryFeed(slug, options) {
    return this.callSite(path`/feeds/categories/${`${slug}.atom`}`, { as: "text" }, options);
  }
}
