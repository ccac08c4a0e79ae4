import { Entity, path } from "./entity.js";

/**
 * @typedef {import("./entity.js").CallOptions} CallOptions
 * @typedef {import("../schema.js").Member} Member
 * @typedef {import("../schema.js").SignedIn} SignedIn
 */

/**
 * @template T
 * @typedef {import("./entity.js").Reply<T>} Reply
 */

/** Signing in and out. Tokens are kept and refreshed by the client; you need not touch them. */
export class Auth extends Entity {
  #session;

  /**
   * @param {import("./entity.js").Http} http
   * @param {import("../session.js").Session} session
   */
  constructor(http, session) {
    super(http);
    this.#session = session;
  }

  /**
   * Makes an account and signs it in.
   *
   * @param {import("../schema.js").Registration} registration
   * @param {CallOptions} [options]
   */
  register(registration, options) {
    return this.#begin("/auth/register", registration, options);
  }

  /**
   * Signs in.
   *
   * @param {import("../schema.js").Credentials} credentials
   * @param {CallOptions} [options]
   */
  login(credentials, options) {
    return this.#begin("/auth/login", credentials, options);
  }

  /**
   * Makes the first admin of a new site and signs them in.
   *
   * @param {import("../schema.js").SetUp} setUp
   * @param {CallOptions} [options]
   */
  setUp(setUp, options) {
    return this.#begin("/setup", setUp, options);
  }

  /**
   * Exchanges a refresh token. The client does so by itself; this is for tokens that you keep elsewhere.
   *
   * @param {string} refreshToken
   * @param {CallOptions} [options]
   * @returns {Reply<SignedIn>}
   */
  refresh(refreshToken, options) {
    const body = { refresh_token: refreshToken };
    return this.call("POST", "/auth/refresh", { body, isOnce: true, isAnonymous: true }, options);
  }

  /**
   * Signs out. The tokens are kept until the site has ended the session, so that it can be tried again; {@link forget}
   * drops them at once.
   *
   * @param {CallOptions} [options]
   * @returns {Reply<undefined>}
   */
  logout(options) {
    return this.#end("/auth/logout", options);
  }

  /**
   * Signs out on every device.
   *
   * @param {CallOptions} [options]
   * @returns {Reply<undefined>}
   */
  logoutAll(options) {
    return this.#end("/auth/logout-all", options);
  }

  /** Drops the tokens, here and in other tabs, without asking the site. */
  forget() {
    return this.#session.forget();
  }

  /**
   * Says who is signed in, as the site sees it.
   *
   * @param {CallOptions} [options]
   * @returns {Reply<Member>}
   */
  me(options) {
    return this.call("GET", "/auth/me", {}, options);
  }

  /**
   * Says who signed in with this client, without asking the site; `null` for nobody, for cookies and for API keys.
   *
   * @returns {Promise<Member | null>}
   */
  member() {
    return this.#session.member();
  }

  /**
   * Calls back when somebody signs in or out, in this tab or another.
   *
   * @param {import("../session.js").OnChange} listener
   * @returns {() => void} Ends it.
   */
  onChange(listener) {
    return this.#session.onChange(listener);
  }

  /**
   * Lists the devices on which one is signed in.
   *
   * @param {CallOptions} [options]
   * @returns {Reply<import("../schema.js").Page<import("../schema.js").SessionView>>}
   */
  sessions(options) {
    return this.call("GET", "/auth/sessions", {}, options);
  }

  /**
   * Signs out on another device.
   *
   * @param {string} id The session.
   * @param {CallOptions} [options]
   * @returns {Reply<undefined>}
   */
  endSession(id, options) {
    return this.call("DELETE", path`/auth/sessions/${id}`, {}, options);
  }

  /**
   * Changes the password, and signs out everywhere else.
   *
   * @param {import("../schema.js").PasswordChange} change
   * @param {CallOptions} [options]
   * @returns {Reply<undefined>}
   */
  changePassword(change, options) {
    return this.call("POST", "/auth/password", { body: change }, options);
  }

  /**
   * @param {string} to
   * @param {unknown} body
   * @param {CallOptions} [options]
   * @returns {Reply<SignedIn>}
   */
  async #begin(to, body, options) {
    const result = await this.call("POST", to, { body, isOnce: true, isAnonymous: true }, options);
    if (result.ok) await this.#session.begin(result.value);
    return result;
  }

  /**
   * @param {string} to
   * @param {CallOptions} [options]
   * @returns {Reply<undefined>}
   */
  async #end(to, options) {
    const result = await this.call("POST", to, {}, options);
    if (result.ok || result.problem.status === 401) await this.#session.forget();
    return result;
  }
}
