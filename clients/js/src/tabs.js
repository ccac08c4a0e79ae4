/** @typedef {import("./schema.js").Member} Member */

/**
 * Hears who is signed in now; without a word it is to be looked up.
 *
 * @callback Hear
 * @param {Member | null} [member]
 * @returns {void}
 */

/**
 * What tabs do for each other, passed in so that tests can be two tabs.
 *
 * @typedef {object} Tabs
 * @property {<T>(name: string, run: () => Promise<T>) => Promise<T>} alone Runs something while no other tab does.
 * @property {(name: string, hear: Hear) => { tell: Hear, close: () => void }} join Hears when another tab signs in or out.
 */

/**
 * What another tab has written reaches this one's process a moment later, in milliseconds: who takes the lock over, or
 * hears of a change, would read at once what was there before.
 */
const SETTLING = 50;

/** @type {Tabs} */
export const browserTabs = {
  // Without locks the site helps: tabs that refresh within half a minute all get the same tokens.
  alone: async (name, run) => {
    const locks = globalThis.navigator?.locks;
    if (!locks) return run();
    let hasWaited = true;
    const lock = `upshelf:${name}`;
    await locks.request(lock, { ifAvailable: true }, async (free) => void (hasWaited = free === null));
    return await locks.request(lock, async () => {
      if (hasWaited) await new Promise((resolve) => setTimeout(resolve, SETTLING));
      return run();
    });
  },

  join: (name, hear) => {
    if (typeof BroadcastChannel === "undefined") return joinByStorage(name, hear);
    const channel = new BroadcastChannel(`upshelf:${name}`);
    channel.onmessage = ({ data }) => void setTimeout(() => hear(data), SETTLING);
    // In Node an open channel would keep the program running.
    /** @type {{ unref?: () => void }} */ (channel).unref?.();
    return { tell: (member) => channel.postMessage(member), close: () => channel.close() };
  },
};

/**
 * Old browsers tell at least of changes of `localStorage`, by themselves.
 *
 * @param {string} name
 * @param {Hear} hear
 */
function joinByStorage(name, hear) {
  /** @param {StorageEvent} event */
  const listen = (event) => event.key === name && hear();
  globalThis.addEventListener?.("storage", listen);
  return { tell: () => {}, close: () => globalThis.removeEventListener?.("storage", listen) };
}
