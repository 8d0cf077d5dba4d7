/* The «Chat» tile, its command, and where code and panels go, in JupyterLab and Notebook 7.
 *
 * A federated extension as a builder would make it, written by hand so that no build is needed:
 * the page calls init() with the modules it shares, then get() for the plugin. dock.js is the dock.
 */
(() => {
  "use strict";

  const OPEN = "chat-magics:open";
  const RELOADED = "chat-magics:docks";
  const MODULES = [
    "@jupyterlab/notebook",
    "@jupyterlab/launcher",
    "@jupyterlab/apputils",
    "@jupyterlab/outputarea",
    "@jupyterlab/ui-components",
    "@lumino/widgets",
  ];
  const ICON = `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
    <path class="jp-icon3" fill="#616161" d="M5 3h14a3 3 0 0 1 3 3v9a3 3 0 0 1-3 3h-7l-5 4v-4H5
      a3 3 0 0 1-3-3V6a3 3 0 0 1 3-3zm0 2a1 1 0 0 0-1 1v9a1 1 0 0 0 1 1h14a1 1 0 0 0 1-1V6
      a1 1 0 0 0-1-1zm2 3h10v1.8H7zm0 3.4h6.5v1.8H7z"/></svg>`;
  // In this category the launcher shows pictures only, which do not follow the theme.
  const TILE = `data:image/svg+xml,${encodeURIComponent(ICON.replace("#616161", "#1976d2"))}`;

  /* A module of the page's own. Where several extensions brought copies, the one that the page
   * has in use is taken: tokens and widgets of another copy would not be known to it. */
  const shared = async (scope, name) => {
    const copies = Object.values(scope[name] ?? {});
    const copy = copies.find((one) => one.loaded) ?? copies.at(-1);
    return copy && (await copy.get())();
  };

  /* Where code goes: the notebook around an element, or the one that its dock belongs to. */
  const homeOf = (target, tracker, docks) =>
    tracker.find((notebook) => notebook.node.contains(target)) ??
    [...docks.values()].find((dock) => dock.node.contains(target))?.notebook;

  /* Puts code into a new cell below the one around the target, else below the active one. */
  const insertBelow = (shell, notebook, target, code) => {
    const { content, model } = notebook;
    const around = content.widgets.findIndex((cell) => cell.node.contains(target));
    const index = (around < 0 ? content.activeCellIndex : around) + 1;
    model.sharedModel.insertCell(index, { cell_type: "code", source: code, metadata: {} });
    if (!notebook.isVisible) shell.activateById(notebook.id);
    content.deselectAll();
    content.activeCellIndex = index;
    void content.scrollToItem(index);
  };

  /* Opens a new notebook with the default kernel, or with a Python one where that is another. */
  const createNotebook = async ({ commands, serviceManager }, cwd) => {
    await serviceManager.kernelspecs.ready;
    const { default: usual, kernelspecs } = serviceManager.kernelspecs.specs;
    const kernelName = [usual, ...Object.keys(kernelspecs)].find(
      (name) => kernelspecs[name]?.language === "python",
    );
    return commands.execute("notebook:create-new", { cwd, kernelName });
  };

  /* The docks of this page, one for a notebook. */
  class Docks extends Map {
    constructor(Dock, icon, shell) {
      super();
      Object.assign(this, { Dock, icon, shell });
    }

    of(notebook) {
      if (!this.has(notebook)) {
        const dock = new this.Dock(notebook, this.icon);
        this.set(notebook, dock);
        dock.disposed.connect(() => this.delete(notebook));
        this.shell.add(dock, "right", { rank: 10 });
      }
      return this.get(notebook);
    }

    /* Shows the kernel's panel beside the notebook. */
    open(notebook, { show = true } = {}) {
      const isNew = !this.has(notebook);
      const dock = this.of(notebook);
      if (isNew) void dock.run();
      if (show) this.shell.activateById(dock.id);
      return dock;
    }
  }

  const addCommand = (app, tracker, launcher, palette, docks, icon) => {
    app.commands.addCommand(OPEN, {
      label: ({ inPalette }) => (inPalette ? "Chat: open beside this notebook" : "Chat"),
      caption: "Chat beside the notebook, in its own kernel",
      icon,
      isEnabled: () => Boolean(tracker.currentWidget ?? launcher),
      execute: async ({ cwd }) => {
        const current = tracker.currentWidget;
        if (current && !current.isVisible) app.shell.activateById(current.id);
        const notebook = current ?? (await createNotebook(app, cwd));
        const dock = docks.open(notebook);
        requestAnimationFrame(() => dock.takeFocus()); // the palette gives the focus back first
        return current ? undefined : notebook; // a launcher gives its place to what it made
      },
    });
    tracker.currentChanged.connect(() => app.commands.notifyCommandChanged(OPEN));
    palette?.addItem({ command: OPEN, category: "Chat", args: { inPalette: true } });
    launcher?.add({ command: OPEN, category: "Notebook", rank: 1, kernelIconUrl: TILE });
  };

  /* What a panel asks the page for. It learns by preventDefault() that the page has done it. */
  const answerPanels = (shell, tracker, docks) => {
    document.addEventListener("chat-magics:insert", (event) => {
      const notebook = homeOf(event.target, tracker, docks);
      if (!notebook?.model || notebook.model.readOnly) return;
      insertBelow(shell, notebook, event.target, String(event.detail.code));
      event.preventDefault();
    });
    document.addEventListener("chat-magics:dock", (event) => {
      const notebook = homeOf(event.target, tracker, docks);
      if (!notebook) return;
      const dock = docks.of(notebook);
      dock.view(String(event.detail.model_id));
      shell.activateById(dock.id);
      event.preventDefault();
    });
  };

  /* Docks come back when the page is reloaded: the browser's tab remembers whose were there. */
  const restoreDocks = (app, tracker, docks) => {
    const kept = new Map(JSON.parse(sessionStorage.getItem(RELOADED) ?? "[]"));
    const restore = (notebook) => {
      const { path } = notebook.context;
      if (kept.has(path)) docks.open(notebook, { show: kept.get(path) });
      kept.delete(path);
    };
    void app.restored.then(() => {
      tracker.forEach(restore);
      tracker.widgetAdded.connect((_, notebook) => restore(notebook));
    });
    window.addEventListener("pagehide", () => {
      const now = [...docks.values()].map((dock) => [dock.notebook.context.path, dock.isVisible]);
      sessionStorage.setItem(RELOADED, JSON.stringify(now));
    });
  };

  const makePlugin = async (scope) => {
    const modules = await Promise.all(MODULES.map((name) => shared(scope, name)));
    if (!modules.every(Boolean)) return []; // a page without notebooks, such as Voilà's
    const [{ INotebookTracker }, { ILauncher }, { ICommandPalette }, outputs, ui, lumino] = modules;
    const { STYLE, dockClass } = await import("./dock.js");
    const icon = new ui.LabIcon({ name: "chat-magics:chat", svgstr: ICON });
    return {
      id: "chat-magics:dock",
      description: "Chat beside a notebook, in the notebook's own kernel.",
      autoStart: true,
      optional: [INotebookTracker, ILauncher, ICommandPalette],
      activate: (app, tracker, launcher, palette) => {
        if (!tracker) return;
        const sheet = new CSSStyleSheet(); // a strict content security policy refuses <style>
        sheet.replaceSync(STYLE);
        document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
        const docks = new Docks(dockClass(lumino, outputs), icon, app.shell);
        addCommand(app, tracker, launcher, palette, docks, icon);
        answerPanels(app.shell, tracker, docks);
        restoreDocks(app, tracker, docks);
      },
    };
  };

  let scope;
  window._JUPYTERLAB = window._JUPYTERLAB ?? {};
  window._JUPYTERLAB["chat-magics"] = {
    init: (sharedModules) => {
      scope = sharedModules;
    },
    get: async () => {
      const plugin = await makePlugin(scope);
      return () => ({ __esModule: true, default: plugin });
    },
  };
})();
