import assert from "node:assert/strict";
import { test } from "node:test";
import { browserTabs } from "../src/tabs.js";

/** Puts something into the global scope for one test. */
function pretend(t, name, value) {
  const before = Object.getOwnPropertyDescriptor(globalThis, name);
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  t.after(() => (before ? Object.defineProperty(globalThis, name, before) : delete globalThis[name]));
}

test("tabs hear each other, and not themselves", async (t) => {
  // The channels alone would not keep Node running.
  const alive = setInterval(() => {}, 1000);
  t.after(() => clearInterval(alive));
  const heard = [];
  const one = browserTabs.join("sign-in", () => heard.push("one"));
  const other = await new Promise((resolve) => {
    const joined = browserTabs.join("sign-in", (member) => {
      assert.deepEqual(member, { username: "mia" });
      resolve(joined);
    });
    one.tell({ username: "mia" });
  });
  await new Promise((resolve) => {
    const third = browserTabs.join("elsewhere", () => assert.fail("another name is another matter"));
    one.close();
    const last = browserTabs.join("sign-in", () => {
      last.close();
      third.close();
      resolve();
    });
    other.tell();
  });
  other.close();
  assert.deepEqual(heard, []);
});

test("where there are locks, they are taken", async (t) => {
  const taken = [];
  let isFree = true;
  const locks = {
    request: (name, ...rest) => {
      const run = rest.at(-1);
      if (rest.length === 2) return run(isFree ? {} : null);
      taken.push(name);
      return run({});
    },
  };
  pretend(t, "navigator", { locks });
  assert.equal(await browserTabs.alone("upshelf", async () => 7), 7);
  isFree = false;
  assert.equal(await browserTabs.alone("upshelf", async () => 6), 6);
  assert.deepEqual(taken, ["upshelf:upshelf", "upshelf:upshelf"]);
  pretend(t, "navigator", undefined);
  assert.equal(await browserTabs.alone("upshelf", async () => 8), 8);
});

test("without channels, changes of the storage are heard", (t) => {
  pretend(t, "BroadcastChannel", undefined);
  const target = new EventTarget();
  pretend(t, "addEventListener", target.addEventListener.bind(target));
  pretend(t, "removeEventListener", target.removeEventListener.bind(target));
  let heard = 0;
  const joined = browserTabs.join("upshelf", () => (heard += 1));
  const change = (key) => target.dispatchEvent(Object.assign(new Event("storage"), { key }));
  change("upshelf");
  change("other");
  joined.tell();
  joined.close();
  change("upshelf");
  assert.equal(heard, 1);
});
