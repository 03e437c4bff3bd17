// The views that show what the server says of itself.

import { get } from "./api.js";
import { empty, h, setText } from "./dom.js";
import { bytes, count, date, join, micros, none, percent, plural, short, span } from "./format.js";
import { table } from "./table.js";
import { view } from "./view.js";

export function slowlog() {
  let limit = 0;
  const told = h("span", { class: "muted" });
  const t = table({
    label: "Slow commands",
    id: (e) => e.id,
    by: "t",
    columns: [
      { key: "t", title: "When", sort: true, cell: (e) => date(e.t) },
      { key: "took_us", title: "Took", num: true, sort: true, cell: (e) => micros(e.took_us) },
      { key: "args", title: "Command", class: "text", of: (e) => String(e.id), cell: (e) => h("code", {}, e.args.map((a, i) => [i ? " " : "", h("span", {}, a.text === "" ? '""' : a.text + (a.truncated ? "…" : ""))])) },
      { key: "addr", title: "Client", sort: true },
      { key: "name", title: "Name", cell: (e) => e.name.text || none },
    ],
    nothing: () => (limit < 0 ? empty("The slow log is off", "slowlog-log-slower-than is below 0. CONFIG SET slowlog-log-slower-than 10000 notes what takes longer than 10 ms.")
      : empty("Nothing was slow", `No command has taken longer than ${join(micros(limit))}, which is what slowlog-log-slower-than notes.`)),
  });
  return view("Slow log", {
    tools: told,
    content: t.element,
    every: 5000,
    async load() {
      const r = await get("/api/slowlog");
      limit = r.slower_than_us;
      setText(told, limit < 0 ? "off" : `slower than ${join(micros(limit))}, the last ${count(r.kept)}`);
      t.update(r.entries);
    },
  });
}

export function clients() {
  const told = h("span", { class: "muted" });
  const t = table({
    label: "Clients",
    id: (c) => c.id,
    by: "id",
    order: "asc",
    columns: [
      { key: "addr", title: "Address", sort: true },
      { key: "id", title: "Id", num: true, sort: true, cell: (c) => String(c.id) },
      { key: "name", title: "Name", sort: true, value: (c) => c.name.text, cell: (c) => c.name.text || none },
      { key: "lib", title: "Library", sort: true, value: (c) => c.lib.text, cell: (c) => c.lib.text.trim() || none },
      { key: "user", title: "User", sort: true, value: (c) => c.user.text, cell: (c) => c.user.text },
      { key: "db", title: "DB", num: true, sort: true },
      { key: "command", title: "Last command", sort: true, cell: (c) => c.command || none },
      { key: "age_s", title: "Age", num: true, sort: true, cell: (c) => span(c.age_s * 1000) },
      { key: "idle_s", title: "Idle", num: true, sort: true, cell: (c) => span(c.idle_s * 1000) },
      { key: "memory", title: "Memory", num: true, sort: true, cell: (c) => bytes(c.memory) },
      { key: "unsent", title: "Unsent", hint: "replies that it has not read", num: true, sort: true, cell: (c) => bytes(c.unsent) },
      { key: "received", title: "Received", hint: "from it", num: true, sort: true, cell: (c) => bytes(c.received) },
      { key: "sent", title: "Sent", hint: "to it", num: true, sort: true, cell: (c) => bytes(c.sent) },
      { key: "subscriptions", title: "Channels", hint: "subscriptions", num: true, sort: true, cell: (c) => short(c.subscriptions) },
      { key: "flags", title: "Flags", hint: "as CLIENT LIST has them" },
    ],
    nothing: () => empty("No clients", "Nobody is connected to the data port. redis-cli -p PORT would be."),
  });
  return view("Clients", {
    tools: told,
    content: t.element,
    every: 3000,
    async load() {
      const r = await get("/api/clients");
      setText(told, `${count(r.total)} of ${count(r.maxclients)} at most, ${count(r.blocked)} blocked${r.clients.length < r.total ? `; the first ${count(r.clients.length)} are shown` : ""}`);
      t.update(r.clients);
    },
  });
}

