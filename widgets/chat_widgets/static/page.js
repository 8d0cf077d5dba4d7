/** Page: what the view does outside of its own element. */

import { element, tick } from "./elements.js";

/** The name of the event by which a page that has cells is asked for a new one. */
const INSERT = "chat-magics:insert";

/** Copies text, also where the page may not use the clipboard's own interface. */
export async function copyText(text, from) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Refused, or no secure page (http:// on another machine): the old way still works there.
    const box = element("textarea", { value: text, className: "ct-aside" });
    from.after(box);
    box.select();
    document.execCommand("copy");
    box.remove();
    from.focus();
  }
  tick(from);
}

/** Whether there may be cells to put code into: a page of Voilà shows none. */
export function mayHaveCells() {
  return !document.body.hasAttribute("data-voila");
}

/** Puts code into a new cell; where the page has none the code is copied. Returns what to say. */
export async function insertCode(code, language, from) {
  const detail = { code, language };
  const asked = new CustomEvent(INSERT, { bubbles: true, cancelable: true, composed: true, detail });
  if (!from.dispatchEvent(asked)) {
    tick(from);
    return "put into a new cell";
  }
  await copyText(code, from);
  return "copied: this page cannot add a cell";
}

/** Acts once, when an element is on screen. */
export function whenSeen(part, act) {
  const watch = new IntersectionObserver((seen) => {
    if (!seen.some((each) => each.isIntersecting)) return;
    watch.disconnect();
    act();
  });
  watch.observe(part);
}

/** Has the browser save a file. */
export function download(name, mime, content) {
  const url = URL.createObjectURL(new Blob([content], { type: mime }));
  const link = element("a", { href: url, download: name });
  link.click();
  // The browser reads the blob after the click returned.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Adds the font of formulas, which has no address: no request is made for it. */
export async function addMathFont(content) {
  // Panels of one page share it, and each sends it.
  if ([...document.fonts].some(({ family }) => family.includes("Chat Magics Math"))) return;
  const font = new FontFace("Chat Magics Math", content);
  try {
    document.fonts.add(await font.load());
  } catch (error) {
    console.warn("chat_widgets: the font of formulas could not be read", error);
  }
}

/** Hides the transcripts that saved notebooks show where no kernel is. Returns how to undo it. */
export function hideStaticTranscripts() {
  // Not a <style> element: a strict content security policy refuses those.
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(".chat-magics-static { display: none !important; }");
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  return () => {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((other) => other !== sheet);
  };
}
