/** Block: one block of a reply in the page. Its HTML was made safe in the kernel. */

import { element, iconButton } from "./elements.js";
import { copyText, insertCode, mayHaveCells } from "./page.js";

const CODE = /^<pre(?: data-lang="([^"]*)")?><code>/;
const CODE_END = /<\/code><\/pre>\n?$/;

/**
 * A block that follows its HTML while that grows.
 *
 * Code is kept by lines: of a block of a thousand lines only those that changed are made anew.
 * All else is small, and set as a whole.
 */
export class Block {
  #html = null;
  #code = null;

  /** @param {(text: string) => void} tell says what became of a copied or inserted block. */
  constructor(tell) {
    this.element = element("div", { className: "ct-block" });
    this.tell = tell;
  }

  show(html) {
    if (html === this.#html) return;
    this.#html = html;
    const lines = codeLines(html);
    if (lines) this.#showCode(html, lines);
    else this.#showWhole(html);
  }

  #showWhole(html) {
    this.#code = null;
    this.element.innerHTML = html;
    for (const pre of this.element.querySelectorAll("pre:not(.chat-magics-source)")) {
      framed(pre, this.tell);
    }
    for (const table of this.element.querySelectorAll("table")) {
      const frame = scroller(element("div", { className: "ct-wide" }), "Table");
      table.replaceWith(frame);
      frame.append(table);
    }
    for (const math of this.element.querySelectorAll("div.chat-magics-math")) {
      scroller(math, "Formula");
    }
  }

  #showCode(html, lines) {
    const language = CODE.exec(html)[1] ?? "";
    if (this.#code?.language !== language) {
      const pre = element("pre", {}, element("code"));
      if (language) pre.dataset.lang = language;
      this.element.replaceChildren(pre);
      framed(pre, this.tell);
      this.#code = { language, place: pre.firstChild, lines: [] };
    }
    const { place, lines: before } = this.#code;
    let same = 0;
    while (same < lines.length && lines[same] === before[same]) same += 1;
    while (place.childElementCount > same) place.lastElementChild.remove();
    const added = document.createElement("template");
    added.innerHTML = lines.slice(same).map((line) => `<span class="ct-line">${line}</span>`).join("");
    place.append(added.content);
    this.#code.lines = lines;
  }
}

/** The code of a `pre`, as it was written. */
export function codeOf(pre) {
  return pre.textContent.replace(/\n$/, "");
}

/** The HTML of each line of a block of code, its line break included; null where it is another. */
function codeLines(html) {
  const start = CODE.exec(html);
  const end = start && CODE_END.exec(html);
  if (!end) return null;
  const lines = html.slice(start[0].length, end.index).split(/(?<=\n)/);
  return lines.every(isWhole) ? lines : null;
}

/** Whether a line closes each span that it opens. */
function isWhole(line) {
  return count(line, "<span") === count(line, "</span>") && !line.includes("</code>");
}

function count(text, part) {
  let found = 0;
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length)) found += 1;
  return found;
}

/** A block of code under a bar with its language and what can be done with it. */
function framed(pre, tell) {
  const language = pre.dataset.lang ?? "";
  scroller(pre, language ? `Code, ${language}` : "Code");
  const insert = async (button) => tell(await insertCode(codeOf(pre), language, button));
  const copy = async (button) => {
    await copyText(codeOf(pre), button);
    tell("copied");
  };
  const bar = element(
    "div",
    { className: "ct-code-bar" },
    element("span", { className: "ct-language" }, language || "text"),
    mayHaveCells() ? iconButton("insert", "Insert as a cell below", insert) : null,
    iconButton("copy", "Copy code", copy),
  );
  const frame = element("div", { className: "ct-code" }, bar);
  pre.before(frame);
  frame.append(pre);
}

/** Lets the keyboard reach what scrolls inside itself. */
function scroller(box, label) {
  box.tabIndex = 0;
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", label);
  return box;
}
