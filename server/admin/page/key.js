// One key: what it is, the beginning of its value, and, where the server allows it, changes.

import { change, get, query, server } from "./api.js";
import { empty, h, named, say, setText } from "./dom.js";
import { bytes, count, join, none, plural, span } from "./format.js";

const headings = { list: ["Index", "Element"], set: ["Member"], zset: ["Member", "Score"], hash: ["Field", "Value"] };

/** bytesOf decodes base64url. */
function bytesOf(text) {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (c) => c.charCodeAt(0));
}

/** textOf is a value as text that an input can hold without changing it, null if there is none. */
function textOf(value64) {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytesOf(value64 || ""));
    return /[\r\0]/.test(text) ? null : text;
  } catch {
    return null;
  }
}

/** pretty is JSON with indents, null for what is none. */
function pretty(text) {
  if (text === null || !/^\s*[[{]/.test(text)) return null;
  try {
    JSON.parse(text);
    return indent(text);
  } catch {
    return null;
  }
}

/** indent lays JSON out without touching its numbers, which JSON.parse would round. */
function indent(text) {
  let out = "";
  let depth = 0;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{},:]|[^\s[\]{},:"]+/g)) {
    const line = () => `\n${"  ".repeat(depth)}`;
    if (token === "{" || token === "[") {
      depth++;
      out += token + line();
    } else if (token === "}" || token === "]") {
      depth--;
      out = /[[{]\s*$/.test(out) ? out.trimEnd() + token : out + line() + token;
    } else out += token === "," ? token + line() : token === ":" ? ": " : token;
  }
  return out;
}

export function keyPanel({ gone, closed }) {
  const element = h("section", { class: "card key", hidden: true, "aria-label": "The key" });
  let current = null; // {db, name}
  let since = 0; // when it was loaded, for the time to live to go on
  let ttl = null;
  let ttlText = null;
  setInterval(() => {
    if (ttlText && ttl !== null && element.isConnected) setText(ttlText, span(Math.max(0, ttl - (Date.now() - since))));
  }, 1000);

  async function open(db, name) {
    current = { db, name };
    element.hidden = false;
    await load();
    element.querySelector("h2")?.focus({ preventScroll: true });
    if (matchMedia("(max-width: 900px)").matches) element.scrollIntoView({ block: "start" });
  }
  function close() {
    current = null;
    element.hidden = true;
    element.replaceChildren();
  }
  const dismiss = h("button", { type: "button", class: "quiet", onclick: () => {
    close();
    closed();
  } }, "Close");

  async function load() {
    const mine = current;
    try {
      const k = await get(`/api/key${query(mine)}`);
      if (current === mine) draw(k);
    } catch (e) {
      if (current !== mine) return;
      element.replaceChildren(h("header", {}, h("h2", { tabIndex: -1 }, "No such key"), dismiss), empty(e.status === 404 ? "The key is not there any more" : "The key could not be read", e.message));
      if (e.status === 404) gone(mine.name);
    }
  }

  function draw(k) {
    element.dataset.name = k.name;
    ttl = k.ttl_ms;
    since = Date.now();
    ttlText = h("dd", {}, ttl === null ? "none" : span(ttl));
    const unit = k.type === "string" ? join(bytes(k.length)) : k.length === null ? none : count(k.length);
    const fact = (name, value) => h("div", {}, h("dt", {}, name), value instanceof Node ? value : h("dd", {}, value));
    const may = server && server.write;
    element.replaceChildren(
      h("header", {}, h("h2", { tabIndex: -1 }, named(k)), h("button", { type: "button", class: "quiet", onclick: load }, "Reload"), dismiss),
      h("dl", { class: "facts" }, fact("Type", k.type), fact("Encoding", k.encoding || none), fact("Time to live", ttlText), fact(k.type === "string" ? "Length" : "Elements", unit), fact("In memory", join(bytes(k.bytes)))),
      value(k),
      may ? tools(k) : h("p", { class: "muted note" }, "Keys are read only here. CONFIG SET admin-write yes allows changes."),
    );
  }

  function value(k) {
    if (k.type === "string") {
      const text = textOf(k.value64);
      const laid = k.complete ? pretty(text) : null;
      const box = h("pre", { class: "value", tabIndex: 0, "aria-label": "Value" }, laid ?? k.value.text);
      const note = !k.complete ? `The first ${join(bytes(16384))} of ${join(bytes(k.length))}.` : k.length === 0 ? "An empty string." : laid ? "JSON, laid out." : "";
      return h("div", {}, box, h("p", { class: "muted note" }, note));
    }
    const heads = headings[k.type];
    const rows = k.elements || [];
    if (!heads) return empty("No preview", "Values of this type are not shown.");
    return h("div", {},
      h("div", { class: "scroll value", tabIndex: 0, role: "region", "aria-label": "Elements" },
        h("table", {}, h("thead", {}, h("tr", {}, heads.map((t) => h("th", { scope: "col", class: t === "Index" || t === "Score" ? "num" : "" }, t)))),
          h("tbody", {}, rows.map((cells, i) => h("tr", {},
            k.type === "list" ? h("td", { class: "num muted" }, count(i)) : null,
            cells.map((c, j) => h("td", { class: k.type === "zset" && j === 1 ? "num" : "text" }, c.text === "" ? h("span", { class: "muted" }, "(empty)") : c.text + (c.truncated ? "…" : "")))))))),
      h("p", { class: "muted note" }, k.complete ? "" : `The first ${plural(rows.length, "element")}${k.length === null ? "" : ` of ${count(k.length)}`}.`));
  }

  /** tools are the buttons of changes. Each asks before it does anything. */
  function tools(k) {
    const text = k.type === "string" && k.complete ? textOf(k.value64) : null;
    const why = k.type !== "string" ? "" : !k.complete ? "Values above 16 KB can be changed by a client only." : text === null ? "The value is no plain text: it can be changed by a client only." : "";
    return h("footer", {},
      text === null ? null : h("button", { type: "button", onclick: () => editValue(k, text) }, "Edit value"),
      h("button", { type: "button", onclick: () => editTTL(k) }, "Set time to live"),
      h("button", { type: "button", class: "danger", onclick: () => remove(k) }, "Delete"),
      why && h("p", { class: "muted note" }, why));
  }

  const path = () => `/api/key${query(current)}`;
  const which = (k) => h("p", {}, "Key ", named(k, { class: "name strong" }), `, database ${current.db}.`);

  function remove(k) {
    ask({
      title: "Delete this key?", body: [which(k), h("p", {}, "Its value is gone then, and cannot be brought back.")], action: "Delete", danger: true,
      async run() {
        const { name } = current;
        await change("DELETE", path());
        say("Deleted.");
        close();
        closed();
        gone(name);
      },
    });
  }
  function editValue(k, text) {
    const area = h("textarea", { rows: 10, spellcheck: false, value: text, "aria-label": "Value" });
    ask({
      title: "Edit value", body: [which(k), area, h("p", { class: "muted" }, "The time to live stays as it is.")], action: "Save", focus: area,
      async run() {
        await change("PUT", path(), { value: area.value });
        say("Saved.");
        await load();
      },
    });
  }
  function editTTL(k) {
    const seconds = ttl === null ? 3600 : Math.max(1, Math.round((ttl - (Date.now() - since)) / 1000));
    const amount = h("input", { type: "number", min: 1, step: 1, value: seconds, "aria-label": "Seconds", required: true });
    const forever = h("input", { type: "checkbox", checked: ttl === null, id: "forever", onchange: () => (amount.disabled = forever.checked) });
    amount.disabled = forever.checked;
    ask({
      title: "Set time to live", body: [which(k), h("p", { class: "row" }, amount, " seconds"), h("p", { class: "row" }, forever, h("label", { for: "forever" }, "It never expires"))], action: "Set",
      focus: forever.checked ? forever : amount,
      async run() {
        await change("PUT", path(), { ttl_ms: forever.checked ? -1 : Math.round(Number(amount.value) * 1000) });
        say("Time to live set.");
        await load();
      },
    });
  }
  return { element, open, close };
}

/** ask opens a dialog that does something only when it is confirmed. */
function ask({ title, body, action, danger, focus, run }) {
  const trouble = h("p", { class: "trouble", role: "alert", hidden: true });
  const cancel = h("button", { type: "button", onclick: () => dialog.close() }, "Cancel");
  const go = h("button", { class: danger ? "danger" : "primary" }, action);
  const form = h("form", { onsubmit: async (e) => {
    e.preventDefault();
    go.disabled = true;
    try {
      await run();
      dialog.close();
    } catch (failure) {
      trouble.hidden = false;
      trouble.textContent = failure.message;
      go.disabled = false;
    }
  } }, h("h2", { id: "asked" }, title), body, trouble, h("footer", {}, cancel, go));
  const dialog = h("dialog", { "aria-labelledby": "asked", onclose: () => dialog.remove() }, form);
  document.body.append(dialog);
  dialog.showModal();
  (focus || cancel).focus();
}
