/** Visit: the panel as a page of its own: its URL names the conversation, its session may end. */

const LOOK = 5_000; // milliseconds between two looks whether the session lives
const LOOK_AGAIN = 3_000; // the same while the server cannot be reached

const ENDED =
  "This session has ended. Everything that was answered is kept: go on where you were.";
const LOST =
  "The server cannot be reached. Everything that was answered is kept; this page looks for it again.";

const TROUBLES = { well: null, lost: { text: LOST }, ended: { text: ENDED, action: "Go on" } };

/** Watches over one page; tells `view` by `visit({ text, action })`, or null where all is well. */
export class Visit {
  /** What is told now; where it has an action, nobody takes a prompt any more. */
  trouble = null;
  #state = "well";
  #isCut = false;

  constructor(model, store, tell) {
    this.model = model;
    this.store = store;
    this.tell = tell;
    this.opened = new URL(location.href).searchParams.get("conversation");
    this.#readPage();
    model.on("change:conversation", this.#turn);
    this.#plan(LOOK);
  }

  stop() {
    clearTimeout(this.timer);
    this.model.off("change:conversation", this.#turn);
  }

  /** The page's address, once there is something to come back to. */
  showAddress() {
    const id = this.model.get("conversation");
    this.#name(this.store.order.length || id === this.opened ? id : "");
  }

  /** The front end took the widgets' connection away: their kernel is another one now. */
  cut() {
    this.#isCut = true;
    clearTimeout(this.timer);
    if (this.kernel) this.#look();
  }

  // The rows are still those of the conversation before.
  #turn = () => this.#name("");

  #name(id) {
    const address = new URL(location.href);
    if (id) address.searchParams.set("conversation", id);
    else address.searchParams.delete("conversation");
    if (address.href !== location.href) history.replaceState(history.state, "", address);
  }

  #readPage() {
    const config = document.getElementById("jupyter-config-data");
    const { baseUrl, kernelId } = config ? JSON.parse(config.textContent) : {};
    this.kernel = kernelId && `${baseUrl}api/kernels/${kernelId}`;
  }

  #plan(pause) {
    if (this.kernel) this.timer = setTimeout(() => this.#look(), pause);
  }

  async #look() {
    const state = await this.#found();
    if (state !== this.#state) {
      this.#state = state;
      if (state === "ended") this.store.lose();
      this.trouble = TROUBLES[state];
      this.tell(this.trouble);
    }
    if (state !== "ended") this.#plan(state === "lost" ? LOOK_AGAIN : LOOK);
  }

  async #found() {
    try {
      const answer = await fetch(this.kernel, { redirect: "manual" });
      if (answer.ok) return this.#isCut ? "ended" : "well";
      // A proxy answers in the place of a server that is away.
      return answer.status >= 500 ? "lost" : "ended";
    } catch {
      return "lost";
    }
  }
}
