/** Notice: the calm line above the box: what happened, what to do, what is wrong with the session. */

import { element, iconButton, textButton } from "./elements.js";

/** One line; it takes no room while it has nothing to say. */
export class Notice {
  #objects = false;

  /** @param {() => void} onDismiss called when a person has closed it. */
  constructor(onDismiss) {
    this.onDismiss = onDismiss;
    this.element = element("div", { className: "ct-notice", role: "status", hidden: true });
  }

  say(text) {
    const close = iconButton("close", "Dismiss", () => {
      this.withdraw();
      this.onDismiss();
    });
    this.#show(text, close);
  }

  /** Says what is wrong with what is typed; the next key takes it away. */
  object(text) {
    this.say(text);
    this.#objects = true;
  }

  typed() {
    if (this.#objects) this.withdraw();
  }

  /** Says what is wrong with the session; it stands until it is well again. */
  stand({ text, action }) {
    this.#show(text, action ? textButton(action, () => location.reload(), "ct-go-on") : null);
  }

  withdraw() {
    this.#objects = false;
    this.element.hidden = true;
    this.element.replaceChildren();
  }

  #show(text, button) {
    this.#objects = false;
    this.element.replaceChildren(...[element("p", {}, text), button].filter(Boolean));
    this.element.hidden = false;
  }
}
