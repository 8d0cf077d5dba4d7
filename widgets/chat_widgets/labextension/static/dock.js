/* One dock: at the right of one notebook, it shows what the notebook's kernel displays.
 * It owns what a person reads where there is no panel: opening, restarted, not installed.
 */

const LINE = "from chat_widgets import ChatPanel as _ChatPanel; _ChatPanel.dock_here()";
const ENDED = new Set(["restarting", "autorestarting", "terminating", "dead"]);
const WIDGET_VIEW = "application/vnd.jupyter.widget-view+json";
const PROMPT = ".ct-composer textarea"; // the view's; there are others, where a prompt is edited

// The least width that JupyterLab (of what is in the sidebar) and Notebook (of the sidebar) set
// by its id is too little for a chat.
export const STYLE = `
  #jp-right-stack:has(.chat-magics-dock), #jp-right-stack > .chat-magics-dock {
    min-width: min(360px, 45vw); }
  .chat-magics-dock { display: flex; flex-direction: column;
    background: var(--jp-layout-color1); color: var(--jp-ui-font-color1);
    font-family: var(--jp-ui-font-family); font-size: var(--jp-ui-font-size1); }
  .chat-magics-dock:focus { outline: none; }
  .chat-magics-dock > .jp-OutputArea { flex: 1; min-height: 0; overflow: auto; }
  .chat-magics-dock-line { display: flex; align-items: center; gap: 8px; flex: none;
    padding: 4px 8px; border-bottom: 1px solid var(--jp-border-color2); }
  .chat-magics-dock-line[hidden], .chat-magics-dock-line [hidden] { display: none; }
  .chat-magics-dock-line span { flex: 1; min-width: 0; overflow-wrap: anywhere; }
  .chat-magics-dock-line button { font: inherit; color: inherit; background: transparent;
    padding: 2px 8px; border: 1px solid var(--jp-border-color1); border-radius: 4px;
    cursor: pointer; flex: none; }
  .chat-magics-dock-line:first-child button { border-color: transparent; }
  .chat-magics-dock-line button:hover { background: var(--jp-layout-color2); }
  .chat-magics-dock-line button:focus-visible { outline: 2px solid var(--jp-brand-color1);
    outline-offset: 1px; }`;

const line = (...children) => {
  const made = document.createElement("div");
  made.className = "chat-magics-dock-line";
  made.append(...children);
  return made;
};

const button = (text, label, onClick) => {
  const made = document.createElement("button");
  Object.assign(made, { type: "button", textContent: text, title: label, ariaLabel: label });
  made.addEventListener("click", onClick);
  return made;
};

/* What a person reads where the line did not run. */
const failure = ({ ename, evalue }) =>
  ename === "ModuleNotFoundError"
    ? `${evalue}: run «%pip install chat-magics» in a cell of this notebook, then open again.`
    : `The chat did not open: ${ename}: ${evalue}`;

/* The class of docks, on the page's own widgets. */
export const dockClass = ({ Widget, PanelLayout }, { SimplifiedOutputArea, OutputAreaModel }) =>
  class ChatDock extends Widget {
    constructor(notebook, icon) {
      super();
      this.notebook = notebook;
      this.id = `chat-magics-dock-${notebook.id}`;
      this.title.icon = icon;
      this.title.closable = true;
      this.addClass("chat-magics-dock");
      this.node.setAttribute("role", "region");
      this.node.tabIndex = -1;
      this.fill();
      this.rename();
      notebook.disposed.connect(this.dispose, this);
      notebook.context.pathChanged.connect(this.rename, this);
      notebook.sessionContext.statusChanged.connect(this.onStatus, this);
      notebook.sessionContext.kernelChanged.connect(this.onKernel, this);
    }

    fill() {
      this.name = document.createElement("span");
      this.words = document.createElement("span");
      this.words.setAttribute("role", "status");
      this.again = button("Open again", "Open the chat again", () => this.run());
      this.bar = line(this.name, button("×", "Close the chat", () => this.dispose()));
      this.note = line(this.words, this.again);
      this.area = new SimplifiedOutputArea({
        model: new OutputAreaModel({ trusted: true }),
        rendermime: this.notebook.content.rendermime,
      });
      this.layout = new PanelLayout();
      this.layout.addWidget(new Widget({ node: this.bar }));
      this.layout.addWidget(new Widget({ node: this.note }));
      this.layout.addWidget(this.area);
    }

    rename() {
      this.name.textContent = this.notebook.context.path.split("/").pop();
      this.title.caption = `Chat · ${this.name.textContent}`;
      this.node.setAttribute("aria-label", this.title.caption);
    }

    /* Shows one line above the panel; no words take it away. */
    say(words, { again = false } = {}) {
      this.words.textContent = words;
      this.again.hidden = !again;
      this.note.hidden = !words;
    }

    onStatus(_, status) {
      if (ENDED.has(status)) this.end("The kernel was restarted or ended, and the panel with it.");
    }

    onKernel(_, { oldValue, newValue }) {
      // After a restart it comes again, as itself.
      if (!oldValue || oldValue.id === newValue?.id) return;
      this.end("The notebook's kernel was changed or shut down, and the panel with it.");
    }

    end(words) {
      this.shown = null;
      this.area.model.clear();
      this.say(words, { again: true });
    }

    /* Shows the docked panel of the notebook's kernel. */
    async run() {
      const session = this.notebook.sessionContext;
      this.shown = LINE;
      this.say("Opening…");
      await session.ready;
      const { kernel } = session.session ?? {};
      try {
        await this.runIn(kernel);
      } catch (error) {
        // A kernel that ends takes its requests with it; mostly, end() has said so already.
        if (this.isDisposed || this.shown !== LINE) return;
        if (kernel !== session.session?.kernel) await this.run();
        else this.end(`The chat did not open: ${error.message}`);
      }
    }

    async runIn(kernel) {
      if (!kernel) return this.end("This notebook has no kernel: choose one, then open again.");
      const { language_info: language } = await kernel.info;
      if (language.name === "python") return this.runLine(kernel);
      return this.end(`The chat needs a Python kernel; this one is for ${language.name}.`);
    }

    async runLine(kernel) {
      if (kernel.status === "busy") this.say("The chat opens when the running cell ends.");
      this.area.future = kernel.requestExecute({
        code: LINE,
        silent: false, // it is to display something
        store_history: false, // and to leave no number, no Out and no line in the history
        allow_stdin: false,
        stop_on_error: false, // cells that wait behind it run whatever happens here
      });
      const { content } = await this.area.future.done;
      if (content.status === "aborted") return this.runLine(kernel); // a cell before it failed
      return content.status === "error" ? this.end(failure(content)) : this.say("");
    }

    /* Shows another view of a widget that lives in the notebook's kernel. */
    view(modelId) {
      if (this.shown === modelId) return;
      this.shown = modelId;
      this.say("");
      this.area.model.clear();
      const data = { [WIDGET_VIEW]: { model_id: modelId, version_major: 2, version_minor: 0 } };
      this.area.model.add({ output_type: "display_data", data, metadata: {} });
    }

    /* Puts the keyboard into the prompt box as soon as there is one, unless it went elsewhere. */
    takeFocus() {
      const found = () => {
        const box = this.node.querySelector(PROMPT);
        box?.focus();
        return Boolean(box);
      };
      if (found()) return;
      this.node.focus();
      const watch = new MutationObserver(() => {
        if (document.activeElement !== this.node || found()) watch.disconnect();
      });
      watch.observe(this.node, { childList: true, subtree: true });
    }
  };
