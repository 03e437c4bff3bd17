// Hot keys, big keys, and how sizes are spread.

import { get } from "./api.js";
import { bar } from "./charts.js";
import { empty, h, named, setText } from "./dom.js";
import { bytes, clock, count, join, none, percent, plural, round, short, span } from "./format.js";
import { table } from "./table.js";
import { view } from "./view.js";

/** link leads to a key in the browser; a name that is too long for an address stays a text. */
export const link = (k) => (k.name === null ? named(k) : h("a", { href: `#keys/key/${k.db || 0}/${k.name}` }, named(k)));

const key = (k) => `${k.db}/${k.name ?? k.text}`;
const name = { key: "text", title: "Key", sort: true, of: (k) => `${k.db}/${k.name}`, cell: link };
const db = { key: "db", title: "DB", num: true, sort: true };

/** off says that something is not counted, and how it would be. */
const off = (parameter) => empty("This is off", `CONFIG SET ${parameter} yes switches it on.`);

/** age says of when counts are. */
const age = (r) => (r.since ? `as of ${clock(r.since)}` : r.on && r.scanned !== null ? `the first count is at ${join(percent(r.scanned))}` : "");

export function hot() {
  let [hotOn, bigOn] = [true, true];
  const window_ = h("span", { class: "muted" });
  const [counted, sized] = [h("span", { class: "muted" }), h("span", { class: "muted" })];
  const hotTable = table({
    label: "Hot keys",
    id: key,
    by: "rate",
    columns: [
      name, db,
      { key: "rate", title: "Accesses per second", num: true, sort: true, cell: (k) => short(k.rate) },
      { key: "share", title: "Of all", num: true, sort: true, cell: (k) => percent(k.share) },
      { key: "error_rate", title: "Give or take", hint: "how far the estimate may be off, either way", num: true, cell: (k) => short(k.error_rate) },
    ],
    nothing: () => !hotOn ? off("hotkeys") : empty("No key is hot", "A key is here when a good part of all accesses are its own. Send some traffic, and wait for some seconds."),
  });
  const bigTable = table({
    label: "Big keys",
    id: key,
    by: "bytes",
    columns: [
      name, db,
      { key: "type", title: "Type", sort: true },
      { key: "bytes", title: "Bytes", num: true, sort: true, cell: (k) => bytes(k.bytes) },
      { key: "length", title: "Elements", hint: "bytes of a string's value", num: true, sort: true, cell: (k) => (k.type === "string" ? none : count(k.length)) },
    ],
    nothing: () => !bigOn ? off("key-sizes") : empty("No big keys are known yet", "The server notes them while it looks through its keys anyway. Set some, and come back in a while."),
  });
  const sizes = h("div", { class: "sizes" });
  const parts = [
    ["Hot keys", window_, hotTable.element, "/api/hotkeys", (r) => {
      hotOn = r.on;
      hotTable.update(r.keys);
      setText(window_, r.window_s ? `by samples of the last ${span(r.window_s * 1000)}` : "");
    }],
    ["Big keys", counted, bigTable.element, "/api/bigkeys", (r) => {
      bigOn = r.on;
      setText(counted, age(r));
      bigTable.update(Object.entries(r.types).flatMap(([type, list]) => list.map((k) => ({ ...k, type }))));
    }],
    ["Sizes", sized, sizes, "/api/keysizes", (r) => {
      setText(sized, age(r));
      drawSizes(sizes, r);
    }],
  ];
  const content = h("div", { class: "hot" });
  for (const p of parts) {
    p.missing = h("div", { class: "card", hidden: true });
    p.body = p[2];
    content.append(h("div", { class: "head" }, h("h2", {}, p[0]), p[1] || ""), p[2], p.missing);
  }
  return view("Hot & big keys", {
    content,
    every: 5000,
    load: async () => {
      await Promise.all(parts.map(async (p) => {
        try {
          p[4](await get(p[3]));
          p.missing.hidden = true;
        } catch (e) {
          if (e.status !== 404) throw e;
          p.missing.hidden = false;
          p.missing.replaceChildren(empty("Not in this version", "This server does not keep these figures."));
        }
        p.body.hidden = !p.missing.hidden;
      }));
    },
  });
}

/** drawSizes shows for each type how many keys are of what size. */
function drawSizes(box, { on, types }) {
  const filled = types.filter((t) => t.buckets.some((b) => b.count > 0));
  if (filled.length === 0) {
    box.replaceChildren(h("div", { class: "card" }, on === false ? off("key-sizes") : empty("No keys", "Set some, and their sizes are here by powers of two.")));
    return;
  }
  box.replaceChildren(...filled.map((t) => {
    const most = Math.max(...t.buckets.map((b) => b.count));
    const total = t.buckets.reduce((n, b) => n + b.count, 0);
    const size = (n) => round(t.unit === "bytes" ? bytes(n) : short(n));
    const rows = t.buckets.filter((b) => b.count > 0).map((b) => h("tr", {},
      h("th", { scope: "row", class: "num" }, b.to === null ? `${size(b.from)} and more` : b.to - b.from <= 1 ? size(b.from) : `${size(b.from)} to ${size(b.to)}`),
      h("td", {}, bar(b.count / most)),
      h("td", { class: "num" }, count(b.count))));
    return h("section", { class: "card size" },
      h("h3", {}, t.type, " ", h("span", { class: "muted" }, `${plural(total, "key")}, by ${t.unit === "bytes" ? "bytes of the value" : "elements"}`)),
      h("table", { "aria-label": `Sizes of keys of type ${t.type}` }, h("tbody", {}, rows)));
  }));
}
