// Pausing and resuming, through backup-control.

import { read } from "./live.js";
import { askForToken, authorization } from "./token.js";

const API = "/_/highwater/api";

/** What is paused, by backup; null where backup-control does not answer. */
export async function paused() {
  return read(`${API}/status`).catch(() => null);
}

/** Pauses or resumes a backup, or a topic of it. */
export async function control(action, backup, topic) {
  const target = [backup, topic].filter((part) => part !== undefined).map(encodeURIComponent).join("/");
  return post(`${API}/${action}/${target}`, null);
}

/** Sends a body as JSON, or none. Asks for the token where it is needed, and sends it again then. */
export async function post(target, body) {
  const content = body === null ? {} : { body: JSON.stringify(body) };
  const type = body === null ? {} : { "content-type": "application/json" };
  const response = await fetch(target, { method: "POST", ...content, headers: { ...type, ...authorization() } });
  if (response.ok) return;
  const answer = await response.json().catch(() => ({}));
  if (response.status === 401) {
    const why = "authorization" in authorization() ? "That was not the token. Try again." : "This change needs the token.";
    if (await askForToken(why)) return post(target, body);
    throw new Error("it needs the token.");
  }
  throw new Error(answer.description ?? `Highwater answers ${response.status}.`);
}

/** Whether a topic is paused by itself, by its backup, or not. */
export function pauseOf(status, backup, topic) {
  const of = status?.[backup];
  if (!of) return null;
  if (of.state === "paused") return "backup";
  return topic !== undefined && of.topics?.[topic]?.state === "paused" ? "topic" : null;
}
