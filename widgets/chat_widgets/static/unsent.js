/** Unsent: prompts that the kernel has not taken yet, shown where their rows will be. */

import { StatusLine } from "./clock.js";
import { element } from "./elements.js";
import { fileChip } from "./row.js";

const WHILE_LOST = "waits until the server can be reached";
const QUIET = 1000; // milliseconds in which a kernel that is free has answered

/** The prompts of `drafts` that wait for the kernel, as rows of their own. */
export class UnsentPrompts {
  #lines = [];

  /** @param {() => object|null} trouble what is wrong with the session, if anything. */
  constructor(drafts, trouble) {
    this.drafts = drafts;
    this.trouble = trouble;
    this.element = element("div", { className: "ct-unsent" });
  }

  show() {
    this.stop();
    this.element.replaceChildren(...this.drafts.unsent.map((prompt) => this.#row(prompt)));
  }

  stop() {
    for (const { line, timer } of this.#lines.splice(0)) {
      clearTimeout(timer);
      line.stop();
    }
  }

  #row({ text, files = [] }) {
    const line = new StatusLine();
    const since = Date.now();
    const wait = { text: this.trouble() ? WHILE_LOST : "queued: the kernel is busy", since };
    this.#lines.push({ line, timer: setTimeout(() => line.show(wait), QUIET) });
    const chips = element("ul", { className: "ct-files" }, ...files.map((file) => fileChip(file)));
    const prompt = element("div", { className: "ct-prompt", dir: "auto" }, text);
    const ask = element("div", { className: "ct-ask" }, files.length ? chips : null, prompt);
    return element("article", { className: "ct-row", "data-state": "unsent" }, ask, line.element);
  }
}
