import { ProblemError } from "../problem.js";

/**
 * @typedef {import("../http.js").CallOptions} CallOptions
 * @typedef {import("../http.js").Http} Http
 */

/**
 * @template T
 * @typedef {Promise<import("../problem.js").Result<T>>} Reply
 */

/**
 * @template T
 * @typedef {import("../schema.js").Page<T>} Page
 */

/** Calls about one kind of thing. */
export class Entity {
  /** @type {Http} */
  #http;

  /** @param {Http} http */
  constructor(http) {
    this.#http = http;
  }

  /**
   * Sends a request to the API.
   *
   * @protected
   * @param {string} method
   * @param {string} path Below `/api/v1`.
   * @param {Omit<import("../http.js").Call, "method" | "path" | "options">} [what]
   * @param {CallOptions} [options]
   * @returns {Reply<any>}
   */
  call(method, path, what = {}, options = {}) {
    return this.#http.send({ method, path: `/api/v1${path}`, ...what, options });
  }

  /**
   * Sends a request to another part of the site.
   *
   * @protected
   * @param {string} path
   * @param {Pick<import("../http.js").Call, "as" | "accepts">} [what]
   * @param {CallOptions} [options]
   * @returns {Reply<any>}
   */
  callSite(path, what = {}, options = {}) {
    return this.#http.send({ method: "GET", path, ...what, isAnonymous: true, options });
  }
}

/**
 * Writes a path; what stands in it is escaped, so that no id leads elsewhere.
 *
 * @param {TemplateStringsArray} words
 * @param {...string} ids
 */
export function path(words, ...ids) {
  return words.reduce((whole, word, n) => `${whole}${encodeURIComponent(ids[n - 1] ?? "")}${word}`);
}

/**
 * Visits every row of a list, page after page. It throws a {@link ProblemError} where a page cannot be had, because a loop
 * has no other way to hear of it.
 *
 * @template Row
 * @param {(cursor: string | undefined) => Reply<Page<Row>>} page
 * @returns {AsyncGenerator<Row, void, void>}
 */
export async function* rows(page) {
  /** @type {string | undefined} */
  let cursor;
  do {
    const result = await page(cursor);
    if (!result.ok) throw new ProblemError(result.problem);
    yield* result.value.items;
    cursor = result.value.next_cursor ?? undefined;
  } while (cursor !== undefined);
}
