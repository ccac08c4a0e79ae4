import { failure } from "./problem.js";

/**
 * @typedef {import("./clock.js").Clock} Clock
 * @typedef {import("./problem.js").Problem} Problem
 * @typedef {import("./schema.js").Member} Member
 * @typedef {import("./schema.js").SignedIn} SignedIn
 * @typedef {import("./storage.js").Kept} Kept
 * @typedef {import("./storage.js").Storage} Storage
 * @typedef {import("./tabs.js").Tabs} Tabs
 */

/**
 * @template T
 * @typedef {import("./problem.js").Result<T>} Result
 */

/**
 * The token that a request goes with; `null` for none.
 *
 * @typedef {{ ok: true, value: string | null } | import("./problem.js").Failure} Token
 */

/**
 * How requests are signed: with tokens that the client keeps and refreshes, with the site's cookies, or with an API key.
 *
 * @typedef {{ storage?: Storage } | "cookie" | { key: string }} Auth
 */

/**
 * Who is signed in now; `null` when nobody is, or when that is only known to the site (cookies, API keys).
 *
 * @callback OnChange
 * @param {Member | null} member
 * @returns {void}
 */

/** What the site answers when a refresh token is worth nothing any more. Nothing else signs anybody out. */
const REFUSALS = new Set(["token_invalid", "token_expired", "token_reused", "session_ended"]);
/** A token is refreshed so long before it ends, in milliseconds; a short-lived one when nine tenths of its life are over. */
const MARGIN = 60_000;

/** Keeps the sign-in: hands out tokens that hold, and refreshes them once for all who wait. */
export class Session {
  #clock;
  #tabs;
  /** @type {Storage | null} */
  #storage = null;
  /** @type {string | null} */
  #key = null;
  /** @type {Promise<Token> | null} */
  #renewal = null;
  /** @type {Set<OnChange>} */
  #listeners = new Set();
  /** @type {ReturnType<Tabs["join"]> | null} */
  #others = null;
  /** @type {(refreshToken: string) => Promise<Result<SignedIn>>} */
  #exchange;

  /**
   * @param {object} parts
   * @param {Auth} parts.auth
   * @param {Storage} parts.memory Where tokens are kept if the caller has no place for them.
   * @param {Clock} parts.clock
   * @param {Tabs} parts.tabs
   * @param {(refreshToken: string) => Promise<Result<SignedIn>>} parts.exchange Asks the site for the next tokens.
   */
  constructor({ auth, memory, clock, tabs, exchange }) {
    this.#clock = clock;
    this.#tabs = tabs;
    this.#exchange = exchange;
    /** Whether the browser's cookies sign in. */
    this.usesCookies = auth === "cookie";
    /** Whether an API key signs in. */
    this.usesKey = auth !== "cookie" && "key" in auth;
    if (auth === "cookie") return;
    if ("key" in auth) this.#key = auth.key;
    else this.#storage = auth.storage ?? memory;
    const name = this.#storage?.name;
    if (name) this.#others = tabs.join(name, (member) => void this.#heard(member));
  }

  /**
   * Gives a token that holds.
   *
   * @returns {Promise<Token>}
   */
  async token() {
    const kept = await this.#load();
    if (kept === null) return { ok: true, value: this.#key };
    if (this.#clock.now() < kept.refresh_from) return { ok: true, value: kept.access_token };
    const next = await this.renew(kept.access_token);
    // A site that cannot be asked right now may still take the token, until it ends.
    const isStillGood = this.#clock.now() < kept.access_until;
    return !next.ok && isStillGood ? { ok: true, value: kept.access_token } : next;
  }

  /**
   * Gives another token than `old`, which the site no longer takes; `null` when there is none to be had.
   *
   * @param {string} old
   * @returns {Promise<Token>}
   */
  renew(old) {
    if (!this.#storage) return Promise.resolve({ ok: true, value: null });
    this.#renewal ??= this.#renewAlone(old).finally(() => (this.#renewal = null));
    return this.#renewal;
  }

  /**
   * @param {string} old
   * @returns {Promise<Token>}
   */
  async #renewAlone(old) {
    const known = await this.#load();
    if (known?.access_token !== old) return { ok: true, value: known?.access_token ?? null };
    const name = this.#storage?.name;
    const run = () => this.#renew(known);
    return name ? this.#tabs.alone(name, run) : run();
  }

  /**
   * @param {Kept} known
   * @returns {Promise<Token>}
   */
  async #renew(known) {
    const kept = await this.#load();
    // Another tab was faster.
    if (kept?.refresh_token !== known.refresh_token) return { ok: true, value: kept?.access_token ?? null };
    const next = await this.#exchange(kept.refresh_token);
    if (next.ok) {
      await this.#keep(next.value);
      return { ok: true, value: next.value.access_token };
    }
    if (next.problem.status !== 401 || !REFUSALS.has(next.problem.code)) return failure(next.problem);
    // Somebody may have signed in anew meanwhile; that sign-in is not the one that was refused.
    if ((await this.#load())?.refresh_token === kept.refresh_token) await this.forget();
    return { ok: true, value: null };
  }

  /**
   * Takes on a new sign-in.
   *
   * @param {SignedIn} signedIn
   */
  async begin(signedIn) {
    await this.#keep(signedIn);
    this.#others?.tell(signedIn.member);
    this.#tell(signedIn.member);
  }

  /** Drops the sign-in, here and in the other tabs, without asking the site. */
  async forget() {
    await this.#storage?.clear();
    this.#others?.tell(null);
    this.#tell(null);
  }

  /**
   * Who signed in.
   *
   * @returns {Promise<Member | null>}
   */
  async member() {
    return (await this.#load())?.member ?? null;
  }

  /**
   * Calls back whenever somebody signs in or out, in whichever tab.
   *
   * @param {OnChange} listener
   * @returns {() => void} Ends it.
   */
  onChange(listener) {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Hears no more of other tabs. */
  close() {
    this.#others?.close();
    this.#listeners.clear();
  }

  async #load() {
    return (await this.#storage?.load()) ?? null;
  }

  /** @param {Member | null} [member] */
  async #heard(member) {
    this.#tell(member === undefined ? await this.member() : member);
  }

  /** @param {Member | null} member */
  #tell(member) {
    for (const listener of [...this.#listeners]) listener(member);
  }

  /** @param {SignedIn} signedIn */
  async #keep({ access_token, refresh_token, access_expires_at, member }) {
    const now = this.#clock.now();
    const life = lifetime(access_token, Date.parse(access_expires_at) - now);
    const access_until = now + life;
    const refresh_from = access_until - Math.min(MARGIN, life / 10);
    await this.#storage?.save({ access_token, refresh_token, access_until, refresh_from, member });
  }
}

/**
 * How long an access token holds from now, in milliseconds. It says itself when it was made and when it ends, which is
 * right also where this machine's clock is not.
 *
 * @param {string} token
 * @param {number} otherwise
 */
function lifetime(token, otherwise) {
  try {
    const claims = JSON.parse(atob((token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/")));
    const life = (claims.exp - claims.iat) * 1000;
    return life > 0 ? life : otherwise;
  } catch {
    return otherwise;
  }
}
