/**
 * @typedef {import("../clock.js").Clock} Clock
 * @typedef {import("../session.js").Token} Token
 * @typedef {import("./channel.js").Channel} Channel
 */

/**
 * One connection to the site, of whichever kind, from its beginning to its end.
 *
 * @typedef {object} Line
 * @property {() => void} close
 * @property {() => void} update Says that channels came or went.
 * @property {(channel: Channel) => void} again Says that a channel is wanted in another way than before.
 */

/**
 * What a line is made of.
 *
 * @typedef {object} LineParts
 * @property {ReadonlyMap<string, Channel>} channels By name.
 * @property {Clock} clock
 * @property {() => Promise<Token>} token
 * @property {(old: string) => Promise<Token>} renew
 * @property {() => Promise<string | null>} personal The channel of whoever is signed in, if somebody is who listens to it.
 * @property {() => number} pause How long to wait before something is tried again.
 * @property {LineReport} report
 */

/**
 * Why a line ended. The codes are those of Centrifugo's protocol, or of WebSockets.
 *
 * @typedef {{ code: number, reason: string, wasOpen: boolean, isTerminal: boolean }} LineEnd
 */

/**
 * What a line tells.
 *
 * @typedef {object} LineReport
 * @property {(serverSide: string[]) => void} connected Names the channels that the site subscribed us to by itself.
 * @property {(channel: Channel, error: { code: number, message: string }) => void} denied
 * @property {(why: LineEnd) => void} ended
 */

export {};
