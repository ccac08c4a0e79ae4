import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { Program } from "./kit/program.js";

test("the examples of the README run, one after another", async (t) => {
  const program = await Program.start(t);
  const ada = await program.setUp();
  assert.ok(
    (await ada.admin.import("# T\n\n## Editors\n\n- [Vis](https://vis.example) - An editor.\n", { format: "markdown" }))
      .ok,
  );
  const root = fileURLToPath(new URL("..", import.meta.url));
  const blocks = [...readFileSync(join(root, "README.md"), "utf8").matchAll(/^```js\n(.*?)^```$/gms)].map(
    ([, code]) => code,
  );
  assert.ok(blocks.length >= 5);
  const folder = mkdtempSync(join(tmpdir(), "upshelf-readme-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  // As one who has installed the packages: imported by name.
  mkdirSync(join(folder, "node_modules/@upshelf"), { recursive: true });
  symlinkSync(root, join(folder, "node_modules/@upshelf/client"));
  symlinkSync(join(process.env.UPSHELF_NODE_PACKAGES, "node_modules/ws"), join(folder, "node_modules/ws"));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  writeFileSync(join(folder, "readme.js"), [`const baseUrl = ${JSON.stringify(program.url)};`, ...blocks].join("\n"));
  const child = spawn(process.execPath, ["readme.js"], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  let wrong = "";
  child.stdout.on("data", (text) => (said += text));
  child.stderr.on("data", (text) => (wrong += text));
  const code = await new Promise((resolve) => child.on("close", resolve));
  assert.equal(code, 0, wrong);
  for (const expected of ["[ 'Vis' ]", "Sign in to vote.", "https://vis.example", "mia\n", "signed out", "true\n"]) {
    assert.ok(said.includes(expected), `${expected} is missing in:\n${said}`);
  }
  assert.equal(wrong, "");
});
