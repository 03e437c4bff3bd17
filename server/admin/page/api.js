// Requests to the server that this page came from. The browser adds the password it was given for
// the page.

/** Failure is an error that the server has told, or that it could not be reached (status 0). */
export class Failure extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

/**
 * at is the whole address of a path. A browser that was given name and password in the address of the
 * page takes a path alone for one that has them, too, and refuses to ask for that.
 */
export const at = (path) => location.origin + path;

/** What GET /api/server said last: who we are, what may be done, and the token of changes. */
export let server = null;

const patience = 35000; // ms; the server takes 30 s at most

async function request(method, path, options = {}) {
  let response;
  try {
    response = await fetch(at(path), { method, cache: "no-store", signal: AbortSignal.timeout(patience), ...options });
  } catch {
    throw new Failure(0, "The server does not answer.");
  }
  let body = null;
  try {
    body = await response.json();
  } catch {
    if (response.ok) throw new Failure(0, "The reply broke off.");
  }
  if (!response.ok) throw new Failure(response.status, (body && body.error) || `The server answered ${response.status}.`);
  return { body, headers: response.headers };
}

export const get = async (path) => (await request("GET", path)).body;

/** page gets a part of a list, and how long all of it is. */
export async function page(path) {
  const { body, headers } = await request("GET", path);
  return { rows: body, total: Number(headers.get("X-Total-Count")) };
}

/** change sends what changes something, with the token. A token of a process that has gone is renewed. */
export async function change(method, path, body) {
  const send = () =>
    request(method, path, {
      headers: { "X-Larder-Token": server.token, ...(body ? { "Content-Type": "application/json" } : {}) },
      body: body && JSON.stringify(body),
    });
  const before = server.token;
  try {
    return (await send()).body;
  } catch (e) {
    if (e.status !== 403) throw e;
    await refresh();
    if (server.token === before) throw e;
    return (await send()).body;
  }
}

/** refresh asks the server who it is. */
export async function refresh() {
  server = await get("/api/server");
  return server;
}

/** query makes ?a=1&b=2 of what there is: an empty text is something. */
export function query(params) {
  const q = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) if (value !== null && value !== undefined) q.set(name, value);
  return `?${q}`;
}
