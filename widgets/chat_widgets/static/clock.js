/** Clock: a line that tells what is waited for, its seconds ticking. */

import { element } from "./elements.js";

const PLACE = "{seconds}";

/** One status line; it ticks only while it has seconds to show. */
export class StatusLine {
  #timer = null;

  constructor() {
    this.element = element("p", { className: "ct-status", hidden: true });
  }

  /** @param {{text: string, since?: number, until?: number}|undefined} status times in ms. */
  show(status) {
    clearInterval(this.#timer);
    this.element.hidden = !status?.text;
    this.element.replaceChildren();
    if (!status?.text) return;
    const dots = element("span", { className: "ct-dots", "aria-hidden": "true" });
    const { text, since, until } = status;
    if (since === undefined && until === undefined) {
      this.element.append(dots, element("span", {}, text));
      return;
    }
    const [before, after = ""] = text.includes(PLACE) ? text.split(PLACE) : [`${text}, `, " s"];
    // Hidden from screen readers, which would read out each second.
    const seconds = element("span", { "aria-hidden": "true", className: "ct-seconds" });
    const tell = () => {
      const left = until === undefined ? Date.now() - since : until - Date.now();
      seconds.textContent = String(Math.max(0, Math.round(left / 1000)));
    };
    tell();
    this.#timer = setInterval(tell, 1000);
    this.element.append(dots, element("span", {}, before, seconds, after));
  }

  stop() {
    clearInterval(this.#timer);
  }
}
