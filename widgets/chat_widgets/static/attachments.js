/** Attachments: files that go with the next prompt, chosen, pasted or dropped. */

import { element, iconButton, readableSize } from "./elements.js";
import { fileChip } from "./row.js";

/** Files beside the prompt box, shown as chips before they are sent. */
export class Attachments {
  #files = [];

  /** @param {object} panel gives `model` and `notice(text)`. */
  constructor(panel) {
    this.panel = panel;
    this.chips = element("ul", { className: "ct-files", "aria-label": "Attachments", hidden: true });
    this.chooser = element("input", { type: "file", multiple: true, hidden: true, tabIndex: -1 });
    this.chooser.setAttribute("aria-label", "Attach files");
    this.chooser.addEventListener("change", () => {
      this.add(this.chooser.files);
      this.chooser.value = "";
    });
    this.button = iconButton("attach", "Attach files", () => this.chooser.click());
    this.showAccepted();
  }

  /** The types of files that the kernel takes may change; with none there is no button. */
  showAccepted() {
    const accept = this.panel.model.get("accept") ?? [];
    this.chooser.accept = accept.join(",");
    this.button.hidden = !accept.length;
  }

  get isEmpty() {
    return !this.#files.length;
  }

  /** Adds files that are of a taken type and size; says why another is not added. */
  async add(files) {
    for (const file of [...files]) {
      const problem = this.#problemWith(file);
      if (problem) this.panel.notice(problem);
      // Read now: by the time of sending the file may be gone.
      else this.#files.push({ ...described(file), content: await file.arrayBuffer() });
    }
    this.#show();
  }

  /** Gives the files away: what is said of them, and their bytes in the same order. */
  take() {
    const files = this.#files;
    this.#files = [];
    this.#show();
    return files;
  }

  putBack(files) {
    this.#files.unshift(...files);
    this.#show();
  }

  /** Takes files that are pasted or dropped on an element. */
  listen(box) {
    box.addEventListener("paste", (event) => this.#takeFrom(event, event.clipboardData));
    box.addEventListener("dragover", (event) => {
      if (!event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      box.classList.add("ct-dropping");
    });
    box.addEventListener("dragleave", () => box.classList.remove("ct-dropping"));
    box.addEventListener("drop", (event) => {
      box.classList.remove("ct-dropping");
      this.#takeFrom(event, event.dataTransfer);
    });
  }

  #takeFrom(event, data) {
    // A spreadsheet's cells come as text and as a picture: who pastes them means the text.
    if (!data?.files.length || (event.type === "paste" && data.types.includes("text/plain"))) return;
    event.preventDefault();
    event.stopPropagation();
    this.add(data.files);
  }

  #problemWith(file) {
    const { model } = this.panel;
    const accept = model.get("accept") ?? [];
    if (!accept.some((type) => isOfType(file, type))) {
      const taken = accept.length ? "text files and images" : "no files";
      return `${file.name} is not attached: this panel takes ${taken}.`;
    }
    const kind = kindOf(file);
    const most = model.get("max_bytes")?.[kind];
    if (most && file.size > most) {
      const of = kind === "image" ? "an image" : "a text file";
      const sizes = `${readableSize(file.size)}, and ${of} may have at most ${readableSize(most)}`;
      return `${file.name} is not attached: it has ${sizes}.`;
    }
    return "";
  }

  #show() {
    const chips = this.#files.map((file) => {
      const remove = iconButton("close", `Remove ${file.name}`, () => {
        this.#files = this.#files.filter((other) => other !== file);
        this.#show();
      });
      return fileChip(file, remove);
    });
    this.chips.replaceChildren(...chips);
    this.chips.hidden = !chips.length;
  }
}

function described(file) {
  return { name: file.name, mime: file.type || "text/plain", size: file.size, kind: kindOf(file) };
}

/** `image` or `text`; SVG is text. */
function kindOf({ type }) {
  return type.startsWith("image/") && type !== "image/svg+xml" ? "image" : "text";
}

/** Whether a file is of a type as the attribute `accept` names it: `.csv`, `text/*`, `image/png`. */
function isOfType(file, type) {
  if (type.startsWith(".")) return file.name.toLowerCase().endsWith(type.toLowerCase());
  if (type.endsWith("/*")) return file.type.startsWith(type.slice(0, -1));
  return file.type === type;
}
