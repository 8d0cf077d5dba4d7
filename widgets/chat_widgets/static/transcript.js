/**
 * Transcript: prompts and replies as they come, above the box for the next prompt.
 *
 * This file puts the parts together. `store` and `drafts` belong to the panel and outlive its
 * views; all else is made for each view. What each part is responsible for, its first line says.
 */

import { Composer, lengthProblem } from "./composer.js";
import { Drafts } from "./drafts.js";
import { element, icon, isComposing } from "./elements.js";
import { LogView } from "./log.js";
import { Notice } from "./notice.js";
import { addMathFont, download, hideStaticTranscripts, whenSeen } from "./page.js";
import { Bottom } from "./scroll.js";
import { SentWindow } from "./sent.js";
import { listenToShelf } from "./shelf.js";
import { SILENCE, Store } from "./store.js";
import { UnsentPrompts } from "./unsent.js";
import { Visit } from "./visit.js";

/** What outlives the views, by the panel's `uid`: each view is given another model object. */
const ROOMS = new Map();

/** One view of a panel. */
class View {
  #askedSent = null;

  constructor(model, root) {
    const { store, drafts } = ROOMS.get(model.get("uid"));
    Object.assign(this, { model, root, store, drafts });
    this.tell = (text) => this.composer.tell(text);
    this.log = new LogView(this);
    this.unsent = new UnsentPrompts(drafts, () => this.trouble);
    this.composer = new Composer(this);
    this.notes = new Notice(() => this.composer.box.focus());
    this.sentWindow = new SentWindow();
    this.#build();
    this.reset();
  }

  #build() {
    const { root, log, composer } = this;
    root.classList.add("ct-root");
    // JupyterLab's own Shift-Enter would run the cell.
    root.dataset.lmSuppressShortcuts = "true";
    this.box = element("div", { className: "ct-log", role: "log", tabIndex: 0 });
    this.box.setAttribute("aria-label", "Conversation");
    this.box.setAttribute("aria-live", "polite");
    this.content = element("div", { className: "ct-all" }, log.element, this.unsent.element);
    this.box.append(this.content);
    const jump = element("button", { type: "button", className: "ct-jump", hidden: true });
    jump.title = "Go to the end";
    jump.setAttribute("aria-label", jump.title);
    jump.append(icon("down"));
    const middle = element("div", { className: "ct-middle" }, this.box, jump);
    root.replaceChildren(middle, this.notes.element, composer.element, this.sentWindow.element);
    this.bottom = new Bottom(this.box, this.content, jump);
    root.addEventListener("keydown", (event) => this.#press(event));
  }

  stop() {
    this.bottom.stop();
    this.log.stop();
    this.unsent.stop();
    this.composer.stop();
  }

  /** What is wrong with the whole session, if anything. */
  get trouble() {
    return ROOMS.get(this.model.get("uid"))?.visit?.trouble ?? null;
  }

  // What the parts ask for

  say(message) {
    if (message.type === "show_sent") this.#askedSent = message.id;
    this.store.say(message);
  }

  /** Sends a prompt with its files; false where nobody is there to take it. */
  ask(text, files) {
    if (this.trouble?.action) {
      this.visit(this.trouble);
      return false;
    }
    if (this.isLost()) {
      this.notice("The kernel is gone. The text is kept; run the cell of this panel again.");
      return false;
    }
    if (!this.trouble) this.notes.withdraw();
    const taken = files.take();
    const attachments = taken.map(({ name, mime }) => ({ name, mime }));
    this.drafts.add({ text, files: taken, asker: this, after: this.store.order.at(-1) ?? null });
    this.store.say({ type: "ask", text, attachments }, taken.map((file) => file.content));
    this.store.retell("unsentChanged");
    this.bottom.follow();
    return true;
  }

  /** Something is typed: the kernel of a page loads meanwhile what an answer needs. */
  wake() {
    if (!this.model.get("in_url") || this.store.isAwake) return;
    this.store.isAwake = true;
    this.say({ type: "wake" });
  }

  begin(text) {
    this.composer.put(text);
  }

  problemWith(text) {
    return lengthProblem(text, this.model.get("limit"));
  }

  hasUnsent = () => this.drafts.unsent.length > 0;

  /** Something is wrong with the whole session, or it is well again. */
  visit(trouble) {
    this.notes.withdraw();
    // Else the connection may come back, with what waits for it.
    if (trouble?.action) this.#putBack(this.drafts.giveUp());
    this.unsentChanged();
    if (trouble) this.notes.stand(trouble);
  }

  notice = (text) => this.notes.say(text);
  object = (text) => this.notes.object(text);
  typed = () => this.notes.typed();

  isLost() {
    return Boolean(this.root.closest(".jupyter-widgets-disconnected"));
  }

  // What the store tells

