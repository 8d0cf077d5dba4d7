/** Drafts: what was typed and is not in the transcript yet; a reload of the page keeps it. */

const DELAY = 200; // milliseconds from the last key until the text is written down

/** The text in the box, and the prompts that the kernel has not taken yet, of one panel. */
export class Drafts {
  #key;
  #timer = null;
  #restored;

  constructor(uid) {
    this.#key = `chat-magics-draft-${uid}`;
    const kept = this.#read();
    this.text = kept.text ?? "";
    this.unsent = kept.unsent ?? [];
    this.#restored = this.unsent.length > 0;
    addEventListener("pagehide", this.flush);
  }

  /** Keeps the text of the box, soon. */
  setText(text) {
    this.text = text;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.flush, DELAY);
  }

  /** Keeps a prompt until the kernel shows that it has it. */
  add(prompt) {
    this.unsent.push(prompt);
    this.flush();
  }

  /** The kernel shows a new row, or refuses a prompt: gives the prompt that it was, if ours. */
  take(text, isOurs = false) {
    const same = this.unsent.findIndex((prompt) => prompt.text.trim() === text.trim());
    const place = same < 0 && isOurs ? 0 : same;
    const [taken] = place < 0 ? [] : this.unsent.splice(place, 1);
    this.flush();
    return taken;
  }

  /** The kernel showed all rows: gives back what was typed before a reload and is not among them. */
  compare(rows) {
    this.unsent = this.unsent.filter((prompt) => {
      const newer = rows.slice(rows.findIndex((row) => row.id === prompt.after) + 1);
      return !newer.some((row) => row.prompt.trim() === prompt.text.trim());
    });
    const lost = this.#restored ? this.giveUp() : [];
    this.#restored = false;
    this.flush();
    return lost;
  }

  /** Nobody will take them any more: gives them back. */
  giveUp() {
    const lost = this.unsent;
    this.unsent = [];
    this.flush();
    return lost;
  }

  flush = () => {
    clearTimeout(this.#timer);
    const unsent = this.unsent.map(({ text, after }) => ({ text, after }));
    try {
      if (this.text || unsent.length) {
        sessionStorage.setItem(this.#key, JSON.stringify({ text: this.text, unsent }));
      } else sessionStorage.removeItem(this.#key);
    } catch (error) {
      // Storage is full, or refused by the browser: the draft lives as long as the page.
      console.warn("chat_widgets: the draft is not kept over a reload", error);
    }
  };

  stop() {
    this.flush();
    removeEventListener("pagehide", this.flush);
  }

  #read() {
    try {
      return JSON.parse(sessionStorage.getItem(this.#key)) ?? {};
    } catch (error) {
      console.warn("chat_widgets: no draft could be read", error);
      return {};
    }
  }
}
