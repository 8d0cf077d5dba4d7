/** Row: one prompt and its reply, with what can be done with them. */

import { Block, codeOf } from "./block.js";
import { StatusLine } from "./clock.js";
import { element, growingBox, isComposing, meansSend, readableSize, textButton } from "./elements.js";
import { copyText, insertCode } from "./page.js";
import { asMarkdown } from "./plain.js";
import { Tools } from "./tools.js";

const LONG_PROMPT = { characters: 1200, lines: 16 };
const LONG_REPLY = 80; // blocks

/** The view of one row of the store; it is empty until `fill`. */
export class RowView {
  #blocks = [];
  #parts = null;
  #awaited = false;

  /** @param {object} panel gives `store`, `say(message)`, `tell(text)` and `model`. */
  constructor(row, panel) {
    this.row = row;
    this.panel = panel;
    this.element = element("article", { className: "ct-row", "data-id": row.id });
    this.element.setAttribute("aria-label", `Prompt: ${row.prompt.slice(0, 80)}`);
    this.#mark();
  }

  get isFilled() {
    return this.#parts !== null;
  }

  /** Builds what is seen. */
  fill() {
    if (this.#parts) return;
    const { row } = this;
    this.#parts = {
      ask: element("div", { className: "ct-ask" }),
      reply: element("div", { className: "ct-reply chat-magics" }),
      status: new StatusLine(),
      error: element("div", { className: "ct-error", hidden: true }),
      caption: element("span", { className: "ct-caption" }),
      tools: new Tools(this.#acts()),
    };
    const { ask, reply, status, error, caption, tools } = this.#parts;
    const foot = element("div", { className: "ct-foot" }, caption, tools.element);
    this.element.append(ask, reply, status.element, error, foot);
    this.#showPrompt();
    this.#showBlocks();
    this.#showEnd();
  }

  /** The row was replaced: shows what is different now. */
  replace(row) {
    const before = this.row;
    this.row = row;
    this.#mark();
    if (!this.#parts) return;
    const sameFiles = JSON.stringify(before.attachments) === JSON.stringify(row.attachments);
    if (before.prompt !== row.prompt || !sameFiles) this.#showPrompt();
    this.#showBlocks();
    this.#showEnd();
  }

  /** Blocks changed; they are set once for each frame that is painted, however many deltas came. */
  change() {
    if (this.#awaited || !this.#parts) return;
    this.#awaited = true;
    requestAnimationFrame(() => {
      this.#awaited = false;
      this.#showBlocks();
      this.showStatus();
    });
  }

  settle() {
    this.#mark();
    if (!this.#parts) return;
    this.#showBlocks();
    this.#showEnd();
  }

  showStatus() {
    if (!this.#parts) return;
    const { row, panel } = this;
    const said = panel.store.statuses.get(row.id);
    const queued = row.state === "queued" ? { text: "queued behind the reply under way" } : undefined;
    const quiet = row.state === "streaming" && !row.blocks.length ? { text: "waiting" } : undefined;
    this.#parts.status.show(said ?? queued ?? quiet);
  }

  remove() {
    this.#parts?.status.stop();
    this.element.remove();
  }

  #mark() {
    this.element.dataset.state = this.row.state;
    this.element.dataset.surface = this.row.surface ?? "";
  }

  #showBlocks() {
    const { blocks } = this.row;
    this.#parts.reply.classList.toggle("ct-long", blocks.length > LONG_REPLY);
    while (this.#blocks.length > blocks.length) this.#blocks.pop().element.remove();
    for (const [place, html] of blocks.entries()) {
      if (!this.#blocks[place]) {
        this.#blocks[place] = new Block(this.panel.tell);
        this.#parts.reply.append(this.#blocks[place].element);
      }
      this.#blocks[place].show(html);
    }
  }

  #showEnd() {
    const { row } = this;
    const { caption, error, tools } = this.#parts;
    const from = row.surface === "cell" ? ["asked in a cell"] : [];
    const stale = row.stale ? ["an earlier prompt has changed since"] : [];
    const said = [row.caption, ...from, ...(row.notes ?? []), ...stale].filter(Boolean);
    caption.textContent = said.join(" · ");
    error.hidden = !row.error;
    if (row.error) {
      const retry = textButton("Retry", () => this.#say("retry"));
      error.replaceChildren(element("p", {}, row.error), retry);
    }
    tools.show(row, this.#codes().length > 0);
    this.showStatus();
  }

  #showPrompt() {
    const { row } = this;
    const files = (row.attachments ?? []).map((file) => fileChip(file));
    const list = files.length ? element("ul", { className: "ct-files" }, ...files) : null;
    const text = element("div", { className: "ct-prompt", dir: "auto" }, row.prompt);
    this.#parts.ask.replaceChildren(...[list, text, folded(row.prompt, text)].filter(Boolean));
  }

  #codes() {
    return [...this.#parts.reply.querySelectorAll(".ct-code > pre")];
  }

  #say(type, more = {}) {
    this.panel.say({ type, id: this.row.id, ...more });
  }

  #acts() {
    const turn = (button, step) => {
      if (button.getAttribute("aria-disabled") !== "true") this.#say("version", { step });
    };
    return {
      copy: async (button) => {
        await copyText(asMarkdown(this.#parts.reply), button);
        this.panel.tell("copied");
      },
      insert: async (button) => {
        const [first, ...others] = this.#codes();
        const language = first.dataset.lang ?? "";
        const alike = others.filter((pre) => (pre.dataset.lang ?? "") === language);
        const code = [first, ...alike].map(codeOf).join("\n\n");
        this.panel.tell(await insertCode(code, language, button));
      },
      regenerate: () => this.#say("regenerate"),
      edit: () => this.#edit(),
      sent: () => this.#say("show_sent"),
      previous: (button) => turn(button, -1),
      next: (button) => turn(button, 1),
    };
  }

  /** Puts a box in the prompt's place. */
  #edit() {
    const { ask } = this.#parts;
    const box = growingBox({ className: "ct-edit", value: this.row.prompt, "aria-label": "Edit the prompt" });
    const close = () => {
      this.#showPrompt();
      this.#parts.tools.element.querySelector("[tabindex='0']")?.focus();
    };
    const send = () => {
      const problem = this.panel.problemWith(box.value);
      if (problem) return this.panel.object(problem);
      if (box.value.trim()) this.#say("edit", { text: box.value });
      return close();
    };
    box.addEventListener("input", () => this.panel.typed());
    box.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !isComposing(event)) close();
      else if (meansSend(event)) send();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    const buttons = element(
      "div",
      { className: "ct-edit-buttons" },
      textButton("Cancel", close),
      textButton("Send", send, "ct-primary"),
    );
    ask.replaceChildren(element("div", { className: "ct-edit-frame" }, box, buttons));
    box.dispatchEvent(new Event("input"));
    box.focus();
  }
}

/** A file that goes with a prompt: its name and size, and a button where it can be taken away. */
export function fileChip({ name, size, kind }, remove = null) {
  const sign = element("span", { className: "ct-kind" }, kind === "image" ? "image" : "text");
  const label = element("span", { className: "ct-name", title: name, dir: "auto" }, name);
  const weight = element("span", { className: "ct-size" }, readableSize(size));
  return element("li", { className: "ct-file" }, sign, label, weight, remove);
}

/** Shows only the beginning of a long prompt; gives the button that shows all of it. */
function folded(prompt, text) {
  const isLong = prompt.length > LONG_PROMPT.characters || prompt.split("\n").length > LONG_PROMPT.lines;
  if (!isLong) return null;
  text.classList.add("ct-folded");
  const button = textButton("Show all", () => {
    const isFolded = text.classList.toggle("ct-folded");
    button.textContent = isFolded ? "Show all" : "Show less";
    button.setAttribute("aria-expanded", String(!isFolded));
  });
  button.setAttribute("aria-expanded", "false");
  return button;
}
