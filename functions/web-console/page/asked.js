// What a view asks for by itself: read once for each address, and again when something is newer or did not answer.

import { read } from "./live.js";

const held = new Map();
const HELD_MAX = 20;
const AGAIN_AFTER_MS = 5000;

/** What was read from `target`: `{ value, trouble, isMissing }`, nothing until there is an answer. `version` asks again. */
export function asked(app, target, version = 0) {
  let entry = held.get(target);
  if (!entry) {
    entry = { value: null, trouble: null, isMissing: false, version: null, asking: false, at: 0 };
    held.set(target, entry);
    if (held.size > HELD_MAX) held.delete(held.keys().next().value);
  }
  const isDue = entry.trouble && Date.now() - entry.at > AGAIN_AFTER_MS;
  if (!entry.asking && (entry.version !== version || isDue)) {
    Object.assign(entry, { version, asking: true });
    read(target)
      .then((value) => Object.assign(entry, { value, trouble: null }), (error) => Object.assign(entry, { trouble: error.message, isMissing: error.status === 404 }))
      .then(() => Object.assign(entry, { asking: false, at: Date.now() }))
      .then(app.render);
  }
  return entry;
}
