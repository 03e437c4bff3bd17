// The browser of keys: SCAN with a pattern and a type, page by page, and one key beside the list.

import { get, query, server } from "./api.js";
import { empty, h, named, say, setText } from "./dom.js";
import { bytes, none, plural, span } from "./format.js";
import { keyPanel } from "./key.js";
import { table } from "./table.js";
import { view } from "./view.js";

const types = ["string", "list", "set", "zset", "hash"];
const most = 5000; // keys in the list; who wants more has to narrow the search

/** literal escapes what has a meaning in a pattern. */
const literal = (text) => text.replace(/[*?[\]\\^]/g, "\\$&");

export function keys() {
  let db = 0;
  let cursor = "0"; // where the next page begins
  let found = [];
  let search = 0; // counts searches: a page of an older one is dropped
  let scanning = false;
  let begun = false;

  const match = h("input", { type: "search", placeholder: "Pattern, as user:*", "aria-label": "Pattern of names", spellcheck: false, autocomplete: "off", autocapitalize: "off" });
  const type = h("select", { "aria-label": "Type" }, h("option", { value: "" }, "All types"), types.map((t) => h("option", { value: t }, t)));
  const base = h("select", { "aria-label": "Database" }, h("option", { value: "0" }, "DB 0"));
  const form = h("form", { class: "tools search", onsubmit: (e) => {
    e.preventDefault();
    start();
  } }, base, match, type, h("button", { class: "primary" }, "Search"));
  type.addEventListener("change", start);
  base.addEventListener("change", start);

  const panel = keyPanel({
    gone: (name) => {
      found = found.filter((k) => k.name !== name);
      sheet.update(found);
      progress();
    },
    closed: () => {
      history.replaceState(null, "", "#keys");
      mark();
    },
  });
  const sheet = table({
    label: "Keys",
    id: (k) => k.name ?? k.text,
    columns: [
      { key: "text", title: "Key", sort: true, of: (k) => `${k.name}`, cell: keyLink },
      { key: "type", title: "Type", sort: true },
      { key: "ttl_ms", title: "TTL", num: true, sort: true, cell: (k) => span(k.ttl_ms) },
      { key: "bytes", title: "Bytes", num: true, sort: true, cell: (k) => bytes(k.bytes) },
      { key: "encoding", title: "Encoding", sort: true, cell: (k) => k.encoding || none },
    ],
    nothing: () => {
      if (scanning) return empty("Looking", "Keys come as they are found.");
      return match.value || type.value ? empty("No key fits", "A pattern has * for any text, ? for one character and [ab] for one of some. Case counts.")
        : empty("This database has no keys", "Set one, for example with redis-cli: SET greeting hello.");
    },
  });
  const told = h("span", { class: "muted", role: "status" });
  const more = h("button", { type: "button", onclick: () => scan(search).catch((e) => say(e.message, true)) }, "More");
  const stop = h("button", { type: "button", onclick: () => search++ && finish() }, "Stop");

  function keyLink(k) {
    return k.name === null ? h("span", { title: "longer than 4 KB: no address has room for it; use a client" }, named(k)) : h("a", { href: `#keys/key/${db}/${k.name}` }, named(k));
  }
  function mark() {
    for (const a of sheet.element.querySelectorAll("a")) {
      if (a.hash === location.hash) a.setAttribute("aria-current", "true");
      else a.removeAttribute("aria-current");
    }
  }

  function start() {
    db = Number(base.value);
    found = [];
    cursor = "0";
    begun = true;
    search++;
    panel.close();
    v.refresh();
  }
  function finish() {
    scanning = false;
    progress();
  }
  function progress() {
    const end = cursor === "0";
    setText(told, scanning ? `${plural(found.length, "key")}, looking for more` : found.length === 0 && end ? ""
      : `${plural(found.length, "key")}${end ? ", all there are" : found.length >= most ? ": narrow the search to see others" : ""}`);
    more.hidden = scanning || end || found.length >= most;
    stop.hidden = !scanning;
    if (found.length === 0) sheet.update(found);
  }
  /** scan fetches pages until one has keys: a pattern that fits few leaves many of them empty. */
  async function scan(mine) {
    scanning = true;
    progress();
    try {
      for (const before = found.length; mine === search && found.length === before; ) {
        const r = await get(`/api/keys${query({ db, cursor, match: match.value, type: type.value })}`);
        if (mine !== search) return;
        cursor = r.cursor;
        const have = new Set(found.map((k) => k.name ?? k.text));
        found.push(...r.keys.filter((k) => !have.has(k.name ?? k.text)));
        sheet.update(found);
        mark();
        if (cursor === "0") break;
        progress();
      }
    } finally {
      if (mine === search) finish();
    }
  }

  /** bases lists the databases: those that hold keys, the one shown, and 0. */
  function bases() {
    if (!server) return;
    const size = new Map(server.databases.map((d) => [d.db, d.keys]));
    const list = [...new Set([0, Number(base.value), ...size.keys()])].sort((a, b) => a - b);
    const names = list.map((n) => `DB ${n}${size.has(n) ? `: ${plural(size.get(n), "key")}` : ""}`);
    if (names.join() === [...base.options].map((o) => o.text).join()) return;
    const chosen = base.value;
    base.replaceChildren(...list.map((n, i) => h("option", { value: String(n), selected: String(n) === chosen }, names[i])));
  }

  const v = view("Browse keys", {
    tools: null,
    content: h("div", {}, form, h("div", { class: "browser" }, h("div", {}, sheet.element, h("div", { class: "pager" }, told, more, stop)), panel.element)),
    async load() {
      bases();
      if (begun && (found.length > 0 || scanning) && cursor !== "0") return;
      if (found.length > 0) return;
      await scan(search);
      bases();
    },
  });
  return {
    ...v,
    /** open follows an address: key/DB/NAME opens a key, match/TEXT searches for a prefix. */
    open([what, first, second]) {
      bases();
      if (what === "key" && second !== undefined) {
        db = Number(first);
        if (![...base.options].some((o) => o.value === first)) base.append(h("option", { value: first }, `DB ${first}`));
        if (base.value !== first) {
          base.value = first;
          found = [];
          cursor = "0";
          search++;
          v.refresh();
        }
        panel.open(db, second);
      } else if (what === "match") {
        match.value = `${literal(decodeURIComponent(first))}*`;
        type.value = "";
        history.replaceState(null, "", "#keys");
        start();
      }
      mark();
    },
  };
}