  reset() {
    if (this.store.known) {
      this.#putBack(this.drafts.compare(this.store.inOrder()));
    }
    this.log.reset();
    this.unsentChanged();
    this.worked();
    this.bottom.follow();
  }

  placed(row, isNew) {
    if (isNew) {
      this.drafts.take(row.prompt, row.surface !== "cell");
      this.unsentChanged();
    }
    this.log.placed(row);
  }

  removed(ids) {
    this.log.removed(ids);
  }

  ordered() {
    this.log.ordered();
  }

  changed(row) {
    this.log.changed(row);
  }

  settled(row) {
    this.log.settled(row);
  }

  waits(id) {
    this.log.waits(id);
  }

  worked() {
    this.box.setAttribute("aria-busy", String(Boolean(this.store.busy)));
    this.composer.showBusy();
  }

  sent(message) {
    if (this.#askedSent === message.id) this.sentWindow.show(message);
    this.#askedSent = null;
  }

  refused({ text, message }) {
    const prompt = this.drafts.take(text);
    if (prompt?.asker === this || (!prompt && !this.composer.box.value)) {
      this.composer.put(text);
      this.composer.files.putBack(prompt?.files ?? []);
    }
    this.unsentChanged();
    this.notice(message);
  }

  noticed(text) {
    this.notice(text);
  }

  /** The keyboard goes into the box, where it is in this panel or nowhere. */
  focuses() {
    const { activeElement: at, body } = document;
    if (at === body || this.root.closest(".chat-magics-panel")?.contains(at)) this.composer.box.focus();
  }

  /** Asks the page to show the panel in a dock, and tells whether it did. */
  docks(model_id) {
    const options = { bubbles: true, cancelable: true, composed: true, detail: { model_id } };
    const done = !this.root.dispatchEvent(new CustomEvent("chat-magics:dock", options));
    this.say({ type: "docked", done });
  }

  offered() {
    this.log.showEmpty();
  }

  unsentChanged() {
    this.unsent.show();
    this.log.showEmpty();
  }

  /** The front end found the kernel gone, or there again. */
  liveChanged() {
    if (!this.isLost()) return;
    const { visit } = ROOMS.get(this.model.get("uid"));
    if (visit) {
      visit.cut();
      return;
    }
    this.#putBack(this.drafts.giveUp());
    this.store.lose();
    this.notice("The kernel is gone. Run the cell of this panel again to go on.");
  }

  #putBack(prompts) {
    for (const { text } of prompts) this.composer.put(text, { focus: false });
  }

  #press(event) {
    event.stopPropagation();
    const isOurs = event.key === "Escape" && !isComposing(event) && !this.sentWindow.element.open;
    if (!isOurs || !this.store.busy) return;
    event.preventDefault();
    this.say({ type: "stop" });
  }
}

function initialize({ model }) {
  const uid = model.get("uid");
  const store = new Store((message, buffers) => model.send(message, undefined, buffers));
  // A page of its own keeps its draft for the next kernel, whose panel has another `uid`.
  const isPage = model.get("in_url");
  const drafts = new Drafts(isPage ? "page" : uid);
  const visit = isPage ? new Visit(model, store, (trouble) => store.retell("visit", trouble)) : null;
  ROOMS.set(uid, { store, drafts, visit });
  model.on("msg:custom", (message, buffers) => {
    if (message.type === "font") addMathFont(buffers[0]);
    if (message.type === "download") download(message.name, message.mime, buffers[0]);
    store.take(message);
    if (visit && message.type !== "delta") visit.showAddress();
  });
  store.say({ type: "ready" });
  const watch = setInterval(() => store.askAfter(), SILENCE);
  return () => {
    clearInterval(watch);
    visit?.stop();
    drafts.stop();
    ROOMS.delete(uid);
  };
}

function render({ model, el }) {
  const { store, visit } = ROOMS.get(model.get("uid"));
  const height = model.get("height");
  if (height) el.style.setProperty("--ct-height", height);
  const view = new View(model, el);
  const unwatch = store.watch(view);
  if (visit?.trouble) view.visit(visit.trouble);
  const showStatic = hideStaticTranscripts();
  const unlisten = listenToShelf(el);
  // A page of its own begins in the box; in a frame, it is not the page that a person came to.
  if (model.get("in_url") && self === top) whenSeen(view.composer.box, () => view.focuses());
  const change = () => view.composer.showTraits();
  ["placeholder", "limit", "accept"].forEach((trait) => model.on(`change:${trait}`, change));
  // Later, as the class that tells is set on one model after the other, the panel's after ours.
  model.on("comm_live_update", () => setTimeout(() => view.liveChanged()));
  return () => {
    unwatch();
    showStatic();
    unlisten();
    view.stop();
  };
}

export default { initialize, render };
