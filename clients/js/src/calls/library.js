import { Entity, path, rows } from "./entity.js";

/**
 * @typedef {import("./entity.js").CallOptions} CallOptions
 * @typedef {import("../schema.js").CategoryNode} CategoryNode
 * @typedef {import("../schema.js").GetResourcesIdHistoryQuery} GetResourcesIdHistoryQuery
 * @typedef {import("../schema.js").GetResourcesPopularQuery} GetResourcesPopularQuery
 * @typedef {import("../schema.js").GetResourcesQuery} GetResourcesQuery
 * @typedef {import("../schema.js").GetSearchQuery} GetSearchQuery
 * @typedef {import("../schema.js").HistoryEntry} HistoryEntry
 * @typedef {import("../schema.js").ResourceView} ResourceView
 * @typedef {import("../schema.js").Reversion} Reversion
 * @typedef {import("../schema.js").Tag} Tag
 */

/**
 * @template T
 * @typedef {import("./entity.js").Reply<T>} Reply
 */

/**
 * @template T
 * @typedef {import("../schema.js").Page<T>} Page
 */

/** What is on the shelf. */
export class Resources extends Entity {
  /**
   * Lists resources: of a category, with a tag, with these words.
   *
   * @param {GetResourcesQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Reply<Page<ResourceView>>}
   */
  list(query = {}, options) {
    return this.call("GET", "/resources", { query }, options);
  }

  /**
   * Visits every resource that `list` would show.
   *
   * @param {Omit<GetResourcesQuery, "cursor">} [query]
   * @param {CallOptions} [options]
   * @returns {AsyncGenerator<ResourceView, void, void>}
   */
  all(query = {}, options) {
    return rows((cursor) => this.list({ ...query, cursor }, options));
  }

  /**
   * Gives a resource.
   *
   * @param {string} id The resource.
   * @param {CallOptions} [options]
   * @returns {Reply<ResourceView>}
   */
  get(id, options) {
    return this.call("GET", path`/resources/${id}`, {}, options);
  }

  /**
   * Lists what is read, kept and voted on most.
   *
   * @param {GetResourcesPopularQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Reply<Page<ResourceView>>}
   */
  popular(query = {}, options) {
    return this.call("GET", "/resources/popular", { query }, options);
  }

  /**
   * Lists the versions of a resource, the newest first.
   *
   * @param {string} id The resource.
   * @param {GetResourcesIdHistoryQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Reply<Page<HistoryEntry>>}
   */
  history(id, query = {}, options) {
    return this.call("GET", path`/resources/${id}/history`, { query }, options);
  }

  /**
   * Visits every version of a resource.
   *
   * @param {string} id The resource.
   * @param {Omit<GetResourcesIdHistoryQuery, "cursor">} [query]
   * @param {CallOptions} [options]
   * @returns {AsyncGenerator<HistoryEntry, void, void>}
   */
  allHistory(id, query = {}, options) {
    return rows((cursor) => this.history(id, { ...query, cursor }, options));
  }

  /**
   * Puts back an earlier version; for curators.
   *
   * @param {string} id The resource.
   * @param {Reversion} reversion
   * @param {CallOptions} [options]
   * @returns {Reply<ResourceView>}
   */
  revert(id, reversion, options) {
    return this.call("POST", path`/resources/${id}/revert`, { body: reversion }, options);
  }
}

/** The headings of the library. */
export class Categories extends Entity {
  /**
   * Gives the tree of categories, with how much is in each.
   *
   * @param {CallOptions} [options]
   * @returns {Reply<Page<CategoryNode>>}
   */
  tree(options) {
    return this.call("GET", "/categories", {}, options);
  }
}

/** The free labels. */
export class Tags extends Entity {
  /**
   * Lists all tags, with how many resources carry each.
   *
   * @param {CallOptions} [options]
   * @returns {Reply<Page<Tag>>}
   */
  list(options) {
    return this.call("GET", "/tags", {}, options);
  }
}

/** Finding things. */
export class Search extends Entity {
  /**
   * Finds resources by words, the best first; forgives typing errors.
   *
   * @param {GetSearchQuery} query
   * @param {CallOptions} [options]
   * @returns {Reply<Page<ResourceView>>}
   */
  resources(query, options) {
    return this.call("GET", "/search", { query }, options);
  }
}
