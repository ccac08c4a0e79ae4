/** A clock that is set by hand: time passes when the test says so. */
export class HandClock {
  #now = Date.parse("2026-01-01T00:00:00Z");
  /** @type {Set<{ at: number, run: () => void }>} */
  #timers = new Set();
  #added = [];
  /** What `random` gives. */
  chance = 0.5;

  now = () => this.#now;
  random = () => this.chance;
  after = (ms, run) => {
    const timer = { at: this.#now + ms, run };
    this.#timers.add(timer);
    for (const heard of this.#added.splice(0)) heard();
    return () => void this.#timers.delete(timer);
  };

  /** The waits that are on, in milliseconds from now, the shortest first. */
  get waits() {
    return [...this.#timers].map((timer) => timer.at - this.#now).sort((a, b) => a - b);
  }

  /** Lets time pass. */
  pass(ms) {
    const until = this.#now + ms;
    for (;;) {
      const next = [...this.#timers].filter((timer) => timer.at <= until).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.run();
    }
    this.#now = until;
  }

  /** Comes when somebody waits on this clock for between `least` and `most`. */
  async seeWait(least, most) {
    for (;;) {
      const wait = this.waits.find((each) => each >= least && each <= most);
      if (wait !== undefined) return wait;
      await new Promise((heard) => this.#added.push(heard));
    }
  }

  /** Lets such a wait pass. */
  async passWait(least, most) {
    const wait = await this.seeWait(least, most);
    this.pass(wait);
    return wait;
  }
}
