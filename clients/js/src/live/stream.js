/**
 * One event of a stream (HTML, 9.2.6).
 *
 * @typedef {{ type: string, data: string, id: string }} StreamEvent
 */

/** Takes a stream of Server-Sent Events apart, however it is cut into pieces. */
export class EventReader {
  #rest = "";
  #type = "";
  /** @type {string[]} */
  #data = [];
  #id = "";

  /**
   * @param {string} text The next piece.
   * @returns {StreamEvent[]} The events that are complete with it.
   */
  read(text) {
    /** @type {StreamEvent[]} */
    const events = [];
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line !== "") this.#field(line);
      else {
        if (this.#data.length > 0)
          events.push({ type: this.#type || "message", data: this.#data.join("\n"), id: this.#id });
        this.#type = "";
        this.#data = [];
      }
    }
    return events;
  }

  /** @param {string} line */
  #field(line) {
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") this.#data.push(value);
    else if (name === "event") this.#type = value;
    else if (name === "id" && !value.includes("\0")) this.#id = value;
  }
}

/**
 * Reads the positions in an event's `id`: `channel=offset@epoch`, with commas between.
 *
 * @param {string} id
 * @returns {Map<string, import("./channel.js").Position>}
 */
export function readPositions(id) {
  const positions = new Map();
  for (const entry of id.split(",")) {
    const [, name, offset, epoch] = entry.match(/^(.+)=(\d+)@(.*)$/) ?? [];
    if (name !== undefined)
      positions.set(decodeURIComponent(name), { offset: Number(offset), epoch: decodeURIComponent(epoch ?? "") });
  }
  return positions;
}

/**
 * Writes positions as {@link readPositions} reads them.
 *
 * @param {Iterable<import("./channel.js").Channel>} channels
 * @returns {string}
 */
export function writePositions(channels) {
  return [...channels]
    .flatMap(({ name, position: at }) => (at ? [`${plain(name)}=${at.offset}@${plain(at.epoch)}`] : []))
    .join(",");
}

/** @param {string} text */
function plain(text) {
  return encodeURIComponent(text).replaceAll("%3A", ":");
}
