/** Plain: a reply as Markdown, for the clipboard, read from what is shown. */

const MARKS = { EM: "*", STRONG: "**", S: "~~", DEL: "~~", CODE: "`" };

/** The Markdown of an element's children. */
export function asMarkdown(box) {
  return blocksOf(box).join("\n\n").trim();
}

function blocksOf(box) {
  const found = [];
  let line = "";
  const end = () => {
    if (line.trim()) found.push(line.trim());
    line = "";
  };
  for (const node of box.childNodes) {
    const block = blockOf(node);
    if (block === null) line += inline(node);
    else {
      end();
      if (block) found.push(block);
    }
  }
  end();
  return found;
}

/** The Markdown of a block, or null where the node stands in a line. */
function blockOf(node) {
  const tag = node.tagName;
  if (/^H[1-6]$/.test(tag)) return `${"#".repeat(Number(tag[1]))} ${inlineOf(node)}`;
  if (tag === "P") return inlineOf(node).trim();
  if (tag === "UL" || tag === "OL") return listOf(node);
  if (tag === "PRE") return fenced(node);
  if (tag === "BLOCKQUOTE") return asMarkdown(node).replace(/^/gm, "> ");
  if (tag === "TABLE") return tableOf(node);
  if (tag === "HR") return "---";
  if (node.classList?.contains("ct-code-bar")) return "";
  if (tag === "DIV") return asMarkdown(node);
  return null;
}

function inlineOf(node) {
  return [...node.childNodes].map(inline).join("");
}

function inline(node) {
  if (node.nodeType !== Node.ELEMENT_NODE) return node.nodeValue.replace(/\s+/g, " ");
  if (node.tagName === "BR") return "  \n";
  if (node.tagName === "A") return `[${linkText(node)}](${node.getAttribute("href") ?? ""})`;
  const mark = MARKS[node.tagName] ?? "";
  return `${mark}${mark === "`" ? node.textContent : inlineOf(node)}${mark}`;
}

/** Without the host that is shown after a link. */
function linkText(link) {
  const shown = link.cloneNode(true);
  shown.querySelector(".chat-magics-host")?.remove();
  return inlineOf(shown);
}

function listOf(list) {
  const first = list.tagName === "OL" ? list.start : null;
  return [...list.children]
    .map((item, place) => {
      const sign = first === null ? "- " : `${first + place}. `;
      return sign + blocksOf(item).join("\n").replace(/\n/g, `\n${" ".repeat(sign.length)}`);
    })
    .join("\n");
}

function fenced(pre) {
  const code = pre.textContent.replace(/\n$/, "");
  const longest = Math.max(2, ...(code.match(/`{3,}/g) ?? []).map((run) => run.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}${pre.dataset.lang ?? ""}\n${code}\n${fence}`;
}

function tableOf(table) {
  const rows = [...table.rows].map((row) =>
    [...row.cells].map((cell) => inlineOf(cell).trim().replace(/\|/g, "\\|")),
  );
  if (!rows.length) return "";
  const line = (cells) => `| ${cells.join(" | ")} |`;
  const [head, ...body] = rows;
  return [line(head), line(head.map(() => "---")), ...body.map(line)].join("\n");
}
