// The page: its views, which of them is shown (by the part of the address behind #), and what is said
// of the connection.

import { get, refresh, server } from "./api.js";
import { recolor } from "./charts.js";
import { byId, h, setText } from "./dom.js";
import { clock } from "./format.js";
import { hot } from "./hot.js";
import { keys } from "./keys.js";
import { live } from "./live.js";
import { overview } from "./overview.js";
import { prefixes } from "./prefixes.js";
import { clients, config, persistence, slowlog } from "./state.js";

const views = { overview: overview(), prefixes: prefixes(), hot: hot(), keys: keys(), slowlog: slowlog(), clients: clients(), persistence: persistence(), config: config() };
let shown = null;

/** route shows the view of the address: #view, or #view/more, of which the view makes what it likes. */
function route() {
  const [name, ...more] = location.hash.slice(1).split("/");
  const v = views[name] || views.overview;
  for (const a of document.querySelectorAll(".tabs a")) {
    if (views[a.hash.slice(1)] === v) {
      a.setAttribute("aria-current", "page");
      a.scrollIntoView({ block: "nearest", inline: "nearest" });
    } else a.removeAttribute("aria-current");
  }
  if (v.open) v.open(more);
  if (v === shown) return;
  if (shown) shown.hide();
  const first = shown === null;
  shown = v;
  byId("main").replaceChildren(v.element);
  v.show();
  document.title = `${v.title} – larder`;
  if (!first) {
    scrollTo(0, 0);
    v.element.querySelector("h1").focus({ preventScroll: true });
  }
}
addEventListener("hashchange", route);
document.querySelector(".skip").addEventListener("click", (e) => {
  e.preventDefault(); // the part behind # is the view's
  byId("main").focus();
});

/** What is said of the connection. */
let since = Date.now();
function connection(kind, text) {
  const words = { open: "Live", connecting: "Connecting", lost: "Connection lost", refused: "Logged out", resting: "Paused" };
  const before = byId("link").dataset.kind;
  byId("link").dataset.kind = kind;
  setText(byId("link"), words[kind]);
  document.body.classList.toggle("stale", kind === "lost" || kind === "refused");
  const lost = byId("lost");
  if (kind === "open") {
    lost.hidden = true;
    lost.replaceChildren();
    if (before && before !== "open") shown.refresh();
    return;
  }
  if (before === "open") since = Date.now();
  if (kind === "lost") {
    lost.hidden = false;
    const told = before ? `Connection lost at ${clock(since)}. What you see is from then. ` : "The server cannot be reached. ";
    lost.replaceChildren(text ? `${told}The server says: ${text}. ` : told, "Trying again. ", h("button", { type: "button", onclick: tryNow }, "Try now"));
  }
  if (kind === "refused") {
    lost.hidden = false;
    lost.replaceChildren("The server does not take your password any more. ", h("button", { type: "button", onclick: () => location.reload() }, "Log in again"));
  }
}

/** greet asks who the server is, before its samples are read. */
async function greet() {
  const [s, history] = await Promise.all([refresh(), get("/api/history")]);
  setText(byId("server"), `${s.version} on ${s.host || location.hostname}:${s.port}`);
  views.overview.begin(history);
}

/** The theme: as the system's, or one of two. */
const themes = ["system", "light", "dark"];
function theme(name) {
  document.documentElement.dataset.theme = name;
  setText(byId("theme"), `Theme: ${name}`);
  try {
    localStorage.setItem("larder-theme", name);
  } catch {
    // It holds until the page is closed.
  }
  recolor();
}
byId("theme").addEventListener("click", () => theme(themes[(themes.indexOf(document.documentElement.dataset.theme) + 1) % themes.length]));
setText(byId("theme"), `Theme: ${document.documentElement.dataset.theme}`);

route();
const tryNow = live({ greet, sample: (s) => views.overview.sample(s), state: connection });

// Figures such as how long the server has been up are refreshed with the server's own word.
setInterval(() => server && byId("link").dataset.kind === "open" && !document.hidden && refresh().catch(() => {}), 30000);
