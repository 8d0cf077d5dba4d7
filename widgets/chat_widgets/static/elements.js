/** Elements: how they are made, their icons and buttons. Text is always text, never markup. */

const SVG = "http://www.w3.org/2000/svg";

const ICONS = {
  attach: "M20 11.5 12 19.4a5 5 0 0 1-7-7L13.4 4a3.3 3.3 0 0 1 4.7 4.7l-8.4 8.4a1.7 1.7 0 0 1-2.4-2.4l7.4-7.3",
  close: "M6 6l12 12M18 6 6 18",
  copy: "M9 9h10v11H9zM5 15V4h10",
  done: "M5 12.5l5 5L19 7",
  down: "M12 5v14M5.5 12.5 12 19l6.5-6.5",
  edit: "M4 20h4L19 9l-4-4L4 16zM13 7l4 4",
  insert: "M4 5h16M4 9.5h16M12 13v8M8 17h8",
  next: "M9 5l7 7-7 7",
  previous: "M15 5l-7 7 7 7",
  again: "M5 12a7 7 0 1 1 2 5M5 20v-4.5h4.5",
  send: "M12 19V5M5.5 11.5 12 5l6.5 6.5",
  sent: "M4 6h16v12H4zM4 7l8 6 8-6",
  stop: "M6 6h12v12H6z",
};

/**
 * An element with properties and children.
 *
 * @param {string} tag its name.
 * @param {object} properties of the element; `data-` and `aria-` names and `role` are attributes.
 * @param {...(Node|string|null)} children strings become text.
 */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (/^(data-|aria-|role$)/.test(name)) made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** An icon that screen readers pass over. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("ct-icon", `ct-icon-${name}`);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** A button that is only an icon; its label is its name for screen readers and its tooltip. */
export function iconButton(name, label, act) {
  const button = element("button", { type: "button", className: "ct-button", title: label });
  button.setAttribute("aria-label", label);
  button.append(icon(name));
  button.addEventListener("click", () => act(button));
  return button;
}

/** A button with words on it. */
export function textButton(text, act, className = "") {
  const button = element("button", { type: "button", className: `ct-text-button ${className}` }, text);
  button.addEventListener("click", () => act(button));
  return button;
}

/** Shows that a button did its work: a tick in the icon's place, for a moment. */
export function tick(button) {
  const before = button.querySelector(".ct-icon:not(.ct-icon-done)");
  if (!before || button.querySelector(".ct-icon-done")) return;
  const sign = icon("done");
  before.replaceWith(sign);
  setTimeout(() => sign.replaceWith(before), 1400);
}

/** Whether a key press means «send»: Enter alone, and not the one that ends an IME composition. */
export function meansSend(event) {
  return event.key === "Enter" && !event.shiftKey && !isComposing(event);
}

/** Whether a key press belongs to an IME; Safari says so by the key code 229 only. */
export function isComposing(event) {
  return event.isComposing || event.keyCode === 229;
}

/** A box that grows with its text; CSS says up to where. */
export function growingBox(properties) {
  const box = element("textarea", { rows: 1, ...properties });
  if (!CSS.supports("field-sizing", "content")) {
    box.addEventListener("input", () => {
      box.style.height = "auto";
      box.style.height = `${box.scrollHeight}px`;
    });
  }
  return box;
}

/** A size in bytes for a person: «12 kB». */
export function readableSize(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1e6) return `${Math.round(bytes / 1000)} kB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
