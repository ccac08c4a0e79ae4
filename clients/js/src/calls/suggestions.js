import { Entity, path, rows } from "./entity.js";

/**
 * @typedef {import("./entity.js").CallOptions} CallOptions
 * @typedef {import("../schema.js").CommentView} CommentView
 * @typedef {import("../schema.js").GetLogQuery} GetLogQuery
 * @typedef {import("../schema.js").GetSuggestionsIdCommentsQuery} GetSuggestionsIdCommentsQuery
 * @typedef {import("../schema.js").GetSuggestionsQuery} GetSuggestionsQuery
 * @typedef {import("../schema.js").GetSuggestionsTopQuery} GetSuggestionsTopQuery
 * @typedef {import("../schema.js").Grounds} Grounds
 * @typedef {import("../schema.js").LogEntry} LogEntry
 * @typedef {import("../schema.js").MyVote} MyVote
 * @typedef {import("../schema.js").Proposal} Proposal
 * @typedef {import("../schema.js").Standing} Standing
 * @typedef {import("../schema.js").SuggestionView} SuggestionView
 * @typedef {import("../schema.js").VoteView} VoteView
 */

/**
 * @template T
 * @typedef {import("./entity.js").Reply<T>} Reply
 */

/**
 * @template T
 * @typedef {import("../schema.js").Page<T>} Page
 */

/** What members propose, and what others think of it. */
export class Suggestions extends Entity {
  /**
   * Lists suggestions.
   *
   * @param {GetSuggestionsQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Reply<Page<SuggestionView>>}
   */
  list(query = {}, options) {
    return this.call("GET", "/suggestions", { query }, options);
  }

  /**
   * Visits every suggestion that `list` would show.
   *
   * @param {Omit<GetSuggestionsQuery, "cursor">} [query]
   * @param {CallOptions} [options]
   * @returns {AsyncGenerator<SuggestionView, void, void>}
   */
  all(query = {}, options) {
    return rows((cursor) => this.list({ ...query, cursor }, options));
  }

  /**
   * Lists the open suggestions with the highest scores.
   *
   * @param {GetSuggestionsTopQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Reply<Page<SuggestionView>>}
   */
  top(query = {}, options) {
    return this.call("GET", "/suggestions/top", { query }, options);
  }

  /**
   * Gives a suggestion.
   *
   * @param {string} id The suggestion.
   * @param {CallOptions} [options]
   * @returns {Reply<SuggestionView>}
   */
  get(id, options) {
    return this.call("GET", path`/suggestions/${id}`, {}, options);
  }

  /**
   * Proposes a change.
   *
   * @param {Proposal} proposal
   * @param {CallOptions} [options]
   * @returns {Reply<SuggestionView>}
   */
  create(proposal, options) {
    return this.call("POST", "/suggestions", { body: proposal }, options);
  }

  /**
   * Takes back one's own suggestion.
   *
   * @param {string} id The suggestion.
   * @param {CallOptions} [options]
   * @returns {Reply<SuggestionView>}
   */
  withdraw(id, options) {
    return this.call("POST", path`/suggestions/${id}/withdraw`, {}, options);
  }

  /**
   * Votes; voting again replaces the vote.
   *
   * @param {string} id The suggestion.
   * @param {1 | -1} value In favour or against.
   * @param {CallOptions} [options]
   * @returns {Reply<VoteView>}
   */
  vote(id, value, options) {
    return this.call("PUT", path`/suggestions/${id}/vote`, { body: { value } }, options);
  }

  /**
   * Takes back one's vote.
   *
   * @param {string} id The suggestion.
   * @param {CallOptions} [options]
   * @returns {Reply<VoteView>}
   */
  retractVote(id, options) {
    return this.call("DELETE", path`/suggestions/${id}/vote`, {}, options);
  }

  /**
   * Gives one's own vote.
   *
   * @param {string} id The suggestion.
   * @param {CallOptions} [options]
   * @returns {Reply<MyVote>}
   */
  myVote(id, options) {
    return this.call("GET", path`/suggestions/${id}/vote`, {}, options);
  }

  /**
   * Gives the votes, counted.
   *
   * @param {string} id The suggestion.
   * @param {CallOptions} [options]
   * @returns {Reply<Standing>}
   */
  standing(id, options) {
    return this.call("GET", path`/suggestions/${id}/votes`, {}, options);
  }

  /**
   * Lists what is said about a suggestion, the oldest first.
   *
   * @param {string} id The suggestion.
   * @param {GetSuggestionsIdCommentsQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Reply<Page<CommentView>>}
   */
  comments(id, query = {}, options) {
    return this.call("GET", path`/suggestions/${id}/comments`, { query }, options);
  }

  /**
   * Visits every comment on a suggestion.
   *
   * @param {string} id The suggestion.
   * @param {Omit<GetSuggestionsIdCommentsQuery, "cursor">} [query]
   * @param {CallOptions} [options]
   * @returns {AsyncGenerator<CommentView, void, void>}
   */
  allComments(id, query = {}, options) {
    return rows((cursor) => this.comments(id, { ...query, cursor }, options));
  }

  /**
   * Says something about a suggestion.
   *
   * @param {string} id The suggestion.
   * @param {string} body The words, in Markdown.
   * @param {CallOptions} [options]
   * @returns {Reply<CommentView>}
   */
  comment(id, body, options) {
    return this.call("POST", path`/suggestions/${id}/comments`, { body: { body } }, options);
  }

  /**
   * Applies a suggestion now; for curators.
   *
   * @param {string} id The suggestion.
   * @param {Grounds} [grounds]
   * @param {CallOptions} [options]
   * @returns {Reply<SuggestionView>}
   */
  approve(id, grounds = {}, options) {
    return this.call("POST", path`/suggestions/${id}/approve`, { body: grounds }, options);
  }

  /**
   * Refuses a suggestion; for curators.
   *
   * @param {string} id The suggestion.
   * @param {Grounds} [grounds]
   * @param {CallOptions} [options]
   * @returns {Reply<SuggestionView>}
   */
  reject(id, grounds = {}, options) {
    return this.call("POST", path`/suggestions/${id}/reject`, { body: grounds }, options);
  }

  /**
   * Keeps the rule from approving a suggestion; for curators.
   *
   * @param {string} id The suggestion.
   * @param {Grounds} [grounds]
   * @param {CallOptions} [options]
   * @returns {Reply<SuggestionView>}
   */
  stop(id, grounds = {}, options) {
    return this.call("POST", path`/suggestions/${id}/stop`, { body: grounds }, options);
  }
}

/** The public record of every change of state. */
export class Log extends Entity {
  /**
   * Lists entries of the log, the newest first.
   *
   * @param {GetLogQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Reply<Page<LogEntry>>}
   */
  list(query = {}, options) {
    return this.call("GET", "/log", { query }, options);
  }

  /**
   * Visits every entry that `list` would show.
   *
   * @param {Omit<GetLogQuery, "cursor">} [query]
   * @param {CallOptions} [options]
   * @returns {AsyncGenerator<LogEntry, void, void>}
   */
  all(query = {}, options) {
    return rows((cursor) => this.list({ ...query, cursor }, options));
  }
}
