import { Entity, path, rows } from "./entity.js";

/**
 * @typedef {import("./entity.js").CallOptions} CallOptions
 * @typedef {import("../schema.js").ApiKeyView} ApiKeyView
 * @typedef {import("../schema.js").Cleaning} Cleaning
 * @typedef {import("../schema.js").GetAdminApiKeysQuery} GetAdminApiKeysQuery
 * @typedef {import("../schema.js").GetAdminMembersQuery} GetAdminMembersQuery
 * @typedef {import("../schema.js").GetAdminQueuesNameJobsQuery} GetAdminQueuesNameJobsQuery
 * @typedef {import("../schema.js").Grounds} Grounds
 * @typedef {import("../schema.js").JobCount} JobCount
 * @typedef {import("../schema.js").JobView} JobView
 * @typedef {import("../schema.js").Member} Member
 * @typedef {import("../schema.js").NewApiKey} NewApiKey
 * @typedef {import("../schema.js").NewKey} NewKey
 * @typedef {import("../schema.js").NewMember} NewMember
 * @typedef {import("../schema.js").QueueName} QueueName
 * @typedef {import("../schema.js").QueueView} QueueView
 * @typedef {import("../schema.js").Role} Role
 */

/**
 * @template T
 * @typedef {import("./entity.js").Reply<T>} Reply
 */

/**
 * @template T
 * @typedef {import("../schema.js").Page<T>} Page
 */

/** A library may take minutes to write, or to read. */
const WHOLE_LISTS = 300_000;

/** Accounts, from above. */
export class Members extends Entity {
  /**
   * Lists the members, in the order they joined.
   *
   * @param {GetAdminMembersQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Reply<Page<Member>>}
   */
  list(query = {}, options) {
    return this.call("GET", "/admin/members", { query }, options);
  }

  /**
   * Visits every member.
   *
   * @param {Omit<GetAdminMembersQuery, "cursor">} [query]
   * @param {CallOptions} [options]
   * @returns {AsyncGenerator<Member, void, void>}
   */
  all(query = {}, options) {
    return rows((cursor) => this.list({ ...query, cursor }, options));
  }

  /**
   * Makes an account with any role; takes a fresh sign-in.
   *
   * @param {NewMember} member
   * @param {CallOptions} [options]
   * @returns {Reply<Member>}
   */
  create(member, options) {
    return this.call("POST", "/admin/members", { body: member }, options);
  }

  /**
   * Changes what a member may do.
   *
   * @param {string} id The member.
   * @param {Role} role
   * @param {CallOptions} [options]
   * @returns {Reply<Member>}
   */
  setRole(id, role, options) {
    return this.call("PUT", path`/admin/members/${id}/role`, { body: { role } }, options);
  }

  /**
   * Shuts a member out.
   *
   * @param {string} id The member.
   * @param {Grounds} [grounds]
   * @param {CallOptions} [options]
   * @returns {Reply<Member>}
   */
  ban(id, grounds = {}, options) {
    return this.call("POST", path`/admin/members/${id}/ban`, { body: grounds }, options);
  }

  /**
   * Lets a member in again.
   *
   * @param {string} id The member.
   * @param {CallOptions} [options]
   * @returns {Reply<Member>}
   */
  unban(id, options) {
    return this.call("POST", path`/admin/members/${id}/unban`, {}, options);
  }
}

/** Programs' ways to sign in. */
export class ApiKeys extends Entity {
  /**
   * Lists the keys, the newest first.
   *
   * @param {GetAdminApiKeysQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Reply<Page<ApiKeyView>>}
   */
  list(query = {}, options) {
    return this.call("GET", "/admin/api-keys", { query }, options);
  }

  /**
   * Visits every key.
   *
   * @param {Omit<GetAdminApiKeysQuery, "cursor">} [query]
   * @param {CallOptions} [options]
   * @returns {AsyncGenerator<ApiKeyView, void, void>}
   */
  all(query = {}, options) {
    return rows((cursor) => this.list({ ...query, cursor }, options));
  }

  /**
   * Makes a key, whose token is told now and never again; takes a fresh sign-in.
   *
   * @param {NewApiKey} key
   * @param {CallOptions} [options]
   * @returns {Reply<NewKey>}
   */
  create(key, options) {
    return this.call("POST", "/admin/api-keys", { body: key, isOnce: true }, options);
  }

  /**
   * Takes a key back.
   *
   * @param {string} id The key.
   * @param {CallOptions} [options]
   * @returns {Reply<undefined>}
   */
  revoke(id, options) {
    return this.call("DELETE", path`/admin/api-keys/${id}`, {}, options);
  }
}

