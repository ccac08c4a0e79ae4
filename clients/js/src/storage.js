/**
 * What is kept of a sign-in.
 *
 * @typedef {object} Kept
 * @property {string} access_token
 * @property {string} refresh_token
 * @property {number} access_until When the access token ends by this machine's clock, in milliseconds since 1970.
 * @property {number} refresh_from From when it should be refreshed, likewise.
 * @property {import("./schema.js").Member} member Who is signed in.
 */

/**
 * Where a sign-in is kept. Your own object may be asynchronous, as one over a keychain is.
 *
 * @typedef {object} Storage
 * @property {string} [name] Shared by all clients that keep the same sign-in. With it they refresh one after another (Web
 *   Locks, where there are some) and tell each other who signs in and out.
 * @property {() => Kept | null | Promise<Kept | null>} load
 * @property {(kept: Kept) => void | Promise<void>} save
 * @property {() => void | Promise<void>} clear
 */

/**
 * Keeps a sign-in as long as the page or the program runs.
 *
 * @returns {Storage}
 */
export function memoryStorage() {
  /** @type {Kept | null} */
  let held = null;
  return {
    load: () => held,
    save: (kept) => void (held = kept),
    clear: () => void (held = null),
  };
}

/**
 * Keeps a sign-in in the browser, for all tabs. Scripts of the same origin can read it: prefer the site's cookies where
 * the page is served by the site itself.
 *
 * @param {string} [name]
 * @param {Pick<globalThis.Storage, "getItem" | "setItem" | "removeItem">} [place]
 * @returns {Storage}
 */
export function browserStorage(name = "upshelf", place = globalThis.localStorage) {
  return {
    name,
    load: () => read(place.getItem(name)),
    save: (kept) => place.setItem(name, JSON.stringify(kept)),
    clear: () => place.removeItem(name),
  };
}

/**
 * Reads what was kept; what somebody else left there is nobody's sign-in.
 *
 * @param {string | null} text
 * @returns {Kept | null}
 */
function read(text) {
  try {
    const kept = JSON.parse(text ?? "null");
    return typeof kept?.access_token === "string" && typeof kept.refresh_token === "string" ? kept : null;
  } catch {
    return null;
  }
}
