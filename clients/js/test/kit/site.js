import { createServer } from "node:http";
import { once } from "node:events";

/**
 * A site of the test's own, for what a real one will not do. `answer` gets each request in turn.
 *
 * @param {import("node:test").TestContext} t
 * @param {(request: { method: string, path: string, headers: Record<string, string>, body: any, n: number }) => any} answer
 *   `{ status, headers, body }`; `null` breaks the connection.
 */
export async function fakeSite(t, answer) {
  const requests = [];
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const piece of request) text += piece;
    const seen = {
      method: request.method,
      path: request.url,
      headers: request.headers,
      body: text && parsed(text),
      n: requests.length,
    };
    requests.push(seen);
    const reply = await answer(seen);
    if (reply === null) return request.socket.destroy();
    const { status = 200, headers = {}, body } = reply;
    const type = status >= 400 ? "application/problem+json" : "application/json";
    response.writeHead(status, { "content-type": type, ...headers });
    response.end(typeof body === "string" ? body : JSON.stringify(body ?? {}));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { server, requests, url: `http://127.0.0.1:${server.address().port}` };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** A problem as the site writes it. */
export function problem(status, code, headers = {}) {
  return { status, headers, body: { type: "about:blank", title: "t", status, detail: "d", code, request_id: "r" } };
}

/** A reply to a sign-in, whose tokens end `seconds` from `now`. */
export function signedIn(n, now, seconds = 3600) {
  const claims = { iat: Math.floor(now / 1000), exp: Math.floor(now / 1000) + seconds };
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return {
    member: { id: "m1", username: "mia" },
    access_token: `${part({})}.${part({ ...claims, n })}.s`,
    refresh_token: `rt1.${n}`,
    access_expires_at: new Date(now + seconds * 1000).toISOString(),
    refresh_expires_at: new Date(now + 86_400_000).toISOString(),
  };
}
