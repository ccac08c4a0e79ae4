import { problemOf } from "./problem.js";

/**
 * Reads what went wrong off a reply.
 *
 * @param {Response} reply
 * @param {number} now
 * @returns {Promise<import("./problem.js").Problem>}
 */
export async function problemOfReply(reply, now) {
  const told = await report(reply);
  const wait = retryAfter(reply.headers.get("retry-after"), now);
  const location = reply.headers.get("location");
  const problem =
    told ??
    problemOf("reply", `Something between here and the site answered with status ${reply.status}.`, {
      status: reply.status,
    });
  return {
    ...problem,
    ...(wait === undefined ? {} : { retryAfter: wait }),
    ...(location === null ? {} : { location }),
  };
}

/**
 * Gives the problem in the body; `null` when there is none, as when a proxy answers for the site.
 *
 * @param {Response} reply
 * @returns {Promise<import("./problem.js").Problem | null>}
 */
async function report(reply) {
  if (!reply.headers.get("content-type")?.startsWith("application/problem+json")) {
    // What is not read would keep the connection busy.
    await reply.body?.cancel();
    return null;
  }
  try {
    const body = await reply.json();
    return typeof body?.code === "string" && body.status === reply.status ? body : null;
  } catch {
    return null;
  }
}

/**
 * Reads `Retry-After`, which is a number of seconds or a date (RFC 9110, 10.2.3).
 *
 * @param {string | null} text
 * @param {number} now
 * @returns {number | undefined} In seconds.
 */
export function retryAfter(text, now) {
  if (text === null) return undefined;
  if (/^\d+$/.test(text.trim())) return Number(text);
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, Math.ceil((at - now) / 1000));
}
