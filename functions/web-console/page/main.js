// The page: which view is shown, and what it is given.

import { h, update } from "./dom.js";
import { control, paused } from "./control.js";
import { moment, sentence } from "./format.js";
import { watch } from "./live.js";
import { overview } from "./views/overview.js";
import { topic } from "./views/topic.js";
import { api } from "./views/api.js";
import { job } from "./views/job.js";
import { location as locationView } from "./views/location.js";
import { segment, segments } from "./views/segments.js";

const LOOK_AT_PAUSES_EVERY_MS = 15000;

const state = {
  /** The latest overview. */
  overview: null,
  /** Why there is none newer. */
  trouble: null,
  /** What is paused. */
  pauses: null,
  /** What was asked for and is not done: "backup/topic" by action. */
  asked: new Map(),
  /** What the views keep for themselves. */
  filters: new Map(),
};

const view = document.getElementById("view");
const app = { state, render, act, say };

/** The view of the address. */
function route() {
  const [name, ...parts] = location.hash.replace(/^#\/?/, "").split("/").map(decode);
  if (name === "backup" && parts.length === 2) return topic(app, parts[0], parts[1]);
  if (name === "job" && parts.length === 4) return job(app, parts);
  if (name === "location" && parts.length === 1) return locationView(app, parts[0]);
  if (name === "segments" && parts.length === 4) return segments(app, parts);
  if (name === "segment" && parts.length === 5) return segment(app, parts);
  if (name === "api") return api(app);
  return overview(app);
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function render() {
  showLive();
  if (!state.overview && !state.trouble) return;
  update(view, route());
}

function showLive() {
  const live = document.getElementById("live");
  const text = state.trouble
    ? state.overview ? `Not live: as of ${moment(state.overview.now)}` : "No figures"
    : state.overview ? "Live" : "Connecting";
  live.className = `live ${state.trouble ? "off" : state.overview ? "on" : ""}`;
  const element = document.getElementById("live-text");
  if (element.textContent !== text) element.textContent = text;
}

/** Says something that passes. */
function say(text) {
  const toast = document.getElementById("toast");
  toast.textContent = text;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { toast.textContent = ""; }, 6000);
}

/** Pauses or resumes, and says what came of it. */
async function act(action, backup, name) {
  const key = `${backup}/${name ?? ""}`;
  state.asked.set(key, action);
  render();
  try {
    await control(action, backup, name);
    state.pauses = await paused();
    say(action === "pause" ? `${name ?? backup} is being paused.` : `${name ?? backup} goes on.`);
  } catch (error) {
    say(`That did not work: ${error.message}`);
  }
  state.asked.delete(key);
  render();
}

async function lookAtPauses() {
  state.pauses = await paused();
  render();
}

addEventListener("hashchange", () => {
  view.replaceChildren(h("p", { class: "empty" }, "Reading the figures."));
  render();
  view.focus();
  scrollTo(0, 0);
});

watch(
  (overview) => {
    Object.assign(state, { overview, trouble: null });
    render();
  },
  (trouble) => {
    state.trouble = sentence(trouble);
    render();
  },
);
lookAtPauses();
setInterval(lookAtPauses, LOOK_AT_PAUSES_EVERY_MS);
