/**
 * @typedef {import("./schema.js").FieldError} FieldError
 */

/**
 * What went wrong, as RFC 9457 has it. Those of the site come as they are; what never reached it, or came back spoiled,
 * is described here with `status` 0 and one of the types of {@link PROBLEMS}.
 *
 * @typedef {object} Problem
 * @property {string} type Names the kind of problem; `about:blank` where the status says it all.
 * @property {string} title The kind of problem in words.
 * @property {number} status The HTTP status; 0 when there was no reply.
 * @property {string} detail What happened, as a sentence for a person.
 * @property {string} code What happened, as a word for programs: `suggestion_closed`, `network`, …
 * @property {FieldError[]} [errors] What is wrong with single fields.
 * @property {string} [request_id] Names the request in the site's log.
 * @property {number} [retryAfter] In how many seconds the site wants to be asked again.
 * @property {string} [location] Where that is which is there already: a duplicate.
 * @property {unknown} [cause] The error underneath, where there was one.
 */

/**
 * A reply that is as it should be.
 *
 * @template T
 * @typedef {object} Success
 * @property {true} ok
 * @property {T} value What was asked for.
 * @property {number} status The HTTP status.
 * @property {Headers} headers The headers of the reply.
 */

/**
 * A reply that is not.
 *
 * @typedef {object} Failure
 * @property {false} ok
 * @property {Problem} problem Why.
 */

/**
 * What every call comes to. Nothing is thrown: the compiler reminds you of what can go wrong.
 *
 * @template T
 * @typedef {Success<T> | Failure} Result
 */

/** The types of problems that the client describes itself. */
export const PROBLEMS = Object.freeze({
  /** No reply came: no network, no such host, a connection that broke. */
  network: "urn:upshelf:problem:network",
  /** No reply came in time. */
  timeout: "urn:upshelf:problem:timeout",
  /** The caller's `AbortSignal` was raised. */
  aborted: "urn:upshelf:problem:aborted",
  /** A reply came that Upshelf does not give: something stands in between. */
  reply: "urn:upshelf:problem:reply",
  /** Live updates have ended and do not come back by themselves. */
  live: "urn:upshelf:problem:live",
});

const TITLES = {
  network: "No connection",
  timeout: "No reply in time",
  aborted: "Aborted",
  reply: "Unexpected reply",
  live: "No live updates",
};

/**
 * Describes a problem of the client's own.
 *
 * @param {keyof typeof PROBLEMS} kind
 * @param {string} detail
 * @param {Partial<Problem>} [more]
 * @returns {Problem}
 */
export function problemOf(kind, detail, more = {}) {
  return { type: PROBLEMS[kind], title: TITLES[kind], status: 0, detail, code: kind, ...more };
}

/**
 * Wraps a problem as what a call comes to.
 *
 * @param {Problem} problem
 * @returns {Failure}
 */
export function failure(problem) {
  return { ok: false, problem };
}

/** A problem that is thrown, where a value cannot be handed back: by iterators and by {@link unwrap}. */
export class ProblemError extends Error {
  /** @param {Problem} problem */
  constructor(problem) {
    super(`${problem.code}: ${problem.detail}`, { cause: problem.cause });
    this.name = "ProblemError";
    /** What went wrong. */
    this.problem = problem;
  }
}

/**
 * Gives the value of a result, or throws its problem: for scripts, and for code that has one place for errors.
 *
 * @template T
 * @param {Result<T>} result
 * @returns {T}
 */
export function unwrap(result) {
  if (result.ok) return result.value;
  throw new ProblemError(result.problem);
}