/** Work for later. */
export class Queues extends Entity {
  /**
   * Gives the numbers of every queue.
   *
   * @param {CallOptions} [options]
   * @returns {Reply<Page<QueueView>>}
   */
  list(options) {
    return this.call("GET", "/admin/queues", {}, options);
  }

  /**
   * Gives the numbers of one queue.
   *
   * @param {QueueName} name
   * @param {CallOptions} [options]
   * @returns {Reply<QueueView>}
   */
  get(name, options) {
    return this.call("GET", path`/admin/queues/${name}`, {}, options);
  }

  /**
   * Lists jobs of a queue.
   *
   * @param {QueueName} name
   * @param {GetAdminQueuesNameJobsQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Reply<Page<JobView>>}
   */
  jobs(name, query = {}, options) {
    return this.call("GET", path`/admin/queues/${name}/jobs`, { query }, options);
  }

  /**
   * Visits every job of a queue.
   *
   * @param {QueueName} name
   * @param {Omit<GetAdminQueuesNameJobsQuery, "cursor">} [query]
   * @param {CallOptions} [options]
   * @returns {AsyncGenerator<JobView, void, void>}
   */
  allJobs(name, query = {}, options) {
    return rows((cursor) => this.jobs(name, { ...query, cursor }, options));
  }

  /**
   * Begins no more jobs.
   *
   * @param {QueueName} name
   * @param {CallOptions} [options]
   * @returns {Reply<QueueView>}
   */
  pause(name, options) {
    return this.call("POST", path`/admin/queues/${name}/pause`, {}, options);
  }

  /**
   * Goes on.
   *
   * @param {QueueName} name
   * @param {CallOptions} [options]
   * @returns {Reply<QueueView>}
   */
  resume(name, options) {
    return this.call("POST", path`/admin/queues/${name}/resume`, {}, options);
  }

  /**
   * Clears away finished jobs.
   *
   * @param {QueueName} name
   * @param {Cleaning} [cleaning]
   * @param {CallOptions} [options]
   * @returns {Reply<JobCount>}
   */
  clean(name, cleaning = {}, options) {
    return this.call("POST", path`/admin/queues/${name}/clean`, { body: cleaning }, options);
  }

  /**
   * Tries failed jobs again.
   *
   * @param {QueueName} name
   * @param {CallOptions} [options]
   * @returns {Reply<JobCount>}
   */
  retryFailed(name, options) {
    return this.call("POST", path`/admin/queues/${name}/retry-failed`, {}, options);
  }

  /**
   * Begins delayed jobs now.
   *
   * @param {QueueName} name
   * @param {CallOptions} [options]
   * @returns {Reply<JobCount>}
   */
  promote(name, options) {
    return this.call("POST", path`/admin/queues/${name}/promote`, {}, options);
  }

  /**
   * Begins one delayed job now.
   *
   * @param {QueueName} name
   * @param {string} id The job.
   * @param {CallOptions} [options]
   * @returns {Reply<JobView>}
   */
  promoteJob(name, id, options) {
    return this.call("POST", path`/admin/queues/${name}/jobs/${id}/promote`, {}, options);
  }
}

/** Everything that only admins do. */
export class Admin extends Entity {
  /** @param {import("./entity.js").Http} http */
  constructor(http) {
    super(http);
    this.members = new Members(http);
    this.apiKeys = new ApiKeys(http);
    this.queues = new Queues(http);
  }

  /**
   * Says how much the library is used.
   *
   * @param {import("../schema.js").GetAdminAnalyticsQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Reply<import("../schema.js").AnalyticsView>}
   */
  analytics(query = {}, options) {
    return this.call("GET", "/admin/analytics", { query }, options);
  }

  /**
   * Lists the imported lists.
   *
   * @param {CallOptions} [options]
   * @returns {Reply<Page<import("../schema.js").List>>}
   */
  lists(options) {
    return this.call("GET", "/admin/lists", {}, options);
  }

  /**
   * Brings a list onto the shelf, or says what that would do (`dry_run`).
   *
   * @param {string | Blob | Uint8Array<ArrayBuffer>} file
   * @param {import("../schema.js").PostAdminImportQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Reply<import("../schema.js").ImportReport>}
   */
  import(file, query = {}, options) {
    const what = { query, body: file, type: "application/octet-stream" };
    return this.call("POST", "/admin/import", what, { timeout: WHOLE_LISTS, ...options });
  }

  /**
   * Gives the library as a file.
   *
   * @param {import("../schema.js").GetAdminExportQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Reply<string>}
   */
  export(query = {}, options) {
    return this.call("GET", "/admin/export", { query, as: "text" }, { timeout: WHOLE_LISTS, ...options });
  }
}
