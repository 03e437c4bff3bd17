// The stream of samples, a second apart (server-sent events). It is read by fetch and not by
// EventSource, which tells neither why a server refuses (too many pages, a password that is no longer
// right) nor when a connection is dead without having ended.

import { Failure, at } from "./api.js";

const silent = 6000; // ms without a sample, after which the connection is held to be dead
const longest = 5000; // ms between two attempts
const resting = 60000; // ms in the background, after which the place goes to another page

/**
 * live keeps a stream open. It calls greet() before each connection (a promise that fails is a failed
 * attempt), sample(s) for each sample and state(kind, text): "connecting", "open", "lost" (it tries
 * again), "refused" (it does not), "resting". It returns a function that tries at once.
 */
export function live({ greet, sample, state }) {
  let abort = null;
  let wake = () => {};
  let rest = 0;
  const now = () => {
    if (abort === null) wake();
  };
  const hidden = () => {
    clearTimeout(rest);
    if (document.hidden) rest = setTimeout(() => abort && abort.abort("rest"), resting);
    else now();
  };
  document.addEventListener("visibilitychange", hidden);
  addEventListener("online", now);

  const run = async () => {
    for (let failures = 0; ; ) {
      let why;
      try {
        abort = new AbortController();
        await greet();
        await read(abort, (s) => {
          if (failures >= 0) state("open");
          failures = -1;
          sample(s);
        });
        why = new Failure(0, "The server has ended the connection.");
      } catch (e) {
        why = e;
      }
      const rested = abort.signal.reason === "rest";
      abort = null;
      failures = Math.max(0, failures) + 1;
      if (rested) state("resting");
      else if (why.status === 401) state("refused", why.message);
      else state("lost", why.status ? why.message : "");
      const wait = rested || why.status === 401 ? Infinity : Math.min(longest, 500 * 2 ** failures);
      await new Promise((resolve) => {
        wake = resolve;
        if (wait !== Infinity) setTimeout(resolve, wait);
      });
      if (wait === Infinity) state("connecting");
    }
  };
  run();
  return now;
}

/** read reads one stream to its end. */
async function read(abort, sample) {
  let watchdog = 0;
  const alive = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => abort.abort("silence"), silent);
  };
  alive();
  try {
    const response = await fetch(at("/api/live"), { cache: "no-store", signal: abort.signal });
    if (!response.ok) {
      const body = await response.json().catch(() => ({}));
      throw new Failure(response.status, body.error || `The server answered ${response.status}.`);
    }
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ""; ; ) {
      const { value, done } = await reader.read();
      if (done) return;
      alive();
      text += value;
      for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
        for (const line of text.slice(0, end).split("\n")) {
          if (line.startsWith("data: ")) sample(JSON.parse(line.slice(6)));
        }
      }
    }
  } finally {
    clearTimeout(watchdog);
  }
}
