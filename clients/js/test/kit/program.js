import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Client, unwrap } from "../../src/index.js";

export const PASSWORD = "correct horse battery staple";
const CODE = "a-code-for-the-tests";

/** The program itself, with a folder of its own. `UPSHELF_BIN` says where it is. */
export class Program {
  #child = null;
  #folder = mkdtempSync(join(tmpdir(), "upshelf-client-"));

  /** Starts it, and ends it when the test is over. */
  static async start(t, settings = {}) {
    if (!process.env.UPSHELF_BIN)
      throw new Error("UPSHELF_BIN is not set: build the program, and run clients/js/scripts/test");
    const program = new Program();
    program.settings = settings;
    t.after(() => program.end());
    await program.run("127.0.0.1:0");
    return program;
  }

  /** Runs it at an address; comes when it listens. */
  async run(address) {
    const env = {
      PATH: process.env.PATH,
      UPSHELF_DATA_DIR: join(this.#folder, "data"),
      UPSHELF_SETUP_CODE: CODE,
      UPSHELF_LIMITS: "off",
      ...this.settings,
    };
    const child = spawn(process.env.UPSHELF_BIN, ["serve", "--addr", address], {
      env,
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#child = child;
    this.exit = new Promise((resolve) => child.on("exit", (code) => resolve(code)));
    const said = [];
    for await (const line of createInterface({ input: child.stderr })) {
      said.push(line);
      const found = line.match(/listening on (http:\/\/\S+)/);
      if (found) {
        this.url = found[1];
        // What it says further on must not fill the pipe.
        child.stderr.resume();
        return;
      }
    }
    throw new Error(`it did not listen:\n${said.join("\n")}`);
  }

  /** Stops it in order. */
  async stop() {
    this.#child.kill("SIGTERM");
    return this.exit;
  }

  async restart() {
    const { host } = new URL(this.url);
    await this.stop();
    await this.run(host);
  }

  async end() {
    this.#child?.kill("SIGKILL");
    await this.exit;
    rmSync(this.#folder, { recursive: true, force: true });
  }

  client(options) {
    return new Client({ baseUrl: this.url, ...options });
  }

  /** Makes the first admin. */
  async setUp(options) {
    const client = this.client(options);
    unwrap(await client.auth.setUp({ code: CODE, username: "ada", email: "ada@example.org", password: PASSWORD }));
    return client;
  }

  /** Makes a member. */
  async member(name, options) {
    const client = this.client(options);
    unwrap(await client.auth.register({ username: name, email: `${name}@example.org`, password: PASSWORD }));
    return client;
  }
}
