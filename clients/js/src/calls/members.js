import { Entity, path, rows } from "./entity.js";

/**
 * @typedef {import("./entity.js").CallOptions} CallOptions
 * @typedef {import("../schema.js").Closeness} Closeness
 * @typedef {import("../schema.js").CollectionChange} CollectionChange
 * @typedef {import("../schema.js").CollectionPage} CollectionPage
 * @typedef {import("../schema.js").CollectionView} CollectionView
 * @typedef {import("../schema.js").GetCollectionsIdQuery} GetCollectionsIdQuery
 * @typedef {import("../schema.js").GetCollectionsQuery} GetCollectionsQuery
 * @typedef {import("../schema.js").GetNotificationsQuery} GetNotificationsQuery
 * @typedef {import("../schema.js").GetWatchesQuery} GetWatchesQuery
 * @typedef {import("../schema.js").NewCollection} NewCollection
 * @typedef {import("../schema.js").NoticePreference} NoticePreference
 * @typedef {import("../schema.js").NoticeView} NoticeView
 * @typedef {import("../schema.js").Preferences} Preferences
 * @typedef {import("../schema.js").ProfileChange} ProfileChange
 * @typedef {import("../schema.js").ProfileView} ProfileView
 * @typedef {import("../schema.js").Unread} Unread
 * @typedef {import("../schema.js").Watch} Watch
 * @typedef {import("../schema.js").WatchKind} WatchKind
 */

/**
 * @template T
 * @typedef {import("./entity.js").Reply<T>} Reply
 */

/**
 * @template T
 * @typedef {import("../schema.js").Page<T>} Page
 */

/** Members, as others see them. */
export class Profiles extends Entity {
  /**
   * Gives a member's profile.
   *
   * @param {string} username
   * @param {CallOptions} [options]
   * @returns {Reply<ProfileView>}
   */
  get(username, options) {
    return this.call("GET", path`/profiles/${username}`, {}, options);
  }

  /**
   * Changes one's own profile.
   *
   * @param {ProfileChange} change What is left out stays.
   * @param {CallOptions} [options]
   * @returns {Reply<ProfileView>}
   */
  change(change, options) {
    return this.call("PATCH", "/profiles/me", { body: change }, options);
  }
}

/** Members' own selections. */
export class Collections extends Entity {
  /**
   * Lists collections.
   *
   * @param {GetCollectionsQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Reply<Page<CollectionView>>}
   */
  list(query = {}, options) {
    return this.call("GET", "/collections", { query }, options);
  }

  /**
   * Visits every collection that `list` would show.
   *
   * @param {Omit<GetCollectionsQuery, "cursor">} [query]
   * @param {CallOptions} [options]
   * @returns {AsyncGenerator<CollectionView, void, void>}
   */
  all(query = {}, options) {
    return rows((cursor) => this.list({ ...query, cursor }, options));
  }

  /**
   * Gives a collection with a page of what is in it.
   *
   * @param {string} id The collection.
   * @param {GetCollectionsIdQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Reply<CollectionPage>}
   */
  get(id, query = {}, options) {
    return this.call("GET", path`/collections/${id}`, { query }, options);
  }

  /**
   * Makes a collection.
   *
   * @param {NewCollection} collection
   * @param {CallOptions} [options]
   * @returns {Reply<CollectionView>}
   */
  create(collection, options) {
    return this.call("POST", "/collections", { body: collection }, options);
  }

  /**
   * Changes a collection.
   *
   * @param {string} id The collection.
   * @param {CollectionChange} change What is left out stays.
   * @param {CallOptions} [options]
   * @returns {Reply<CollectionView>}
   */
  change(id, change, options) {
    return this.call("PATCH", path`/collections/${id}`, { body: change }, options);
  }

  /**
   * Deletes a collection.
   *
   * @param {string} id The collection.
   * @param {CallOptions} [options]
   * @returns {Reply<undefined>}
   */
  delete(id, options) {
    return this.call("DELETE", path`/collections/${id}`, {}, options);
  }

