import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { unwrap } from "../src/index.js";
import { Person, startBrowser } from "./kit/browser.js";
import { Program } from "./kit/program.js";

const ends = [];
const kit = { after: (end) => ends.unshift(end) };
let program, browser, ada, mia, ben, category;
before(async () => {
  program = await Program.start(kit, { UPSHELF_APPROVAL_SCORE: "50" });
  ada = await program.setUp();
  mia = await program.member("mia");
  ben = await program.member("ben");
  unwrap(
    await ada.admin.import("# Tools\n\n## Editors\n\n- [Vis](https://vis.example) - An editor.\n", {
      format: "markdown",
    }),
  );
  category = unwrap(await ada.categories.tree()).items[0].id;
  browser = await startBrowser(kit);
});
after(async () => {
  for (const end of ends) await end();
});

let count = 0;
async function suggest(client) {
  count += 1;
  const changes = {
    url: `https://page-${count}.example`,
    title: `Page ${count}`,
    description: "Fresh.",
    category_ids: [category],
  };
  return unwrap(await client.suggestions.create({ kind: "add", changes, reason: "It is missing." }));
}

const votes = (id) => `form[data-suggestion="${id}"]`;
/** Runs in the page: whether a score is shown. */
const shows = (selector, score) => document.querySelector(`${selector} .score`).firstChild.data === score;

test("a vote on one screen moves the count and the bar on the others within a second", async (t) => {
  const suggestion = await suggest(ada);
  const voter = await Person.at(browser, program, "ben");
  const reader = await Person.at(browser, program, "mia");
  const stranger = await Person.at(browser, program, null);
  await voter.go(`/suggestions/${suggestion.id}`);
  await reader.go("/");
  await stranger.go("/suggestions");
  for (const person of [voter, reader, stranger]) assert.equal(await person.moving(), "websocket");
  const seen = [reader, stranger].map((person) =>
    person.until(shows, votes(suggestion.id), "1").then(() => performance.now()),
  );
  const pressed = performance.now();
  await voter.page.click(`${votes(suggestion.id)} .yes button`);
  for (const moment of await Promise.all(seen)) {
    t.diagnostic(`seen after ${Math.round(moment - pressed)} ms`);
    assert.ok(moment - pressed < 1000, `${moment - pressed} ms`);
  }
  await voter.until(
    (selector) => document.querySelector(`${selector} .yes button`).ariaPressed === "true",
    votes(suggestion.id),
  );
  assert.equal(
    await voter.page.$eval(`${votes(suggestion.id)} .yes button`, (button) => button.title),
    "Take your vote back",
  );
  assert.equal(new URL(voter.page.url()).search, "", "without a reload");
  const bar = `#s-${suggestion.id} progress`;
  assert.deepEqual(await reader.page.$eval(bar, (progress) => [progress.value, progress.ariaLabel]), [
    1,
    "Score 1 of 50",
  ]);
  await reader.until(
    (selector) => document.querySelector(selector).textContent.startsWith("1 of 50"),
    `#s-${suggestion.id} [data-summary]`,
  );
  await voter.until(() => document.querySelector("[data-rule] li").innerText.includes("now 1"));
  await voter.page.click(`${votes(suggestion.id)} .yes button`);
  await reader.until(shows, votes(suggestion.id), "0");
  await voter.page.click(`${votes(suggestion.id)} .no button`);
  await reader.until(shows, votes(suggestion.id), "-1");
  await reader.pictures("home");
  await voter.pictures("suggestion");
  for (const person of [voter, reader, stranger]) assert.deepEqual(person.faults, []);
});

test("the badge and the inbox tell of a new notice, with the site's own count", async () => {
  const suggestion = await suggest(mia);
  const reader = await Person.at(browser, program, "mia");
  await reader.go("/notices");
  await reader.moving();
  const before = unwrap(await mia.notices.unread()).unread;
  unwrap(await ben.suggestions.comment(suggestion.id, "Good."));
  const badge = (unread) => {
    const shown = document.querySelector("summary [data-unread]");
    return !shown.hidden && shown.innerText.trim() === unread;
  };
  await reader.until(badge, String(before + 1));
  assert.equal(await reader.text("[data-new-notices]"), "1 new notice");
  unwrap(await ben.suggestions.comment(suggestion.id, "Very good."));
  await reader.until(badge, String(before + 2));
  assert.equal(await reader.text("[data-new-notices]"), "2 new notices");
  await reader.pictures("notices");
  await reader.press("[data-new-notices] a");
  assert.equal(await reader.page.$$eval(".log > .unread", (lines) => lines.length), before + 2);
  assert.deepEqual(reader.faults, []);
});

