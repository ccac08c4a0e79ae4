/**
 * What tabs do for each other, passed in so that tests can be two tabs.
 *
 * @typedef {object} Tabs
 * @property {<T>(name: string, run: () => Promise<T>) => Promise<T>} alone Runs something while no other tab does.
 * @property {(name: string, hear: () => void) => { tell: () => void, close: () => void }} join Hears when another tab signs
 *   in or out.
 */

/** @type {Tabs} */
export const browserTabs = {
  // Without locks the site helps: tabs that refresh within half a minute all get the same tokens.
  alone: async (name, run) => {
    const locks = globalThis.navigator?.locks;
    return locks ? await locks.request(`upshelf:${name}`, () => run()) : run();
  },

  join: (name, hear) => {
    if (typeof BroadcastChannel === "undefined") return joinByStorage(name, hear);
    const channel = new BroadcastChannel(`upshelf:${name}`);
    channel.onmessage = hear;
    // In Node an open channel would keep the program running.
    /** @type {{ unref?: () => void }} */ (channel).unref?.();
    return { tell: () => channel.postMessage("changed"), close: () => channel.close() };
  },
};

/**
 * Old browsers tell at least of changes of `localStorage`, by themselves.
 *
 * @param {string} name
 * @param {() => void} hear
 */
function joinByStorage(name, hear) {
  /** @param {StorageEvent} event */
  const listen = (event) => event.key === name && hear();
  globalThis.addEventListener?.("storage", listen);
  return { tell: () => {}, close: () => globalThis.removeEventListener?.("storage", listen) };
}
