import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { unwrap } from "../src/index.js";
import { Person, startBrowser } from "./kit/browser.js";
import { Program } from "./kit/program.js";

// The browser's own EventSource, which sends cookies and no other header.

const ends = [];
const kit = { after: (end) => ends.unshift(end) };
let program, browser, ada, mia, ben, suggestion;
before(async () => {
  program = await Program.start(kit, { UPSHELF_APPROVAL_SCORE: "50", UPSHELF_QUEUE_RATE: "1000/s" });
  ada = await program.setUp();
  mia = await program.member("mia");
  ben = await program.member("ben");
  unwrap(
    await ada.admin.import("# Tools\n\n## Editors\n\n- [Vis](https://vis.example) - An editor.\n", {
      format: "markdown",
    }),
  );
  const category_ids = [unwrap(await ada.categories.tree()).items[0].id];
  const changes = { url: "https://new.example", title: "New", description: "Fresh.", category_ids };
  suggestion = unwrap(await mia.suggestions.create({ kind: "add", changes, reason: "It is missing." }));
  browser = await startBrowser(kit);
});
after(async () => {
  for (const end of ends) await end();
});

/** Runs in the page: notes all that comes, and changes the page with it. */
function listen(channels) {
  window.heard = { subscribed: [], seqs: [], standings: [], interruptions: 0 };
  const source = new EventSource(`/api/v1/events?channels=${channels.join(",")}`);
  const note = (take) => (event) => {
    take(event);
    document.body.dataset.heard = Number(document.body.dataset.heard ?? 0) + 1;
  };
  source.addEventListener("subscribed", note((event) => window.heard.subscribed.push(JSON.parse(event.data))));
  source.onmessage = note((event) => {
    const { channel, pub } = JSON.parse(event.data);
    if (channel === "suggestions:votes") window.heard.standings.push(...pub.data);
    else if (pub.data.notice) window.heard.seqs.push(pub.data.seq);
  });
  source.onerror = note(() => (window.heard.interruptions += 1));
  window.source = source;
}

test("it is let in by its cookie, sees votes and notices, and makes up for a restart by itself", async () => {
  const reader = await Person.at(browser, program, "mia");
  await reader.go("/rules");
  const { id } = unwrap(await mia.auth.me());
  await reader.page.evaluate(listen, ["suggestions:votes", `notifications:${id}`]);
  await reader.until(() => window.heard.subscribed.length === 1);
  assert.equal(await reader.page.evaluate(() => window.heard.subscribed[0].recovered), false);

  unwrap(await ben.suggestions.vote(suggestion.id, 1));
  await reader.until((id) => window.heard.standings.some((s) => s.suggestion_id === id && s.up === 1), suggestion.id);
  unwrap(await ben.suggestions.comment(suggestion.id, "Good."));
  await reader.until(() => window.heard.seqs.length === 1);

  // What comes while the page is cut off, and while nobody serves at all.
  await program.stop();
  await reader.until(() => window.heard.interruptions > 0);
  const { host } = new URL(program.url);
  await program.run(host);
  for (const n of [2, 3, 4]) unwrap(await ben.suggestions.comment(suggestion.id, `Comment ${n}.`));
  await reader.until(() => window.heard.subscribed.length > 1 && window.heard.seqs.length >= 4);
  unwrap(await ben.suggestions.comment(suggestion.id, "Comment 5."));
  await reader.until(() => window.heard.seqs.length >= 5);
  const heard = await reader.page.evaluate(() => window.heard);
  assert.deepEqual(heard.seqs, [1, 2, 3, 4, 5], "all of them, once, in order");
  for (const { recovered, channels } of heard.subscribed.slice(1)) {
    assert.equal(recovered, true, "the browser said where it was");
    assert.equal(channels[`notifications:${id}`].recovered, true);
  }
});

test("another member's cookie does not open the channel", async () => {
  const other = await Person.at(browser, program, "ben");
  await other.go("/rules");
  const { id } = unwrap(await mia.auth.me());
  const states = await other.page.evaluate(
    (channels) =>
      new Promise((resolve) => {
        const source = new EventSource(`/api/v1/events?channels=${channels}`);
        source.onerror = () => resolve([source.readyState, EventSource.CLOSED]);
        source.addEventListener("subscribed", () => resolve(["subscribed"]));
      }),
    `notifications:${id}`,
  );
  assert.equal(states[0], states[1], "it is refused for good");
});
