// What one sees first: how the cache fares, six charts, and the prefixes that are read most.

import { get, server } from "./api.js";
import { chart, decades, inBytes, share, upTo } from "./charts.js";
import { h, setText } from "./dom.js";
import { bytes, count, join, micros, none, percent, plural, short, span } from "./format.js";
import { prefixTable } from "./prefixes.js";
import { view } from "./view.js";

const windows = { seconds: { length: 300, text: "5 minutes" }, minutes: { length: 3600, text: "hour" } };

/** What is kept of samples: those of the last five minutes, and those of the minutes of an hour. */
const kept = { seconds: [], minutes: [] };
let range = "seconds";

const never = (key) => (samples) => samples.every((s) => !s[key]);

function makeCharts() {
  return [
    chart({
      title: "Operations",
      series: [{ label: "per second", color: "--c1", fill: true, of: (s) => s.ops }],
      format: short, scale: upTo(10), note: () => "per second",
      nothing: (all) => (never("ops")(all) ? "No commands yet. Point a client at this server." : ""),
    }),
    chart({
      title: "Hit rate",
      series: [
        { label: "hits", color: "--c2", fill: true, of: (s) => s.hit_rate },
        { label: "warning below", color: "--warn", dash: true, of: () => (server && server.health_hit_rate_warn) || null },
      ],
      format: percent, scale: share,
      note: (s) => (s.hit_rate === null ? "no reads" : `${join(short(s.hits))} hits, ${join(short(s.misses))} misses per second`),
      nothing: (all) => (all.every((s) => s.hit_rate === null) ? "No reads yet. The first GET makes a hit rate." : ""),
    }),
    chart({
      title: "Memory",
      series: [
        { label: "used", color: "--c3", fill: true, of: (s) => s.used_memory },
        { label: "resident", color: "--c4", of: (s) => s.rss || null },
        { label: "counted", color: "--c2", of: (s) => (s.maxmemory ? s.counted : null) },
        { label: "cap", color: "--warn", dash: true, of: (s) => s.maxmemory || null },
      ],
      format: bytes, scale: inBytes,
      note: (s) => (s.maxmemory ? `counted: ${join(percent(s.counted / s.maxmemory))} of ${join(bytes(s.maxmemory))}` : "no cap: maxmemory is 0"),
    }),
    chart({
      title: "Latency",
      series: [
        { label: "median", color: "--c1", of: (s) => s.p50 },
        { label: "99 %", color: "--c3", of: (s) => s.p99 },
        { label: "99.9 %", color: "--c5", of: (s) => s.p999 },
      ],
      format: micros, scale: decades, note: (s) => (s.p50 === null ? "no commands" : "median, within the server"),
      nothing: (all) => (all.every((s) => s.p50 === null) ? "No commands yet." : ""),
    }),
    chart({
      title: "Evicted and expired",
      series: [
        { label: "evicted", color: "--c5", fill: true, of: (s) => s.evicted },
        { label: "expired", color: "--c1", of: (s) => s.expired },
      ],
      format: short, scale: upTo(10), note: () => "evicted per second",
      nothing: (all) => (never("evicted")(all) && never("expired")(all) ? "Nothing was evicted, and nothing expired." : ""),
    }),
    chart({
      title: "Clients",
      series: [
        { label: "connected", color: "--c4", fill: true, of: (s) => s.clients },
        { label: "blocked", color: "--c5", of: (s) => s.blocked },
      ],
      format: (n) => [n === null ? none : count(n), ""], scale: upTo(5), note: () => "connected",
    }),
  ];
}

/** facts is a row of figures without a curve. */
function facts(list) {
  const values = list.map(() => h("dd"));
  return {
    element: h("dl", { class: "facts card" }, list.map(([name], i) => h("div", {}, h("dt", {}, name), values[i]))),
    update: (s) => list.forEach(([, of], i) => setText(values[i], of(s))),
  };
}

