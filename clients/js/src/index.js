/**
 * The client of an Upshelf library. Start at {@link Client}.
 *
 * @module
 */
export { Client } from "./client.js";
export { PROBLEMS, ProblemError, unwrap } from "./problem.js";
export { browserStorage, memoryStorage } from "./storage.js";

/**
 * @typedef {import("./client.js").ClientOptions} ClientOptions
 * @typedef {import("./http.js").CallOptions} CallOptions
 * @typedef {import("./problem.js").Problem} Problem
 * @typedef {import("./storage.js").Kept} Kept
 * @typedef {import("./storage.js").Storage} Storage
 * @typedef {import("./live/live.js").LiveState} LiveState
 */

/**
 * @template T
 * @typedef {import("./problem.js").Result<T>} Result
 */

/**
 * @template T
 * @typedef {import("./schema.js").Page<T>} Page
 */
