// Codes of Centrifugo's client protocol: https://centrifugal.dev/docs/server/codes

/** The token has ended: the client should come back with another. */
export const TOKEN_EXPIRED = 109;
/** The position is too old to go on from. */
export const UNRECOVERABLE_POSITION = 112;

/**
 * Whether a connection that was closed with this code is not wanted back.
 *
 * @param {number} code
 */
export function isTerminal(code) {
  return (code >= 3500 && code < 4000) || (code >= 4500 && code < 5000);
}

/**
 * Whether a subscription that was ended with this code should be asked for again.
 *
 * @param {number} code
 */
export function mayResubscribe(code) {
  return code >= 2500;
}