/** verdict shows what GET /api/health says. */
function verdict() {
  const mark = h("span", { class: "mark" });
  const text = h("p", { class: "text" });
  const rates = h("dl", { class: "rates" });
  const more = h("details", { hidden: true });
  const element = h("section", { class: "card verdict", "aria-label": "Health of the cache" }, mark, text, rates, more);
  const words = { ok: "Healthy", warn: "Warning", idle: "Idle" };
  const summary = h("summary");
  const list = h("ul");
  more.append(summary, list);
  return {
    element,
    update(v) {
      element.dataset.status = v.status;
      setText(mark, words[v.status] || v.status);
      setText(text, sentence(v.message));
      rates.replaceChildren(...[["1m", "1 min"], ["5m", "5 min"], ["1h", "1 hour"]].map(([key, name]) =>
        h("div", {}, h("dt", {}, name), h("dd", {}, join(percent(v.hit_rate[key]))))));
      const warned = v.prefixes.filter((p) => p.status === "warn");
      more.hidden = warned.length === 0;
      setText(summary, `${plural(v.prefixes_warned, "prefix", "prefixes")} below ${join(percent(v.warn_below))}`);
      list.replaceChildren(...warned.slice(0, 20).map((p) =>
        h("li", {}, h("b", { class: "name" }, p.text === "" ? "(no prefix)" : p.text), " ", sentence(p.message))));
    },
  };
}

/** sentence makes one of a message, with its large numbers in groups of three. */
const sentence = (s) => (s ? `${s[0].toUpperCase()}${s.slice(1)}${s.endsWith(".") ? "" : "."}`.replace(/\b\d{4,}\b/g, (n) => count(Number(n))) : "");

export function overview() {
  const charts = makeCharts();
  const state = verdict();
  const row = facts([
    ["Keys", (s) => count(s.keys)],
    ["With a time to live", (s) => count(s.expires)],
    ["Received", (s) => `${join(bytes(s.in_bytes))}/s`],
    ["Sent", (s) => `${join(bytes(s.out_bytes))}/s`],
    ["Resident to used", (s) => `${s.fragmentation.toFixed(2)}`],
    ["Eviction", () => (server && server.policy) || none],
    ["Up for", (s) => (server ? span(s.t - server.started) : none)],
  ]);
  const buttons = Object.entries(windows).map(([key, w]) =>
    h("button", { type: "button", "aria-pressed": String(key === range), onclick: () => choose(key) }, w.text));
  const top = prefixTable({ top: 8, brief: true });

  function draw() {
    const all = kept[range];
    const to = (kept.seconds.length ? kept.seconds[kept.seconds.length - 1].t : Date.now()) / 1000;
    for (const c of charts) c.update(all, to - windows[range].length, to);
  }
  function choose(key) {
    range = key;
    buttons.forEach((b, i) => b.setAttribute("aria-pressed", String(Object.keys(windows)[i] === key)));
    draw();
  }
  const grid = h("div", { class: "charts" }, charts.map((c) => c.element));
  new ResizeObserver(() => grid.clientWidth && requestAnimationFrame(draw)).observe(grid);

  const v = view("Overview", {
    tools: h("div", { class: "switch", role: "group", "aria-label": "Time shown" }, h("span", { class: "muted" }, "Last"), buttons),
    content: h("div", {}, state.element, row.element, grid, h("div", { class: "head" }, h("h2", {}, "Prefixes read most"), h("a", { href: "#prefixes" }, "All prefixes")), top.element),
    every: 5000,
    async load() {
      const [health] = await Promise.all([get("/api/health"), top.load()]);
      state.update(health);
    },
  });
  return {
    ...v,
    /** begin takes the history of a server, in the place of what was known. */
    begin(history) {
      kept.seconds = withGaps(history.seconds, 5000);
      kept.minutes = history.minutes;
      last();
    },
    sample(s) {
      const all = kept.seconds;
      const before = all[all.length - 1];
      if (before && s.t <= before.t) return;
      if (before && s.t - before.t > 5000) all.push(gap(before.t + 1));
      all.push(s);
      while (all[0].t < s.t - windows.seconds.length * 1000) all.shift();
      minute(s);
      last();
    },
  };

  function last() {
    const s = kept.seconds[kept.seconds.length - 1];
    if (s) row.update(s);
    if (v.element.isConnected) draw();
  }
}

/** minute keeps the list of minutes going: each of them is the server's own, which is asked for. */
let asking = false;
async function minute(s) {
  const before = kept.minutes[kept.minutes.length - 1];
  const began = before ? before.t : kept.seconds[0].t;
  if (asking || s.t - began < 61000) return;
  asking = true;
  try {
    kept.minutes = (await get("/api/history")).minutes;
  } catch {
    // The next second asks again.
  }
  asking = false;
}

const gap = (t) => ({ t, gap: true, hit_rate: null, p50: null, p99: null, p999: null, ops: 0 });

function withGaps(samples, most) {
  const all = [];
  for (const s of samples) {
    if (all.length && s.t - all[all.length - 1].t > most) all.push(gap(all[all.length - 1].t + 1));
    all.push(s);
  }
  return all;
}
