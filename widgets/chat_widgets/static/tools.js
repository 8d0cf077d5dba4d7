/** Tools: the small buttons under a reply, one stop of the Tab key for all of them. */

import { element, iconButton } from "./elements.js";
import { mayHaveCells } from "./page.js";

/** Buttons of one row; `acts` has a function for each. */
export class Tools {
  #buttons;
  #version;

  constructor(acts) {
    this.#version = element("span", { className: "ct-version", role: "img" });
    this.#buttons = {
      copy: iconButton("copy", "Copy reply", acts.copy),
      insert: iconButton("insert", "Insert the code as a cell below", acts.insert),
      regenerate: iconButton("again", "Regenerate", acts.regenerate),
      edit: iconButton("edit", "Edit the prompt", acts.edit),
      sent: iconButton("sent", "Show what was sent", acts.sent),
      previous: iconButton("previous", "Previous version", acts.previous),
      next: iconButton("next", "Next version", acts.next),
    };
    const { previous, next, ...others } = this.#buttons;
    this.element = element(
      "div",
      { className: "ct-tools", role: "toolbar", "aria-label": "Reply" },
      ...Object.values(others),
      previous,
      this.#version,
      next,
    );
    this.element.addEventListener("keydown", (event) => this.#walk(event));
    this.element.addEventListener("focusin", (event) => this.#stopAt(event.target));
  }

  /** Shows what can be done with this row now. */
  show(row, hasCode) {
    const over = row.state !== "streaming" && row.state !== "queued";
    const [at, of] = row.versions ?? [1, 1];
    const usable = {
      copy: over && row.blocks.length > 0,
      insert: over && hasCode && mayHaveCells(),
      regenerate: over && row.state !== "error",
      edit: over,
      sent: over,
      previous: over && of > 1,
      next: over && of > 1,
    };
    for (const [name, button] of Object.entries(this.#buttons)) button.hidden = !usable[name];
    setUsable(this.#buttons.previous, at > 1);
    setUsable(this.#buttons.next, at < of);
    this.#version.hidden = !usable.next;
    this.#version.textContent = usable.next ? `${at}/${of}` : "";
    this.#version.setAttribute("aria-label", `Version ${at} of ${of}`);
    this.element.hidden = !over;
    this.#stopAt(this.#shown()[0]);
  }

  #shown() {
    return Object.values(this.#buttons).filter((button) => !button.hidden);
  }

  #walk(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    const shown = this.#shown();
    const place = shown.indexOf(event.target.closest("button")) + step;
    shown[(place + shown.length) % shown.length].focus();
    event.preventDefault();
  }

  #stopAt(chosen) {
    for (const button of Object.values(this.#buttons)) {
      button.tabIndex = button === chosen?.closest("button") ? 0 : -1;
    }
  }
}

/** Not `disabled`, which would take the focus away from who walks by keyboard. */
function setUsable(button, usable) {
  button.setAttribute("aria-disabled", String(!usable));
}
