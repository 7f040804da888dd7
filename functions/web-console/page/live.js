// What is happening, without reloading: server-sent events, and questions where there are none.

const EVENTS = "/_/highwater/events";
const OVERVIEW = "/_/highwater/figures/overview";
const ASK_EVERY_MS = 5000;
/** Events come every few seconds. After so long without any, the connection is dead, whatever it says. */
const SILENCE_MS = 15000;
/** A question without an answer for so long is given up, and asked again. A large segment takes its time. */
const ANSWER_MS = 30000;

/** Calls `onOverview` with each overview, and `onTrouble` with what is wrong while there is none. */
export function watch(onOverview, onTrouble) {
  let source = null;
  let heard = Date.now();
  let asking = false;

  function listen() {
    source?.close();
    source = new EventSource(EVENTS);
    source.addEventListener("overview", (event) => {
      heard = Date.now();
      onOverview(JSON.parse(event.data));
    });
    source.addEventListener("trouble", (event) => {
      heard = Date.now();
      onTrouble(JSON.parse(event.data).description);
    });
    source.onerror = () => ask();
  }

  async function ask() {
    if (asking) return;
    asking = true;
    try {
      onOverview(await read(OVERVIEW));
    } catch (error) {
      onTrouble(error.message);
    }
    asking = false;
  }

  // A tab that nobody looks at holds no connection: a browser has six for each host.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return source?.close();
    ask();
    listen();
  });

  setInterval(() => {
    if (document.hidden || Date.now() - heard < SILENCE_MS) return;
    ask();
    if (source?.readyState === EventSource.CLOSED || Date.now() - heard > 2 * SILENCE_MS) {
      heard = Date.now() - SILENCE_MS;
      listen();
    }
  }, ASK_EVERY_MS);
  if (!document.hidden) {
    ask();
    listen();
  }
}

/** A document of figures; an error says why there is none, with the status of the answer. */
export async function read(target) {
  let response;
  try {
    response = await fetch(target, { headers: { accept: "application/json" }, signal: AbortSignal.timeout(ANSWER_MS) });
  } catch {
    throw new Error("Highwater does not answer. It may be starting, or stopped: see whether highwater serve runs.");
  }
  const body = await response.json().catch(() => null);
  if (!response.ok) throw Object.assign(new Error(body?.description ?? `Highwater answers ${response.status}.`), { status: response.status });
  if (body === null) throw new Error("The answer of Highwater broke off.");
  return body;
}
