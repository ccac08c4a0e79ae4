import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { unwrap } from "../src/index.js";
import { Person, startBrowser } from "./kit/browser.js";
import { PASSWORD, Program } from "./kit/program.js";

// The client in a browser, with that browser's own locks, channels, sockets and streams.
const ends = [];
const kit = { after: (end) => ends.unshift(end) };
let program, browser, ada, mia;
before(async () => {
  program = await Program.start(kit);
  ada = await program.setUp();
  mia = await program.member("mia");
  browser = await startBrowser(kit);
});
after(async () => {
  for (const end of ends) await end();
});

/** Where the page has its client from. */
async function moduleOf(person) {
  const script = await person.page.$eval("script[type=module]", (element) => element.src);
  return script.replace(/live\.js$/, "client/index.js");
}

test("two tabs refresh without getting in each other's way, and sign out together", async () => {
  const one = await Person.at(browser, program, null);
  await one.go("/rules");
  const other = await one.tab();
  await other.go("/rules");
  const module = await moduleOf(one);
  const begin = async (url) => {
    const { Client, browserStorage } = await import(url);
    window.client = new Client({ auth: { storage: browserStorage() } });
    window.changes = [];
    window.client.auth.onChange((member) => {
      window.changes.push(member?.username ?? null);
      document.body.dataset.changes = window.changes.length;
    });
  };
  await one.page.evaluate(begin, module);
  await other.page.evaluate(begin, module);
  const signIn = async (password) => (await window.client.auth.login({ login: "mia", password })).ok;
  assert.ok(await one.page.evaluate(signIn, PASSWORD));
  await other.until(() => document.body.dataset.changes === "1");

  await one.page.evaluate(() => {
    const kept = JSON.parse(localStorage.getItem("upshelf"));
    localStorage.setItem("upshelf", JSON.stringify({ ...kept, refresh_from: 0 }));
  });
  const ask = async () => (await Promise.all([window.client.auth.me(), window.client.auth.me()])).every(({ ok }) => ok);
  assert.deepEqual(await Promise.all([one.page.evaluate(ask), other.page.evaluate(ask)]), [true, true]);
  const kept = () => localStorage.getItem("upshelf");
  assert.equal(await one.page.evaluate(kept), await other.page.evaluate(kept));
  const refreshes = () =>
    performance.getEntriesByType("resource").filter(({ name }) => name.endsWith("/refresh")).length;
  const asked = (await one.page.evaluate(refreshes)) + (await other.page.evaluate(refreshes));
  // A tab may read the storage before the other's tokens have reached its process; then the site gives it the same ones.
  assert.ok(asked === 1 || asked === 2, `${asked} for four calls`);

  assert.ok(await one.page.evaluate(async () => (await window.client.auth.logout()).ok));
  await other.until(() => document.body.dataset.changes === "2");
  assert.deepEqual(await other.page.evaluate(() => window.changes), ["mia", null]);
  assert.equal(await other.page.evaluate(async () => (await window.client.auth.me()).problem.code), "not_signed_in");
});

test("where no WebSocket is let through, pages move by events", async () => {
  unwrap(
    await ada.admin.import("# Tools\n\n## Editors\n\n- [Vis](https://vis.example) - An editor.\n", {
      format: "markdown",
    }),
  );
  const category_ids = [unwrap(await ada.categories.tree()).items[0].id];
  const changes = { url: "https://new.example", title: "New", description: "Fresh.", category_ids };
  const suggestion = unwrap(await ada.suggestions.create({ kind: "add", changes, reason: "It is missing." }));
  const reader = await Person.at(browser, program, "mia");
  await reader.page.evaluateOnNewDocument(() => {
    window.WebSocket = class {
      constructor() {
        setTimeout(() => this.onclose({ code: 1006, reason: "" }));
      }
      close() {}
    };
    // Three pauses are not worth waiting for.
    Math.random = () => 0;
  });
  await reader.go(`/suggestions/${suggestion.id}`);
  assert.equal(await reader.moving(), "sse");
  const ben = await program.member("ben");
  unwrap(await ben.suggestions.vote(suggestion.id, 1));
  await reader.until(
    (id) => document.querySelector(`[data-suggestion="${id}"] .score`).firstChild.data === "1",
    suggestion.id,
  );
  const about = unwrap(
    await mia.suggestions.create({
      kind: "add",
      changes: { ...changes, url: "https://mine.example", title: "Mine" },
      reason: "r",
    }),
  );
  unwrap(await ben.suggestions.comment(about.id, "Good."));
  await reader.until(() => !document.querySelector("summary [data-unread]").hidden);
});