test("what is read in one tab is read in all of them, and nothing is missed by it", async (t) => {
  const suggestion = await suggest(mia);
  const reader = await Person.at(browser, program, "mia");
  await reader.go("/");
  await reader.moving();
  const tab = await reader.tab();
  await tab.go("/notices");
  await tab.moving();
  const badge = (unread) => {
    const shown = document.querySelector("summary [data-unread]");
    return unread === "0" ? shown.hidden : !shown.hidden && shown.innerText.trim() === unread;
  };
  const before = unwrap(await mia.notices.unread()).unread;
  unwrap(await ben.suggestions.comment(suggestion.id, "Good."));
  for (const one of [reader, tab]) await one.until(badge, String(before + 1));
  await tab.go("/notices");
  await tab.moving();
  const read = reader.until(badge, "0").then(() => performance.now());
  const pressed = performance.now();
  await tab.press("[name=up_to] ~ button");
  t.diagnostic(`read in the other tab after ${Math.round((await read) - pressed)} ms`);
  await tab.until(badge, "0");
  // Elsewhere, too, and by whatever the member uses.
  unwrap(await ben.suggestions.comment(suggestion.id, "Very good."));
  for (const one of [reader, tab]) await one.until(badge, "1");
  const [{ seq }] = unwrap(await mia.notices.list()).items;
  unwrap(await mia.notices.markRead({ upTo: seq }));
  for (const one of [reader, tab]) await one.until(badge, "0");
  for (const one of [reader, tab]) assert.deepEqual(one.faults, []);
});

test("who looks at a resource hears that it was changed", async () => {
  const [resource] = unwrap(await ada.resources.list()).items;
  const reader = await Person.at(browser, program, null);
  await reader.go(`/resources/${resource.id}`);
  await reader.moving();
  assert.equal(await reader.page.$eval("[data-resource]", (line) => line.hidden), true);
  const changes = { description: "A smaller editor." };
  const edit = unwrap(
    await mia.suggestions.create({ kind: "edit", resource_id: resource.id, base_version: resource.version, changes }),
  );
  unwrap(await ada.suggestions.approve(edit.id));
  await reader.until(() => !document.querySelector("[data-resource]").hidden);
  await reader.pictures("resource");
  await reader.press("[data-resource] a");
  assert.equal(await reader.text(".lead"), "A smaller editor.");
  assert.deepEqual(reader.faults, []);
});

test("a vote that comes too late gets its friendly answer, as without a script", async () => {
  const suggestion = await suggest(mia);
  const voter = await Person.at(browser, program, "ben");
  await voter.go(`/suggestions/${suggestion.id}`);
  unwrap(await ada.suggestions.reject(suggestion.id, { reason: "Not for us." }));
  await voter.press(`${votes(suggestion.id)} .yes button`);
  assert.match(await voter.text(".note[role=status]"), /came too late/);
});

test("without scripts one votes as ever", async () => {
  const suggestion = await suggest(mia);
  const voter = await Person.at(browser, program, "ben", { scripts: false });
  await voter.go(`/suggestions/${suggestion.id}`);
  await voter.press(`${votes(suggestion.id)} .yes button`);
  assert.match(await voter.text(".note[role=status]"), /Your vote counts/);
  assert.equal(unwrap(await mia.suggestions.standing(suggestion.id)).up, 1);
  const [resource] = unwrap(await ada.resources.list()).items;
  await voter.go(`/resources/${resource.id}`);
  assert.equal(await voter.page.$eval("[data-resource]", (line) => line.hidden), true);
});

test("a page that is come back to moves again", async () => {
  const suggestion = await suggest(mia);
  const reader = await Person.at(browser, program, null);
  await reader.go(`/suggestions/${suggestion.id}`);
  await reader.moving();
  await reader.go("/rules");
  await reader.page.goBack();
  unwrap(await ben.suggestions.vote(suggestion.id, 1));
  await reader.until(shows, votes(suggestion.id), "1");
});
