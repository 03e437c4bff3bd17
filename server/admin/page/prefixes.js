// The table of prefixes. The server sorts, and sends a page of it: there may be thousands.

import { page, query, server } from "./api.js";
import { bar, spark } from "./charts.js";
import { empty, h, named, setText } from "./dom.js";
import { bytes, count, none, percent, short, span } from "./format.js";
import { table } from "./table.js";
import { view } from "./view.js";

const perPage = 100;

/** why is the main reason of a prefix' misses. */
function why(p) {
  const names = { never: "never set", expired: "expired", evicted: "evicted", deleted: "deleted" };
  const [key, n] = Object.entries(p.reasons).reduce((a, b) => (b[1] > a[1] ? b : a));
  return n > 0 && p.misses > 0 ? `${names[key]} ${Math.round((n / p.misses) * 100)} %` : none;
}

/** low reports whether a hit rate is one to be warned of. */
const low = (x) => x !== null && server !== null && x < server.health_hit_rate_warn;

function rate(x) {
  const [n, u] = percent(x);
  return h("span", { class: low(x) ? "low" : "", title: low(x) ? "below health-hit-rate-warn" : null }, h("span", { class: "n" }, n), h("span", { class: "u" }, u));
}

function name(p) {
  if (p.other) return h("span", { class: "name muted", title: "all prefixes that have no row of their own: prefix-max bounds how many have one" }, "(other)");
  if (p.text === "") return h("span", { class: "name muted", title: "keys without the delimiter" }, "(no prefix)");
  const plain = p.name !== null && !p.text.includes("\\") && !p.truncated;
  return plain ? h("a", { href: `#keys/match/${encodeURIComponent(p.text)}`, title: "browse its keys" }, named(p)) : named(p);
}

/** curve is the hourly curve, and at its end the minute that is not over. */
const curve = (p) => [...p.spark.slice(1), p.rate_1m];

const number = (key, title, hint) => ({ key, title, hint, num: true, class: "k", sort: key, cell: (p) => short(p[key]) });

function columns(total) {
  return [
    { key: "name", title: "Prefix", sort: "name", of: (p) => p.name + p.other, cell: name },
    { key: "rate_5m", title: "Hit rate", hint: "of the last 5 minutes", num: true, class: "k", sort: "hit_rate", of: (p) => `${p.rate_5m} ${low(p.rate_5m)}`, cell: (p) => rate(p.rate_5m) },
    { key: "spark", title: "Last hour", hint: "hit rate by minutes, from 0 to 100 %", of: (p) => curve(p).join(), cell: (p) => spark(curve(p)) },
    { key: "reads", title: "Reads", hint: "hits and misses since the start", num: true, class: "k", sort: "reads", cell: (p) => short(p.hits + p.misses) },
    number("misses", "Misses"),
    { key: "why", title: "Why missed", hint: "the reason of most misses", cell: why },
    { key: "keys", title: "Keys", num: true, sort: "keys", cell: (p) => (p.counting ? "counting" : count(p.keys)) },
    { key: "bytes", title: "Bytes", num: true, sort: "bytes", cell: (p) => bytes(p.bytes) },
    {
      key: "share", title: "Of all", hint: "of the bytes of all prefixes", num: true, class: "k", of: (p) => `${p.bytes}/${total()}`,
      cell: (p) => h("span", { class: "share" }, bar(total() ? p.bytes / total() : 0), h("span", { class: "n" }, percent(total() ? p.bytes / total() : null)[0]), h("span", { class: "u" }, "%")),
    },
    { key: "ttl", title: "Mean TTL", hint: "that is left", num: true, sort: "ttl", cell: (p) => span(p.ttl_ms) },
    number("sets", "Sets", "writes"),
    number("deletes", "Deletes"),
    number("expired", "Expired"),
    number("evicted", "Evicted"),
    { key: "in", title: "Written", hint: "bytes of values", num: true, sort: "in", cell: (p) => bytes(p.in) },
    { key: "out", title: "Read", hint: "bytes of values", num: true, sort: "out", cell: (p) => bytes(p.out) },
  ];
}

/** prefixTable makes the table; brief: its first columns, in one order. */
export function prefixTable({ top, brief }) {
  const state = { by: "reads", order: "desc", match: "", offset: 0, total: 0, rows: 0 };
  let all = 0; // bytes
  const list = columns(() => all);
  const sheet = table({
    label: "Prefixes",
    columns: brief ? list.filter((c) => c.key !== "share").slice(0, 9).map((c) => ({ ...c, sort: null })) : list,
    id: (p) => (p.other ? "other" : `p${p.name ?? p.text}`),
    pinned: (p) => p.other,
    by: "reads",
    nothing: () => (state.match
      ? empty("No prefix has this in its name", "Another word may find one, or none at all.")
      : empty("No prefixes yet", "A prefix is what stands before the first “:” of a key, as user in user:7. Set a key, or read one, and its prefix is here.",
        "prefix-delimiter and prefix-depth say what a prefix is; prefix-stats yes|no whether they are counted.")),
    sorted: (by, order) => {
      Object.assign(state, { by, order, offset: 0 });
      result.changed();
    },
  });
  const result = {
    element: sheet.element,
    scroll: sheet.scroll,
    state,
    changed: () => {},
    async load() {
      const { rows, total } = await page(`/api/prefixes${query({ by: state.by, order: state.order, top, offset: state.offset, match: state.match })}`);
      state.total = total;
      state.rows = rows.filter((p) => !p.other).length;
      all = server ? server.databases.reduce((sum, d) => sum + d.bytes, 0) : 0;
      all = Math.max(all, rows.reduce((sum, p) => sum + p.bytes, 0));
      sheet.update(rows.filter((p) => !p.other || p.keys > 0 || p.hits + p.misses > 0));
    },
  };
  return result;
}

export function prefixes() {
  const t = prefixTable({ top: perPage });
  const where = h("span", { class: "muted", role: "status" });
  const step = (text, by) => h("button", { type: "button", onclick: () => turn(by) }, text);
  const [back, on] = [step("Previous", -perPage), step("Next", perPage)];
  const pager = h("div", { class: "pager" }, where, back, on);
  let typed = 0;
  const filter = h("input", {
    type: "search", placeholder: "Filter by name", "aria-label": "Filter prefixes by name", spellcheck: false, autocomplete: "off",
    oninput: () => {
      clearTimeout(typed);
      typed = setTimeout(() => {
        Object.assign(t.state, { match: filter.value, offset: 0 });
        v.refresh();
      }, 200);
    },
  });
  const v = view("Prefixes", {
    tools: h("div", { class: "tools" }, filter),
    content: h("div", {}, t.element, pager),
    every: 5000,
    async load() {
      await t.load();
      if (t.state.rows === 0 && t.state.offset > 0) {
        t.state.offset = 0; // there are fewer than there were
        await t.load();
      }
      const { offset, rows, total } = t.state;
      setText(where, rows ? `${count(offset + 1)}–${count(offset + rows)} of ${count(total)}` : "");
      back.disabled = offset === 0;
      on.disabled = offset + rows >= total;
      pager.hidden = total <= perPage;
    },
  });
  function turn(by) {
    t.state.offset = Math.max(0, t.state.offset + by);
    t.scroll.scrollTop = 0;
    v.refresh();
  }
  t.changed = v.refresh;
  return v;
}

