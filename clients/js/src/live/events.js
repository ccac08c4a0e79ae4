import { problemOfReply } from "../reply.js";
import { EventReader, readPositions, writePositions } from "./stream.js";

/**
 * @typedef {import("./channel.js").Channel} Channel
 * @typedef {import("./line.js").Line} Line
 * @typedef {import("./line.js").LineParts} LineParts
 */

/** A comment comes every 25 seconds; so long after the last sign of life the stream is given up, in milliseconds. */
const PATIENCE = 35_000;
/** What is reported where the site did not say why. */
const BROKEN = 1006;

/**
 * One connection over Server-Sent Events: for networks that let no WebSocket through. It is read with `fetch`, which can
 * send a token and is there in Node and in workers.
 *
 * @implements {Line}
 */
export class EventLine {
  #url;
  #fetch;
  #usesCookies;
  /** @type {LineParts} */
  #parts;
  #stream = new AbortController();
  #cancelSilence = () => {};
  #isOpen = false;
  #isOver = false;
  #asked = "";

  /** @param {{ url: string, fetch: typeof globalThis.fetch, usesCookies: boolean, parts: LineParts }} settings */
  constructor({ url, fetch, usesCookies, parts }) {
    this.#url = url;
    this.#fetch = fetch;
    this.#usesCookies = usesCookies;
    this.#parts = parts;
    // Whoever made it must know it first.
    queueMicrotask(() => this.update());
  }

  close() {
    this.#over(1000, "");
  }

  /** What is watched stands in the address, so a change of it is another stream, which goes on where this one is. */
  async update() {
    const personal = await this.#parts.personal();
    if (this.#isOver) return;
    const wanted = [...this.#parts.channels.values()].filter(
      (channel) => channel.isWanted && (!channel.isServerSide || personal),
    );
    const asked = JSON.stringify(
      wanted.map((channel) => [channel.isServerSide ? personal : channel.name, channel.data]),
    );
    if (asked === this.#asked) return;
    this.#asked = asked;
    this.#stream.abort();
    this.#stream = new AbortController();
    void this.#read(wanted, personal, this.#stream.signal);
  }

  again() {
    void this.update();
  }

  /**
   * @param {Channel[]} wanted
   * @param {string | null} personal
   * @param {AbortSignal} signal
   */
  async #read(wanted, personal, signal) {
    try {
      this.#heard();
      const reply = await this.#open(wanted, personal, signal);
      if (signal.aborted) return;
      if (!reply?.body) return this.#over(BROKEN, "no stream");
      const reader = new EventReader();
      const text = reply.body.pipeThrough(new TextDecoderStream());
      for (const source = text.getReader(); ; ) {
        const { done, value } = await source.read();
        if (signal.aborted) return;
        if (done) return this.#over(BROKEN, "the stream ended");
        this.#heard();
        for (const event of reader.read(value)) this.#take(event, personal);
      }
    } catch (error) {
      if (!signal.aborted) this.#over(BROKEN, String(error));
    }
  }

  /**
   * @param {Channel[]} wanted
   * @param {string | null} personal
   * @param {AbortSignal} signal
   */
  async #open(wanted, personal, signal) {
    const token = await this.#parts.token();
    if (!token.ok) return null;
    const query = new URLSearchParams({
      channels: wanted.map((one) => (one.isServerSide ? personal : one.name)).join(","),
    });
    const filter = wanted.map((channel) => /** @type {any} */ (channel.data)?.filter).find(Boolean);
    if (filter) query.set("filter", filter.join(","));
    const positions = writePositions(wanted);
    if (positions) query.set("last_event_id", positions);
    const fetch = this.#fetch;
    const reply = await fetch(`${this.#url}?${query}`, {
      headers: {
        accept: "text/event-stream",
        ...(token.value === null ? {} : { authorization: `Bearer ${token.value}` }),
      },
      credentials: this.#usesCookies ? "same-origin" : "omit",
      cache: "no-store",
      signal,
    });
    if (reply.ok) return reply;
    const problem = await problemOfReply(reply, this.#parts.clock.now());
    if (problem.status === 401 && token.value !== null) await this.#parts.renew(token.value);
    else if (problem.status >= 400 && problem.status < 500 && ![401, 408, 429].includes(problem.status)) {
      // The site says which one; the others are asked for again without it.
      const named = wanted.filter(({ name }) => problem.detail.includes(name));
      const error = { code: problem.status, message: problem.detail };
      for (const channel of named.length > 0 ? named : wanted) this.#parts.report.denied(channel, error);
    }
    return null;
  }

  /**
   * @param {import("./stream.js").StreamEvent} event
   * @param {string | null} personal
   */
  #take({ type, data, id }, personal) {
    const told = JSON.parse(data);
    if (type === "message") return this.#parts.channels.get(told.channel)?.published(told.pub);
    if (type !== "subscribed") return;
    if (!this.#isOpen) {
      this.#isOpen = true;
      this.#parts.report.connected(personal === null ? [] : [personal]);
    }
    const positions = readPositions(id);
    for (const [name, { recovered }] of Object.entries(
      /** @type {Record<string, { recovered: boolean }>} */ (told.channels),
    )) {
      const position = positions.get(name);
      this.#parts.channels.get(name)?.subscribed({ recovered, recoverable: position !== undefined, ...position });
    }
  }

  #heard() {
    this.#cancelSilence();
    this.#cancelSilence = this.#parts.clock.after(PATIENCE, () => this.#over(BROKEN, "the site is silent"));
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  #over(code, reason) {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancelSilence();
    this.#stream.abort();
    this.#parts.report.ended({ code, reason, wasOpen: this.#isOpen, isTerminal: false });
  }
}
