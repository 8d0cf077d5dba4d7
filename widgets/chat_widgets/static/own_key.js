/** OwnKey: a field for a key. What is typed goes to the kernel by one message and is forgotten. */

import { element } from "./elements.js";

function render({ model, el }) {
  const box = element("input", {
    type: "password",
    autocomplete: "off",
    spellcheck: false,
    placeholder: "Your own API key",
  });
  box.setAttribute("aria-label", "Your own API key");
  const use = element("button", { type: "button", className: "jupyter-button", textContent: "Use" });
  const said = element("p", { className: "chat-magics-said" });
  said.setAttribute("role", "status");
  const send = () => {
    const key = box.value;
    box.value = "";
    if (key) model.send({ key });
  };
  use.addEventListener("click", send);
  box.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter") send();
  });
  const tell = () => {
    said.textContent = model.get("said");
  };
  model.on("change:said", tell);
  tell();
  el.classList.add("chat-magics-own-key");
  el.dataset.lmSuppressShortcuts = "true";
  const caution = element("p", { className: "chat-magics-said", textContent: model.get("caution") });
  el.append(...(caution.textContent ? [caution] : []), element("div", {}, box, use), said);
  return () => model.off("change:said", tell);
}

export default { render };
