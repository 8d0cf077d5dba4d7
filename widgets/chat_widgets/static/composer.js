/** Composer: the box for the next prompt, its button that sends or stops, and the line below. */

import { Attachments } from "./attachments.js";
import { element, growingBox, icon, isComposing, meansSend } from "./elements.js";

const NEAR_LIMIT = 0.8;
const FILES_ALONE = "A file goes with a prompt: write what you want to know of it.";
const SAID_FOR = 4000; // milliseconds

/** Where prompts are typed. */
export class Composer {
  #recalled = null;
  #saying = null;

  /** @param {object} panel gives `model`, `store`, `drafts`, `ask`, `say`, `object`, `problemWith`. */
  constructor(panel) {
    this.panel = panel;
    this.files = new Attachments(panel);
    this.box = growingBox({ className: "ct-box", "aria-label": "Message", dir: "auto" });
    this.button = element("button", { type: "submit", className: "ct-send" });
    this.keys = element("span", { className: "ct-keys", "aria-hidden": "true" });
    this.said = element("span", { className: "ct-said", role: "status" });
    this.counter = element("span", { className: "ct-counter" });
    const line = element("div", { className: "ct-box-line" }, this.files.button, this.box, this.button);
    const frame = element("div", { className: "ct-box-frame" }, this.files.chips, line);
    const below = element("div", { className: "ct-below" }, this.keys, this.said, this.counter);
    this.element = element("form", { className: "ct-composer" }, this.files.chooser, frame, below);
    this.#listen(frame);
    this.box.value = panel.drafts.text;
    this.showTraits();
    this.showBusy();
  }

  showTraits() {
    this.box.placeholder = this.panel.model.get("placeholder") ?? "";
    this.files.showAccepted();
    this.#changed();
  }

  /** The button stops while a reply is under way, and sends else. */
  showBusy() {
    const { busy, queued } = this.panel.store;
    const label = busy ? "Stop" : "Send";
    if (this.button.title !== label) {
      this.button.title = label;
      this.button.setAttribute("aria-label", label);
      this.button.classList.toggle("ct-stop", Boolean(busy));
      this.button.replaceChildren(icon(busy ? "stop" : "send"));
    }
    const key = (name) => element("kbd", {}, name);
    const enter = busy ? " queue" : " send";
    const last = busy ? [" · ", key("Esc"), " stop"] : [];
    const hints = [key("Enter"), enter, " · ", key("Shift+Enter"), " new line", ...last];
    const waiting = queued ? [element("span", { className: "ct-hints" }, " · "), `${queued} queued`] : [];
    this.keys.replaceChildren(element("span", { className: "ct-hints" }, ...hints), ...waiting);
  }

  /** Puts text into the box; what is there already stays after it. */
  put(text, { focus = true } = {}) {
    const rest = this.box.value.trim() ? `\n\n${this.box.value}` : "";
    this.#set(text + rest);
    if (focus) this.box.focus();
  }

  /** Says what came of an action, for a moment. */
  tell(text) {
    clearTimeout(this.#saying);
    this.said.textContent = text;
    this.#saying = setTimeout(() => (this.said.textContent = ""), SAID_FOR);
  }

  stop() {
    clearTimeout(this.#saying);
  }

  #listen(frame) {
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.panel.store.busy) this.panel.say({ type: "stop" });
      else this.#send();
    });
    this.box.addEventListener("input", () => {
      this.panel.typed();
      this.#changed();
    });
    this.box.addEventListener("keydown", (event) => {
      if (meansSend(event)) this.#send();
      else if (!this.#recall(event)) return;
      event.preventDefault();
    });
    this.files.listen(frame);
  }

  #send() {
    const text = this.box.value;
    if (!text.trim() && this.files.isEmpty) return;
    const problem = text.trim() ? this.panel.problemWith(text) : FILES_ALONE;
    if (problem) {
      this.panel.object(problem);
      return;
    }
    if (this.panel.ask(text, this.files)) this.#set("");
    this.box.focus();
  }

  /** ↑ in an empty box brings the last prompt, ↑ again the one before; ↓ goes back. */
  #recall(event) {
    const step = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    const prompts = this.panel.store.inOrder().map((row) => row.prompt).reverse();
    if (!step || isComposing(event) || event.shiftKey) return false;
    const isRecalled = this.#recalled !== null && this.box.value === prompts[this.#recalled];
    if (!isRecalled && (this.box.value || step < 0)) return false;
    const place = isRecalled ? this.#recalled + step : 0;
    if (place >= prompts.length) return true;
    this.#set(prompts[place] ?? "");
    this.#recalled = place < 0 ? null : place;
    return true;
  }

  #set(text) {
    this.#recalled = null;
    this.box.value = text;
    this.box.dispatchEvent(new Event("input"));
    this.box.setSelectionRange(text.length, text.length);
  }

  #changed() {
    const { value } = this.box;
    const limit = this.panel.model.get("limit");
    this.panel.drafts.setText(value);
    if (value) this.panel.wake();
    this.button.classList.toggle("ct-idle", !value.trim());
    const isNear = limit && value.length > limit * NEAR_LIMIT;
    const used = isNear ? characters(value) : 0;
    this.counter.hidden = used <= limit * NEAR_LIMIT;
    this.counter.textContent = `${used.toLocaleString("en")} of ${limit.toLocaleString("en")}`;
    this.counter.classList.toggle("ct-over", used > limit);
  }
}

/** What is wrong with a prompt's length, or nothing. */
export function lengthProblem(text, limit) {
  const used = limit && text.length > limit ? characters(text) : 0;
  if (used <= limit) return "";
  const figures = [used, limit].map((figure) => figure.toLocaleString("en"));
  const problem = `This is too long: ${figures[0]} characters, and at most ${figures[1]} can be sent.`;
  return `${problem} Shorten it, or attach it as a file.`;
}

/** Characters as Python counts them: an emoji is one. */
function characters(text) {
  let found = 0;
  for (const _ of text) found += 1;
  return found;
}
