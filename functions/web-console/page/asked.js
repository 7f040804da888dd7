// What a view asks for by itself: read once for each address, and again when something is newer.

import { read } from "./live.js";

const held = new Map();
const HELD_MAX = 20;

/** What was read from `target`: `{ value, trouble }`, both null until there is an answer. `version` asks again. */
export function asked(app, target, version = 0) {
  let entry = held.get(target);
  if (!entry) {
    entry = { value: null, trouble: null, version: null };
    held.set(target, entry);
    if (held.size > HELD_MAX) held.delete(held.keys().next().value);
  }
  if (entry.version !== version) {
    entry.version = version;
    read(target).then((value) => Object.assign(entry, { value, trouble: null }), (error) => { entry.trouble = error.message; }).then(app.render);
  }
  return entry;
}
