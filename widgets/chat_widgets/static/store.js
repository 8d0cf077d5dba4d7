/** Store: what the kernel told, in order. It outlives the views and knows no element. */

/** Milliseconds of silence of a reply, after which it is asked after. */
export const SILENCE = 5000;

/**
 * Rows and state of one transcript; views listen to it.
 *
 * A view has a method per thing that can change: `reset`, `placed`, `removed`, `ordered`,
 * `changed`, `settled`, `waits`, `worked`, `offered`, `focuses`, `refused`, `noticed`, `sent`,
 * `docks`.
 */
export class Store {
  #views = new Set();
  #heard = Date.now();
  #last = 0; // number of the last message
  #unseen = ""; // a notice that came before there was a view

  /** @param {(message: object, buffers?: ArrayBuffer[]) => void} say to the kernel. */
  constructor(say) {
    this.say = say;
    this.known = false;
    this.isAwake = false;
    this.rows = new Map();
    this.order = [];
    this.statuses = new Map();
    this.busy = null;
    this.queued = 0;
    this.starters = [];
  }

  watch(view) {
    this.#views.add(view);
    if (this.#unseen) view.noticed(this.#unseen);
    this.#unseen = "";
    return () => this.#views.delete(view);
  }

  /** The rows from first to last. */
  inOrder() {
    return this.order.map((id) => this.rows.get(id));
  }

  /** Takes a message of the kernel, where it is one of the store's; those before it may be lost. */
  take(message) {
    this.#heard = Date.now();
    const isMissing = this.known && message.n !== this.#last + 1;
    this.#last = message.n;
    this.#kinds[message.type]?.(message);
    if (isMissing && message.type !== "snapshot") this.#askAll();
  }

  /** Asks after a reply that is silent: where a connection was cut, its last messages may be lost. */
  askAfter() {
    const row = this.rows.get(this.busy);
    if (!row || Date.now() - this.#heard < SILENCE) return;
    const units = row.blocks.reduce((sum, html) => sum + html.length, 0);
    this.say({ type: "check", id: row.id, units });
  }

  /** The kernel is gone: nothing streams any more. */
  lose() {
    for (const row of this.rows.values()) {
      if (row.state === "streaming" || row.state === "queued") row.state = "interrupted";
    }
    this.busy = null;
    this.queued = 0;
    this.statuses.clear();
    this.#tell("reset");
  }

  /** Has every view look again at something that is not the store's. */
  retell(what, ...details) {
    this.#tell(what, ...details);
  }

  #tell(what, ...details) {
    for (const view of this.#views) view[what](...details);
  }

  #kinds = {
    snapshot: (message) => {
      this.known = true;
      this.rows = new Map(message.rows.map((row) => [row.id, row]));
      this.order = message.rows.map((row) => row.id);
      this.busy = message.busy ?? null;
      this.queued = message.queued ?? message.queue ?? 0;
      this.starters = message.starters ?? this.starters;
      this.statuses.clear();
      if (message.status && this.busy) this.#keepStatus(this.busy, message.status);
      this.#tell("reset");
    },
    row: ({ row, after }) => {
      const known = this.rows.has(row.id);
      this.rows.set(row.id, row);
      this.#place(row.id, after);
      if (row.state !== "streaming") this.statuses.delete(row.id);
      this.#tell("placed", row, !known);
    },
    remove: ({ ids }) => {
      for (const id of ids) {
        this.rows.delete(id);
        this.statuses.delete(id);
      }
      this.order = this.order.filter((id) => this.rows.has(id));
      this.#tell("removed", ids);
    },
    order: ({ ids }) => {
      this.order = ids.filter((id) => this.rows.has(id));
      this.#tell("ordered");
    },
    delta: (message) => this.#change(message),
    settled: (message) => {
      const row = this.rows.get(message.id);
      if (!row) return this.#askAll();
      const { type: _type, ...said } = message;
      Object.assign(row, said);
      this.statuses.delete(row.id);
      this.#tell("settled", row);
    },
    status: (message) => {
      this.#keepStatus(message.id, message);
      this.#tell("waits", message.id);
    },
    busy: ({ id, queued }) => {
      this.busy = id;
      this.queued = queued ?? 0;
      this.#tell("worked");
    },
    starters: ({ starters }) => {
      this.starters = starters;
      this.#tell("offered");
    },
    focus: () => this.#tell("focuses"),
    sent: (message) => this.#tell("sent", message),
    refused: (message) => this.#tell("refused", message),
    notice: ({ message }) => {
      if (!this.#views.size) this.#unseen = message;
      this.#tell("noticed", message);
    },
    dock: ({ model_id }) => [...this.#views][0]?.docks(model_id),
  };

  #place(id, after) {
    const rest = this.order.filter((other) => other !== id);
    const at = after === null || after === undefined ? 0 : rest.indexOf(after) + 1 || rest.length;
    rest.splice(at, 0, id);
    this.order = rest;
  }

  #change({ id, blocks, count }) {
    const row = this.rows.get(id);
    // A delta of what we do not have: messages were lost, so everything is asked for again.
    if (!row || blocks.some(([index, keep]) => keep > (row.blocks[index] ?? "").length)) {
      return this.#askAll();
    }
    for (const [index, keep, suffix] of blocks) {
      while (row.blocks.length < index) row.blocks.push("");
      row.blocks[index] = (row.blocks[index] ?? "").slice(0, keep) + suffix;
    }
    row.blocks.length = Math.min(row.blocks.length, count);
    this.statuses.delete(id);
    this.#tell("changed", row, blocks.map(([index]) => index));
  }

  #keepStatus(id, status) {
    const { text, since, until } = typeof status === "string" ? { text: status } : status;
    if (text) this.statuses.set(id, { text, since, until });
    else this.statuses.delete(id);
  }

  #askAll() {
    this.say({ type: "ready" });
  }
}
