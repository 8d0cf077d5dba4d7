/** Shelf: Enter and a double click in the list of conversations, which ipywidgets tells nobody of. */

const OPENS = ".chat-magics-list select";
const RENAMES = ".chat-magics-name input";

/** Has them press the buttons below the list, in the panel that holds an element; returns the end. */
export function listenToShelf(root) {
  const ours = (event, where) => {
    const panel = root.closest(".chat-magics-panel");
    return event.target.closest?.(where) && panel?.contains(event.target) ? panel : null;
  };
  const press = (panel, what) => panel.querySelector(`.chat-magics-does-${what}`)?.click();
  const click = (event) => {
    const panel = ours(event, OPENS);
    if (panel) press(panel, "open");
  };
  const key = (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    const opens = ours(event, OPENS);
    const renames = ours(event, RENAMES);
    if (opens) press(opens, "open");
    else if (renames) press(renames, "rename");
    else return;
    event.preventDefault();
    // JupyterLab would take it for its notebook.
    event.stopImmediatePropagation();
  };
  // On the window: before the page's own shortcuts.
  addEventListener("dblclick", click, true);
  addEventListener("keydown", key, true);
  return () => {
    removeEventListener("dblclick", click, true);
    removeEventListener("keydown", key, true);
  };
}
