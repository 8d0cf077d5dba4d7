/** Sent: shows what exactly was sent to the model for one reply. */

import { element, iconButton } from "./elements.js";
import { copyText } from "./page.js";

/** A window over the panel with the messages, options and model of one request. */
export class SentWindow {
  constructor() {
    this.element = element("dialog", { className: "ct-sent", "aria-label": "What was sent" });
    // A click beside the window lands on the dialog itself.
    this.element.addEventListener("click", (event) => {
      if (event.target === this.element) this.element.close();
    });
  }

  show({ messages, options, model, request_id: request }) {
    const copied = JSON.stringify({ model, messages, ...options }, null, 2);
    const head = element(
      "header",
      {},
      element("h2", {}, "What was sent"),
      iconButton("copy", "Copy as JSON", (button) => copyText(copied, button)),
      iconButton("close", "Close", () => this.element.close()),
    );
    const facts = [["model", model], ...Object.entries(options ?? {}), ["request id", request]];
    const list = element("dl", {}, ...facts.filter(([, value]) => isKnown(value)).flatMap(fact));
    const turns = messages.map(({ role, content }) =>
      element("section", {}, element("h3", {}, role), element("pre", {}, asText(content))),
    );
    const body = element("div", { className: "ct-sent-body", tabIndex: 0, role: "group" }, list, ...turns);
    body.setAttribute("aria-label", "Messages");
    this.element.replaceChildren(element("div", { className: "ct-sent-frame" }, head, body));
    if (!this.element.open) this.element.showModal();
  }
}

function isKnown(value) {
  return value !== null && value !== undefined && value !== "";
}

function fact([name, value]) {
  return [element("dt", {}, name), element("dd", {}, asText(value))];
}

function asText(value) {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}
