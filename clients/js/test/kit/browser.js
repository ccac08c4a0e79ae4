import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { packages } from "./packages.js";
import { PASSWORD } from "./program.js";

const puppeteer = packages("puppeteer-core");

/** A real browser, without a window. */
export async function startBrowser(t) {
  if (!process.env.UPSHELF_CHROMIUM)
    throw new Error("UPSHELF_CHROMIUM is not set: run clients/js/scripts/test, or apt-get install chromium");
  // Tests run as root on build machines, where Chromium has no sandbox of its own; it sees nothing but our own pages.
  const args = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
  const browser = await puppeteer.launch({ executablePath: process.env.UPSHELF_CHROMIUM, headless: true, args });
  t.after(() => browser.close());
  return browser;
}

/** Somebody at the browser, with cookies of their own. `faults` are the errors that their pages ran into. */
export class Person {
  faults = [];

  constructor(url, context) {
    this.url = url;
    this.context = context;
  }

  static async at(browser, program, name, { scripts = true } = {}) {
    const person = await new Person(program.url, await browser.createBrowserContext()).tab();
    await person.page.setJavaScriptEnabled(scripts);
    if (name) {
      await person.go("/sign-in");
      await person.page.type("[name=login]", name);
      await person.page.type("[name=password]", PASSWORD);
      await person.press("main form button");
    }
    return person;
  }

  /** The same person in another tab. */
  async tab() {
    const other = new Person(this.url, this.context);
    other.page = await this.context.newPage();
    other.page.setDefaultTimeout(15_000);
    other.page.on("pageerror", (error) => other.faults.push(String(error)));
    other.page.on("console", (message) => message.type() === "error" && other.faults.push(message.text()));
    return other;
  }

  async go(path) {
    await this.page.goto(`${this.url}${path}`, { waitUntil: "load" });
  }

  /** Comes when the page moves; says over what. */
  moving() {
    return this.page.evaluate(() => {
      return new Promise((resolve) => {
        const look = (list) => list.getEntriesByName("upshelf-live").forEach((mark) => resolve(mark.detail));
        new PerformanceObserver(look).observe({ type: "mark", buffered: true });
      });
    });
  }

  /** Presses a button that leads to another page. */
  async press(selector) {
    await Promise.all([this.page.waitForNavigation(), this.page.click(selector)]);
  }

  /** Reads the text that is shown. */
  text(selector) {
    return this.page.$eval(selector, (element) => element.innerText.trim());
  }

  /** Comes when `isSo`, which runs in the page and is asked at each change of it, holds. */
  async until(isSo, ...args) {
    await this.page.waitForFunction(isSo, { polling: "mutation" }, ...args);
  }

  /** Leaves pictures for whoever wants to look at them. */
  async pictures(name) {
    const folder = process.env.UPSHELF_PICTURES;
    if (!folder) return;
    mkdirSync(folder, { recursive: true });
    for (const width of [375, 1280]) {
      await this.page.setViewport({ width, height: 900 });
      await this.page.screenshot({ path: join(folder, `${name}-${width}.png`) });
    }
  }
}
