/** A browser with several tabs, as far as the client sees it: one storage, one lock, one channel between the tabs. */
export class Browser {
  #values = new Map();
  #lock = Promise.resolve();
  #joined = new Set();
  #messages = Promise.resolve();

  storage = {
    getItem: (name) => this.#values.get(name) ?? null,
    setItem: (name, value) => void this.#values.set(name, value),
    removeItem: (name) => void this.#values.delete(name),
  };

  /** What one tab sees of the others. */
  tabs() {
    return {
      alone: (name, run) => {
        const mine = this.#lock.then(run);
        this.#lock = mine.catch(() => {});
        return mine;
      },
      join: (name, hear) => {
        this.#joined.add(hear);
        const tell = (member) => {
          const others = [...this.#joined].filter((other) => other !== hear);
          this.#messages = this.#messages.then(() => others.forEach((other) => other(member)));
        };
        return { tell, close: () => void this.#joined.delete(hear) };
      },
    };
  }

  /** Comes when every message has been heard. */
  async quiet() {
    await this.#messages;
    await new Promise((next) => setImmediate(next));
  }
}
