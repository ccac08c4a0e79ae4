import { failure, problemOf, ProblemError } from "../problem.js";

/**
 * @template T
 * @typedef {import("../problem.js").Result<T>} Result
 */

/**
 * What goes with a subscription.
 *
 * @typedef {object} FeedOptions
 * @property {AbortSignal} [signal] Ends it.
 * @property {() => void} [lost] Something was missed and does not come any more: read anew what you show.
 * @property {(problem: import("../problem.js").Problem) => void} [ended] It has ended, and not by `stop` or the signal.
 */

/** Who reads so slowly has lost touch: better to read anew than to fill the memory. */
const MOST_UNREAD = 10_000;

/**
 * A subscription: it calls back, or can be read with `for await`.
 *
 * @template T
 * @implements {AsyncIterable<T>}
 */
export class Feed {
  #options;
  #listener;
  /** @type {T[]} */
  #unread = [];
  #isRead = false;
  /** @type {(() => void) | null} */
  #wake = null;
  /** @type {import("../problem.js").Problem | null} */
  #problem = null;
  #isOver = false;
  #leave = () => {};
  /** @type {(result: { ok: true } | import("../problem.js").Failure) => void} */
  #settle = () => {};

  /**
   * @param {((item: T) => void) | undefined} listener
   * @param {FeedOptions} options
   */
  constructor(listener, options) {
    this.#listener = listener;
    this.#options = options;
    // Nothing is missed between now and the first `for await`.
    this.#isRead = listener === undefined;
    /**
     * Comes when the subscription stands for the first time, or when it cannot.
     *
     * @type {Promise<{ ok: true } | import("../problem.js").Failure>}
     */
    this.ready = new Promise((resolve) => (this.#settle = resolve));
  }

  /**
   * Says how to unsubscribe.
   *
   * @internal
   * @param {() => void} leave
   */
  start(leave) {
    this.#leave = leave;
    if (this.#isOver) return leave();
    const { signal } = this.#options;
    if (signal?.aborted) this.stop();
    else signal?.addEventListener("abort", this.stop, { once: true });
  }

  /** @internal @param {T} item */
  put(item) {
    if (this.#isOver) return;
    this.#listener?.(item);
    if (!this.#isRead) return;
    this.#unread.push(item);
    if (this.#unread.length > MOST_UNREAD) {
      this.#unread = [];
      this.lost();
    }
    this.#wake?.();
  }

  /** @internal */
  lost() {
    this.#options.lost?.();
  }

  /** @internal */
  begun() {
    this.#settle({ ok: true });
  }

  /** @internal @param {import("../problem.js").Problem} problem */
  ended(problem) {
    if (this.#isOver) return;
    this.#problem = problem;
    this.#finish();
    this.#options.ended?.(problem);
  }

  /** Ends it. */
  stop = () => {
    this.#finish();
  };

  #finish() {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.signal?.removeEventListener("abort", this.stop);
    this.#settle(failure(this.#problem ?? problemOf("aborted", "The subscription was ended.")));
    this.#leave();
    this.#wake?.();
  }

  /**
   * Reads what comes. It ends with the subscription, and throws a {@link ProblemError} where that ended by itself.
   *
   * @returns {AsyncGenerator<T, void, void>}
   */
  async *[Symbol.asyncIterator]() {
    this.#isRead = true;
    try {
      for (;;) {
        const item = this.#unread.shift();
        if (item !== undefined) yield item;
        else if (this.#problem) throw new ProblemError(this.#problem);
        else if (this.#isOver) return;
        else await new Promise((resolve) => (this.#wake = () => resolve(undefined)));
      }
    } finally {
      this.stop();
    }
  }
}
