// A view is one of the page's sections, of which one is shown at a time.

import { h } from "./dom.js";

/**
 * view makes one. load() fetches what it shows and is called when it comes to be shown, and then every
 * so many ms, while the server can be reached. What fails is said above the content, which stays.
 */
export function view(title, { content, tools, load, every }) {
  const trouble = h("p", { class: "trouble", role: "status", hidden: true });
  const element = h("div", { class: "view" }, h("div", { class: "head" }, h("h1", { tabIndex: -1 }, title), tools || null), trouble, content);
  let timer = 0;
  let running = false;
  let again = false;
  let shown = false;

  async function refresh() {
    if (!load || !shown) return;
    if (running) {
      again = true;
      return;
    }
    running = true;
    clearTimeout(timer);
    do {
      again = false;
      try {
        await load();
        trouble.hidden = true;
      } catch (e) {
        trouble.hidden = e.status === 0; // the page says that it has lost the connection
        trouble.textContent = told(e);
        if (e.status === undefined) console.error(e);
      }
    } while (again);
    running = false;
    if (shown && every) timer = setTimeout(() => (document.hidden ? wait() : refresh()), every);
  }
  const wait = () => document.addEventListener("visibilitychange", refresh, { once: true });

  return {
    element,
    title,
    refresh,
    show() {
      shown = true;
      refresh();
    },
    hide() {
      shown = false;
      clearTimeout(timer);
    },
  };
}

/** told says what a failure means to who looks at the page. */
function told(e) {
  switch (e.status) {
    case 403:
      return `Your user may not see this. The server says: ${e.message}`;
    case 404:
      return "This version of the server does not have this.";
    case 503:
      return `The server is not able to at the moment: ${e.message}`;
    default:
      return `This could not be loaded: ${e.message}`;
  }
}
