// What moves on the pages while they are looked at. Without it everything works, with a reload.
import { Client } from "./client/index.js";

/** Who votes looks at the button: better to send the form than to try for long. */
const PATIENCE = 5_000;
/** How much later that is asked for which is said of the rule, in milliseconds: a reader asks only so often, and many not at once. */
const SENTENCE = { least: 2_000, most: 6_000 };

const all = (selector) => [...document.querySelectorAll(selector)];

/** Shows a standing, unless a newer one is shown already. Says whether it was news. */
function showStanding({ suggestion_id: id, up, down, score, version }) {
  let isNews = false;
  for (const form of all(`form[data-suggestion="${CSS.escape(id)}"]`)) {
    if (version <= Number(form.dataset.version)) continue;
    form.dataset.version = version;
    isNews = true;
    const shown = form.querySelector(".score");
    shown.title = `${up} for, ${down} against`;
    shown.firstChild.data = String(score);
    shown.querySelector(".sr").textContent = ` is the score: ${shown.title}`;
    const progress = form.closest(".card, .box")?.querySelector("progress");
    if (!progress) continue;
    progress.value = Math.max(0, Math.min(score, progress.max));
    progress.setAttribute("aria-label", `Score ${progress.value} of ${progress.max}`);
  }
  return isNews;
}

/** Shows which way one has voted, and makes the pressed button the one that takes the vote back. */
function showMine(form, mine) {
  for (const [side, value, title] of [
    [".yes", 1, "Vote for it"],
    [".no", -1, "Vote against it"],
  ]) {
    const button = form.querySelector(`${side} button`);
    button.value = mine === value ? "0" : String(value);
    button.setAttribute("aria-pressed", String(mine === value));
    button.title = mine === value ? "Take your vote back" : title;
  }
}

/** Sends votes without a reload. Whatever goes wrong, the form is sent as if this was not here, and its page says why. */
async function vote(client, follow, event) {
  const form = event.target.closest("form[data-suggestion]");
  const button = event.submitter;
  if (!form || !button || !document.querySelector("[data-unread]")) return;
  event.preventDefault();
  if (form.ariaBusy === "true") return;
  form.ariaBusy = "true";
  const id = form.dataset.suggestion;
  const value = Number(button.value);
  const result = await (value === 0 ? client.suggestions.retractVote(id) : client.suggestions.vote(id, value));
  form.ariaBusy = "false";
  if (result.ok) {
    showMine(form, value);
    if (showStanding(result.value)) follow(id);
    return;
  }
  delete form.dataset.suggestion;
  form.requestSubmit(button);
}

/** What is said of the rule counts votes, too, and follows them a little later. */
function sentences(client) {
  const waiting = new Set();
  return (id) => {
    if (waiting.has(id) || document.hidden || !document.querySelector("[data-summary], [data-rule]")) return;
    waiting.add(id);
    setTimeout(
      () => {
        waiting.delete(id);
        void (document.querySelector("[data-rule]") ? readRule() : readSummary(client, id));
      },
      SENTENCE.least + Math.random() * (SENTENCE.most - SENTENCE.least),
    );
  };
}

/** On a suggestion's own page: all that its rule asks, as the page would show it now. */
async function readRule() {
  const reply = await fetch(location.pathname).catch(() => null);
  if (!reply?.ok) return;
  const now = new DOMParser().parseFromString(await reply.text(), "text/html").querySelector("[data-rule]");
  if (now) document.querySelector("[data-rule]").replaceWith(now);
}

/** In a list: the sentence. */
async function readSummary(client, id) {
  const found = await client.suggestions.get(id);
  if (!found.ok) return;
  for (const form of all(`form[data-suggestion="${CSS.escape(id)}"]`)) {
    form.closest(".card")?.querySelector("[data-summary]")?.replaceChildren(found.value.rule.summary);
  }
}

function watchVotes(client, follow) {
  const filter = [...new Set(all("form[data-suggestion]").map((form) => form.dataset.suggestion))];
  if (filter.length === 0) return;
  client.live.votes({ filter }, (standing) => {
    if (showStanding(standing)) follow(standing.suggestion_id);
  });
}

/** Shows how many notices are unread: the number that the site tells, whatever was shown before. */
function showUnread(unread) {
  for (const badge of all("[data-unread]")) {
    badge.hidden = unread === 0;
    badge.querySelector("[data-count]").textContent = unread;
  }
}

function watchNotices(client) {
  if (!document.querySelector("[data-unread]")) return;
  const readAnew = async () => {
    const result = await client.notices.unread();
    if (result.ok) showUnread(result.value.unread);
  };
  const news = document.querySelector("[data-new-notices]");
  let count = 0;
  client.live.notices(
    ({ unread, notice }) => {
      showUnread(unread);
      if (!notice || !news) return;
      count += 1;
      news.querySelector("a").textContent = count === 1 ? "1 new notice" : `${count} new notices`;
      news.hidden = false;
    },
    { lost: readAnew },
  );
}

function watchResource(client) {
  const line = document.querySelector("[data-resource]");
  if (!line) return;
  const show = () => (line.hidden = false);
  client.live.resource(line.dataset.resource, show, {
    lost: async () => {
      const result = await client.resources.get(line.dataset.resource);
      if (result.ok && result.value.version > Number(line.dataset.version)) show();
    },
  });
}

/** Begins, and gives what ends it. */
function start() {
  const client = new Client({ auth: "cookie", timeout: PATIENCE, retries: 0 });
  // Shows in the browser's own tools when, and over what, the page began to move.
  client.live.onState(
    ({ state, transport }) => state === "connected" && performance.mark("upshelf-live", { detail: transport }),
  );
  const follow = sentences(client);
  const send = (event) => void vote(client, follow, event);
  document.addEventListener("submit", send);
  watchVotes(client, follow);
  watchNotices(client);
  watchResource(client);
  return () => {
    document.removeEventListener("submit", send);
    client.close();
  };
}

let stop = start();
// A page that the browser keeps to come back to must hold no connection.
addEventListener("pagehide", () => stop());
addEventListener("pageshow", (event) => event.persisted && (stop = start()));