  /**
   * Puts a resource into a collection.
   *
   * @param {string} id The collection.
   * @param {string} resourceId
   * @param {CallOptions} [options]
   * @returns {Reply<CollectionView>}
   */
  put(id, resourceId, options) {
    return this.call("PUT", path`/collections/${id}/resources/${resourceId}`, {}, options);
  }

  /**
   * Takes a resource out of a collection.
   *
   * @param {string} id The collection.
   * @param {string} resourceId
   * @param {CallOptions} [options]
   * @returns {Reply<CollectionView>}
   */
  take(id, resourceId, options) {
    return this.call("DELETE", path`/collections/${id}/resources/${resourceId}`, {}, options);
  }
}

/** One's inbox. */
export class Notices extends Entity {
  /**
   * Lists notices, the newest first.
   *
   * @param {GetNotificationsQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Reply<Page<NoticeView>>}
   */
  list(query = {}, options) {
    return this.call("GET", "/notifications", { query }, options);
  }

  /**
   * Visits every notice that `list` would show.
   *
   * @param {Omit<GetNotificationsQuery, "cursor">} [query]
   * @param {CallOptions} [options]
   * @returns {AsyncGenerator<NoticeView, void, void>}
   */
  all(query = {}, options) {
    return rows((cursor) => this.list({ ...query, cursor }, options));
  }

  /**
   * Counts those that are not read.
   *
   * @param {CallOptions} [options]
   * @returns {Reply<Unread>}
   */
  unread(options) {
    return this.call("GET", "/notifications/unread-count", {}, options);
  }

  /**
   * Notes how far one has read.
   *
   * @param {{ upTo: number }} read The `seq` of the last notice that was seen.
   * @param {CallOptions} [options]
   * @returns {Reply<Unread>}
   */
  markRead(read, options) {
    return this.call("POST", "/notifications/read", { body: { up_to: read.upTo } }, options);
  }

  /**
   * Says how one hears of events.
   *
   * @param {CallOptions} [options]
   * @returns {Reply<Preferences>}
   */
  preferences(options) {
    return this.call("GET", "/notifications/preferences", {}, options);
  }

  /**
   * Changes how one hears of events; kinds that are left out stay.
   *
   * @param {Array<NoticePreference>} items
   * @param {CallOptions} [options]
   * @returns {Reply<Preferences>}
   */
  setPreferences(items, options) {
    return this.call("PUT", "/notifications/preferences", { body: { items } }, options);
  }
}

/** What one wants to hear of. */
export class Watches extends Entity {
  /**
   * Lists what one watches.
   *
   * @param {GetWatchesQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Reply<Page<Watch>>}
   */
  list(query = {}, options) {
    return this.call("GET", "/watches", { query }, options);
  }

  /**
   * Visits everything that one watches.
   *
   * @param {Omit<GetWatchesQuery, "cursor">} [query]
   * @param {CallOptions} [options]
   * @returns {AsyncGenerator<Watch, void, void>}
   */
  all(query = {}, options) {
    return rows((cursor) => this.list({ ...query, cursor }, options));
  }

  /**
   * Watches something, or wants to hear nothing of it.
   *
   * @param {WatchKind} kind
   * @param {string} id
   * @param {Closeness} [closeness]
   * @param {CallOptions} [options]
   * @returns {Reply<undefined>}
   */
  set(kind, id, closeness = { level: "watching" }, options) {
    return this.call("PUT", path`/watches/${kind}/${id}`, { body: closeness }, options);
  }

  /**
   * Watches something no longer.
   *
   * @param {WatchKind} kind
   * @param {string} id
   * @param {CallOptions} [options]
   * @returns {Reply<undefined>}
   */
  delete(kind, id, options) {
    return this.call("DELETE", path`/watches/${kind}/${id}`, {}, options);
  }
}
