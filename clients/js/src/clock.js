/**
 * Time and chance, passed in, so that tests own both.
 *
 * @typedef {object} Clock
 * @property {() => number} now Milliseconds since 1970.
 * @property {() => number} random At least 0, less than 1.
 * @property {(ms: number, run: () => void) => () => void} after Runs something later; gives what cancels it.
 */

/** Longer waits overflow the timers of browsers, and would run at once. */
const LONGEST_WAIT = 2 ** 31 - 1;

/** @type {Clock} */
export const systemClock = {
  now: () => Date.now(),
  random: () => Math.random(),
  after: (ms, run) => {
    const timer = setTimeout(run, Math.min(ms, LONGEST_WAIT));
    return () => clearTimeout(timer);
  },
};

/**
 * Waits, unless the signal is raised first.
 *
 * @param {Clock} clock
 * @param {number} ms
 * @param {AbortSignal} [signal]
 * @returns {Promise<boolean>} Whether the time has passed.
 */
export function wait(clock, ms, signal) {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve(false);
    const stop = () => {
      cancel();
      resolve(false);
    };
    const cancel = clock.after(ms, () => {
      signal?.removeEventListener("abort", stop);
      resolve(true);
    });
    signal?.addEventListener("abort", stop, { once: true });
  });
}

/**
 * How long to wait before the next attempt: anything up to a limit that doubles (full jitter), so that many clients that
 * were cut off together do not come back together.
 *
 * @param {Clock} clock
 * @param {number} attempt Attempts made so far, from 1.
 * @param {{ least: number, most: number }} bounds In milliseconds.
 * @returns {number}
 */
export function backoff(clock, attempt, { least, most }) {
  const limit = Math.min(most, least * 2 ** Math.min(attempt, 30));
  return least + clock.random() * (limit - least);
}