export function config() {
  const file = h("p", { class: "muted note" });
  let all = [];
  const filter = h("input", { type: "search", placeholder: "Filter", "aria-label": "Filter parameters", spellcheck: false, oninput: draw });
  const changed = h("input", { type: "checkbox", id: "changed", onchange: draw });
  const t = table({
    label: "Parameters",
    id: (p) => p.name,
    by: "name",
    order: "asc",
    columns: [
      { key: "name", title: "Parameter", sort: true, of: (p) => `${p.changed}`, cell: (p) => h("span", { class: p.changed ? "name strong" : "name" }, p.name) },
      { key: "value", title: "Value", class: "text", of: (p) => p.value.text, cell: (p) => h("code", { class: p.changed ? "strong" : "" }, p.value.text === "" ? '""' : p.value.text + (p.value.truncated ? "…" : "")) },
      { key: "default", title: "Default", class: "text", of: (p) => p.default, cell: (p) => h("code", { class: "muted" }, p.default === "" ? '""' : p.default) },
      { key: "mutable", title: "Changes", sort: true, cell: (p) => (p.inert ? "no effect" : p.mutable ? "CONFIG SET" : "at a start") },
      { key: "meaning", title: "Meaning", class: "prose", cell: (p) => (p.inert ? `${p.meaning} (no effect: ${p.inert})` : p.meaning) },
    ],
    nothing: () => empty("No parameter fits", changed.checked ? "Nothing that fits has been changed from its default." : "Try a part of a name, or of what it means."),
  });
  function draw() {
    const text = filter.value.toLowerCase();
    t.update(all.filter((p) => (!changed.checked || p.changed) && (p.name.includes(text) || p.meaning.toLowerCase().includes(text))));
  }
  return view("Configuration", {
    tools: h("div", { class: "tools" }, h("span", { class: "row" }, changed, h("label", { for: "changed" }, "Changed only")), filter),
    content: h("div", {}, file, t.element),
    every: 15000,
    async load() {
      const r = await get("/api/config");
      setText(file, r.file ? `Read from ${r.file}. Values are changed by CONFIG SET, not here.` : "Started without a file. Values are changed by CONFIG SET, not here.");
      all = r.parameters;
      draw();
    },
  });
}

/** card is a list of facts with a heading, and a word on how things are. */
function card(title, status, bad, list) {
  return h("section", { class: "card facts-card" },
    h("header", {}, h("h2", {}, title), h("span", { class: bad ? "badge bad" : "badge" }, status)),
    h("dl", {}, list.filter(Boolean).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))));
}

export function persistence() {
  const box = h("div", { class: "cards" });
  const told = h("span", { class: "muted" });
  return view("Persistence", {
    tools: told,
    content: box,
    every: 2000,
    async load() {
      const r = await get("/api/persistence");
      setText(told, `in ${r.dir}`);
      box.replaceChildren(...[r.loading.running && loadingCard(r.loading), snapshotCard(r.snapshot), logCard(r.log)].filter(Boolean));
    },
  });
}

const done = (part, whole) => (whole > 0 ? join(percent(Math.min(1, part / whole))) : none);

function loadingCard(l) {
  return card("Loading", "running", false, [["Read", `${join(bytes(l.bytes))} of ${join(bytes(l.total))}, ${done(l.bytes, l.total)}`], ["Keys", count(l.keys)], ["Expired meanwhile", count(l.expired)], ["Since", date(l.started)]]);
}

function snapshotCard(s) {
  const points = s.save_points.map(([seconds, changes]) => `${plural(changes, "change")} in ${span(seconds * 1000)}`).join("; or ");
  return card("Snapshot", s.running ? "running" : s.last_ok ? "ok" : "the last one failed", !s.last_ok, [
    ["File", s.file],
    ["Saved by itself", points ? `after ${points}` : "never: save is empty"],
    s.running && ["Progress", `${count(s.keys_done)} of ${count(s.keys_total)} keys, ${done(s.keys_done, s.keys_total)}, for ${span(s.runs_for_ms)}`],
    ["Last saved", s.saves > 0 ? date(s.last) : "not since the start"],
    ["Took", s.last_took_ms === null ? none : span(s.last_took_ms)],
    ["Changes since", count(s.changes)],
    ["Saves since the start", count(s.saves)],
  ]);
}

function logCard(l) {
  if (!l.on) return card("Append-only log", "off", false, [["", "CONFIG SET appendonly yes writes every change to a log, so that nothing is lost with the process."]]);
  return card("Append-only log", l.error ? "failing" : l.rewriting ? "rewriting" : "ok", l.error !== "" || !l.last_rewrite_ok, [
    l.error && ["Error", l.error],
    ["To disk", `appendfsync ${l.fsync}`],
    ["Size", `${join(bytes(l.size))}, ${join(bytes(l.base_size))} after the last rewrite`],
    ["Not yet written", join(bytes(l.pending))],
    ["Syncs", `${count(l.syncs)}${l.syncs > 0 && l.sync_time_ms !== null ? `, ${span(l.sync_time_ms / l.syncs)} on average` : ""}`],
    ["Syncs delayed", count(l.delayed_syncs)],
    l.rewriting && ["Rewriting for", span(l.rewrite_runs_for_ms)],
    ["Rewrites", `${count(l.rewrites)}${l.last_rewrite_took_ms === null ? "" : `, the last took ${span(l.last_rewrite_took_ms)}`}${l.last_rewrite_ok ? "" : ", the last failed"}`],
  ]);
}
