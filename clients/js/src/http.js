import { backoff, wait } from "./clock.js";
import { failure, problemOf } from "./problem.js";
import { problemOfReply } from "./reply.js";

/**
 * @typedef {import("./clock.js").Clock} Clock
 * @typedef {import("./session.js").Session} Session
 */

/**
 * What any call takes beside its own arguments.
 *
 * @typedef {object} CallOptions
 * @property {AbortSignal} [signal] Gives the call up.
 * @property {number} [timeout] How long one attempt may take, in milliseconds.
 * @property {string} [idempotencyKey] Names the request, so that a later call with the same key is not done again. One is
 *   made up for each call where none is given.
 */

/**
 * A request to be made.
 *
 * @typedef {object} Call
 * @property {string} method
 * @property {string} path From the root of the site.
 * @property {Record<string, string | number | boolean | null | undefined>} [query]
 * @property {unknown} [body] Sent as JSON, unless `type` says what it is.
 * @property {string} [type] The media type of a body that is sent as it is.
 * @property {"json" | "text"} [as] How the reply is read; JSON without it.
 * @property {number[]} [accepts] Error statuses whose body is an answer all the same.
 * @property {boolean} [isOnce] Whether it must not be sent again: its reply holds a secret, which the site does not keep.
 * @property {boolean} [isAnonymous] Whether it goes without a sign-in.
 * @property {CallOptions} [options]
 */

/** Sends requests: in time, again where that is safe, and as whoever is signed in. */
export class Http {
  /** @type {Session} */
  #session;
  #settings;

  /**
   * @param {object} settings
   * @param {string} settings.baseUrl
   * @param {typeof globalThis.fetch} settings.fetch
   * @param {Clock} settings.clock
   * @param {number} settings.timeout Of one attempt, in milliseconds.
   * @param {number} settings.retries How often a request is sent again.
   * @param {Session} settings.session
   */
  constructor(settings) {
    this.#settings = settings;
    this.#session = settings.session;
  }

  /**
   * @param {Call} call
   * @returns {Promise<import("./problem.js").Result<any>>}
   */
  async send(call) {
    const { clock, retries } = this.#settings;
    const key = call.method === "GET" || call.isOnce ? undefined : (call.options?.idempotencyKey ?? newKey());
    const mayRepeat = call.method === "GET" || key !== undefined;
    for (let attempt = 1; ; attempt += 1) {
      const result = await this.#signedIn(call, key);
      if (result.ok || !mayRepeat || attempt > retries) return result;
      const pause = pauseBefore(clock, attempt, result.problem);
      if (pause === null) return result;
      if (!(await wait(clock, pause, call.options?.signal))) return failure(problemOf("aborted", GIVEN_UP));
    }
  }

  /**
   * Sends a request as whoever is signed in; once more with a new token when the site no longer takes the old one.
   *
   * @param {Call} call
   * @param {string | undefined} key
   */
  async #signedIn(call, key) {
    if (call.isAnonymous) return this.#once(call, key, null);
    const token = await this.#session.token();
    if (!token.ok) return token;
    const result = await this.#once(call, key, token.value);
    if (result.ok || result.problem.status !== 401 || token.value === null) return result;
    const next = await this.#session.renew(token.value);
    if (!next.ok) return next;
    return next.value === null ? result : this.#once(call, key, next.value);
  }

  /**
   * @param {Call} call
   * @param {string | undefined} key
   * @param {string | null} token
   * @returns {Promise<import("./problem.js").Result<any>>}
   */
  async #once(call, key, token) {
    const { clock, baseUrl, fetch } = this.#settings;
    const signal = call.options?.signal;
    const attempt = new AbortController();
    const abort = () => attempt.abort();
    const cancel = clock.after(call.options?.timeout ?? this.#settings.timeout, abort);
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort, { once: true });
    try {
      const reply = await fetch(address(baseUrl, call), {
        method: call.method,
        headers: headers(call, key, token),
        body: call.type
          ? /** @type {BodyInit} */ (call.body)
          : call.body === undefined
            ? undefined
            : JSON.stringify(call.body),
        signal: attempt.signal,
        credentials: this.#session.usesCookies && !call.isAnonymous ? "same-origin" : "omit",
      });
      if (!reply.ok && !call.accepts?.includes(reply.status)) return failure(await problemOfReply(reply, clock.now()));
      const value = reply.status === 204 ? undefined : call.as === "text" ? await reply.text() : await reply.json();
      return { ok: true, value, status: reply.status, headers: reply.headers };
    } catch (cause) {
      if (signal?.aborted) return failure(problemOf("aborted", GIVEN_UP, { cause }));
      if (attempt.signal.aborted) return failure(problemOf("timeout", "The site did not answer in time.", { cause }));
      if (cause instanceof SyntaxError) {
        return failure(problemOf("reply", "The reply is not the JSON that was announced.", { cause }));
      }
      return failure(problemOf("network", "The site could not be reached.", { cause }));
    } finally {
      cancel();
      signal?.removeEventListener("abort", abort);
    }
  }
}

/** `crypto.randomUUID` is not there on sites without TLS. */
function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * @param {string} baseUrl
 * @param {Call} call
 */
function address(baseUrl, call) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(call.query ?? {})) {
    if (value !== undefined && value !== null) query.set(name, String(value));
  }
  const text = query.toString();
  return `${baseUrl}${call.path}${text && `?${text}`}`;
}

/**
 * @param {Call} call
 * @param {string | undefined} key
 * @param {string | null} token
 */
function headers(call, key, token) {
  /** @type {Record<string, string>} */
  const all = {};
  if (call.as !== "text") all.accept = "application/json";
  if (call.body !== undefined) all["content-type"] = call.type ?? "application/json";
  if (key !== undefined) all["idempotency-key"] = key;
  if (token !== null) all.authorization = `Bearer ${token}`;
  return all;
}

const GIVEN_UP = "The call was given up.";
const BOUNDS = { least: 200, most: 10_000 };
/** A site that asks for more patience than this is answered to the caller, who may have better to do. */
const LONGEST_PATIENCE = 20;
const PASSING = new Set([429, 502, 503, 504]);

/**
 * How long to wait before a request is sent again; `null` when it should not be.
 *
 * @param {Clock} clock
 * @param {number} attempt
 * @param {import("./problem.js").Problem} problem
 */
function pauseBefore(clock, attempt, problem) {
  const isPassing =
    problem.code === "network" ||
    problem.code === "timeout" ||
    problem.code === "idempotency_key_running" ||
    PASSING.has(problem.status);
  const asked = problem.retryAfter ?? 0;
  if (!isPassing || asked > LONGEST_PATIENCE) return null;
  return asked * 1000 + backoff(clock, attempt, BOUNDS);
}
