/** Log: the rows from first to last, or three ways to begin where there are none. */

import { element, textButton } from "./elements.js";
import { RowView } from "./row.js";

const SLICE = 12; // milliseconds of work for each frame while many rows are built

/** All rows of a store; those at the end are built first. */
export class LogView {
  #views = new Map();
  #unfilled = false;
  #empty;

  constructor(panel) {
    this.panel = panel;
    this.#empty = element("div", { className: "ct-empty", hidden: true });
    this.rows = element("div", { className: "ct-rows" });
    this.element = element("div", { className: "ct-content" }, this.#empty, this.rows);
  }

  /** Shows everything; what is shown already stays. */
  reset() {
    const { store } = this.panel;
    this.removed([...this.#views.keys()].filter((id) => !store.rows.has(id)));
    for (const row of store.inOrder()) {
      const view = this.#views.get(row.id);
      if (view) view.replace(row);
      else this.#views.set(row.id, new RowView(row, this.panel));
    }
    this.ordered();
    this.#fill();
    this.showEmpty();
  }

  placed(row) {
    const view = this.#views.get(row.id);
    if (view) view.replace(row);
    else {
      const made = new RowView(row, this.panel);
      made.fill();
      this.#views.set(row.id, made);
    }
    this.ordered();
    this.showEmpty();
  }

  removed(ids) {
    for (const id of ids) {
      this.#views.get(id)?.remove();
      this.#views.delete(id);
    }
    this.showEmpty();
  }

  /** Puts the rows in the store's order; one that is in its place is not touched. */
  ordered() {
    let next = this.rows.firstElementChild;
    for (const id of this.panel.store.order) {
      const { element: row } = this.#views.get(id);
      if (row === next) next = next.nextElementSibling;
      else this.rows.insertBefore(row, next);
    }
  }

  changed(row) {
    this.#views.get(row.id)?.change();
  }

  settled(row) {
    this.#views.get(row.id)?.settle();
  }

  waits(id) {
    this.#views.get(id)?.showStatus();
  }

  stop() {
    for (const view of this.#views.values()) view.remove();
  }

  showEmpty() {
    const { store, hasUnsent } = this.panel;
    const isEmpty = store.known && !store.order.length && !hasUnsent();
    this.#empty.hidden = !isEmpty;
    if (!isEmpty) return;
    const starters = store.starters.map((text) =>
      textButton(text, () => this.panel.begin(text), "ct-starter"),
    );
    const line = element("p", {}, "Ask about your data, your code, or an error you see.");
    this.#empty.replaceChildren(line, ...starters);
  }

  /** Builds rows from the last one up, a few for each frame, so that the page stays usable. */
  #fill() {
    if (this.#unfilled) return;
    this.#unfilled = true;
    const work = () => {
      const until = performance.now() + SLICE;
      const left = this.panel.store.order.map((id) => this.#views.get(id)).filter((view) => !view.isFilled);
      while (left.length && performance.now() < until) left.pop().fill();
      this.#unfilled = left.length > 0;
      if (this.#unfilled) requestAnimationFrame(work);
    };
    work();
  }
}
