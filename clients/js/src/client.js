import { Admin } from "./calls/admin.js";
import { Auth } from "./calls/auth.js";
import { Categories, Resources, Search, Tags } from "./calls/library.js";
import { Collections, Notices, Profiles, Watches } from "./calls/members.js";
import { Site } from "./calls/site.js";
import { Log, Suggestions } from "./calls/suggestions.js";
import { systemClock } from "./clock.js";
import { Http } from "./http.js";
import { Live } from "./live/live.js";
import { Session } from "./session.js";
import { memoryStorage } from "./storage.js";
import { browserTabs } from "./tabs.js";

/**
 * How a client is made. Everything but `baseUrl` has a default, and on a page of the site itself that has one, too.
 *
 * @typedef {object} ClientOptions
 * @property {string} [baseUrl] Where the site is, without a slash at the end; the page's own site by default.
 * @property {import("./session.js").Auth} [auth] How one signs in: `{ storage }` for tokens (kept in memory by default),
 *   `"cookie"` for pages of the site itself, `{ key }` for an API key.
 * @property {typeof globalThis.fetch} [fetch]
 * @property {import("./live/socket.js").WebSocketMaker} [WebSocket] For Node before 22: `WebSocket` of the package `ws`.
 * @property {number} [timeout] How long one attempt of a call may take, in milliseconds; 15,000 by default.
 * @property {number} [retries] How often a call is sent again where that is safe; 3 by default.
 * @property {import("./clock.js").Clock} [clock] Time and chance, for tests.
 * @property {import("./tabs.js").Tabs} [tabs] Other tabs, for tests.
 */

/** An Upshelf library, as near as if it were a module of your own. */
export class Client {
  /** @type {Session} */
  #session;

  /** @param {ClientOptions} [options] */
  constructor(options = {}) {
    const baseUrl = (options.baseUrl ?? globalThis.location?.origin ?? "").replace(/\/+$/, "");
    if (!baseUrl) throw new TypeError('baseUrl is needed where there is no page: new Client({ baseUrl: "https://…" })');
    const clock = options.clock ?? systemClock;
    const fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
    this.#session = new Session({
      auth: options.auth ?? {},
      memory: memoryStorage(),
      clock,
      tabs: options.tabs ?? browserTabs,
      exchange: (token) => this.auth.refresh(token),
    });
    const { timeout = 15_000, retries = 3 } = options;
    const http = new Http({ baseUrl, fetch, clock, timeout, retries, session: this.#session });

    /** Signing in and out. @type {Auth} */
    this.auth = new Auth(http, this.#session);
    /** What is on the shelf. */
    this.resources = new Resources(http);
    /** The headings of the library. */
    this.categories = new Categories(http);
    /** The free labels. */
    this.tags = new Tags(http);
    /** Finding things. */
    this.search = new Search(http);
    /** What members propose, and votes. */
    this.suggestions = new Suggestions(http);
    /** The public record of every change. */
    this.log = new Log(http);
    /** Members, as others see them. */
    this.profiles = new Profiles(http);
    /** Members' own selections. */
    this.collections = new Collections(http);
    /** One's inbox. */
    this.notices = new Notices(http);
    /** What one wants to hear of. */
    this.watches = new Watches(http);
    /** What only admins do. */
    this.admin = new Admin(http);
    /** The site itself. */
    this.site = new Site(http);
    /** What happens right now. */
    this.live = new Live({
      baseUrl,
      fetch,
      clock,
      session: this.#session,
      me: () => this.#me(),
      WebSocket: options.WebSocket,
    });
  }

  async #me() {
    const known = await this.auth.member();
    if (known) return known.id;
    const asked = await this.auth.me();
    return asked.ok ? asked.value.id : null;
  }

  /** Ends live updates and hears no more of other tabs. */
  close() {
    this.live.close();
    this.#session.close();
  }
}
