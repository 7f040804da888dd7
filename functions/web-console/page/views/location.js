// A replication location: how far it is, what failed, and having it tried again. Pausing and the failed list are Backbeat's
// control routes, which read and write the storage.

import { asked } from "../asked.js";
import { rates } from "../chart.js";
import { post } from "../control.js";
import { h } from "../dom.js";
import { bytes, count, duration, rate } from "../format.js";
import { absent, tile } from "../parts.js";
import { locationState } from "./overview.js";
import { each, past } from "./past.js";

const API = "/_/backbeat/api/crr";
const LIST_EVERY_MS = 10000;

export function location(app, name) {
  document.title = `${name} – Highwater`;
  const all = app.state.overview;
  const row = all?.locations?.find((it) => it.name === name);
  const crumbs = h("nav", { class: "crumbs", "aria-label": "Where this is" }, h("a", { href: "#/" }, "Overview"), ` / replication / ${name}`);
  if (all?.locations && !row) {
    return [crumbs, h("h1", null, name), h("p", { class: "empty" }, "No location of this name is configured. The overview lists those that are.")];
  }
  const version = Math.floor((all?.now ?? 0) / LIST_EVERY_MS) + (app.state.filters.get(`asked ${name}`) ?? 0) * 1e9;
  const status = asked(app, `${API}/status/${encodeURIComponent(name)}`, version);
  return [
    crumbs,
    h("div", { class: "title-line" }, h("h1", null, name), row && locationState(row), pauseButton(app, name, status.value)),
    row ? figures(row) : h("p", { class: "empty" }, app.state.trouble ?? "The replication figures are being counted again. They come back by themselves."),
    row && history(app, name, all.now),
    h("h2", null, "What failed, and waits for its next attempt or for you"),
    failed(app, name, asked(app, `${API}/failed?sitename=${encodeURIComponent(name)}`, version)),
  ];
}

function figures(row) {
  const window = `in ${duration(row.window_s)}`;
  return h("dl", { class: "tiles" },
    tile("Pending", count(row.pending_ops)),
    tile("Pending bytes", bytes(row.pending_bytes)),
    tile(`Completed ${window}`, count(row.completed_ops)),
    tile(`Completed bytes ${window}`, bytes(row.completed_bytes)),
    tile(`Failed attempts ${window}`, count(row.failed_ops)),
    tile("Oldest pending", Number(row.pending_ops) > 0 ? duration(row.oldest_pending_seconds) : "none pending"),
    tile("Behind the backup", row.lag_seconds > 0 ? duration(row.lag_seconds) : "nothing missing", `${count(row.lag_records)} records`),
    tile("Latency, median", latency(row.latency_p50_seconds), window),
    tile("Latency, 95th and 99th percentile", row.latency_p95_seconds === null ? "none completed" : `${latency(row.latency_p95_seconds)}, ${latency(row.latency_p99_seconds)}`, window),
    tile("Throughput", `${rate(row.ops_per_second, "objects")}, ${bytes(row.bytes_per_second)}/s`));
}

/** The last day or month. */
function history(app, name, now) {
  const target = `/_/highwater/figures/locations/${encodeURIComponent(name)}`;
  return past(app, { key: `location ${name}`, target, now, lines: (points) => [
    ["Behind the backup", each(points, (point) => point.l), { show: duration, least: 10 }],
    ["Pending", each(points, (point) => point.q), { show: (value) => count(Math.round(value)) }],
    ["Completed", rates(points, (point) => point.d), { show: (value) => rate(value, "objects") }],
    ["Bytes completed", rates(points, (point) => point.b), { show: (value) => `${bytes(value)}/s` }],
    ["Failed", rates(points, (point) => point.f), { show: (value) => rate(value, "objects") }],
    ["Latency, 95th percentile", each(points, (point) => point.t), { show: latency }],
  ] });
}

function latency(seconds) {
  if (seconds === null) return "none completed";
  return seconds < 10 ? `${seconds.toFixed(1)} s` : duration(seconds);
}

function pauseButton(app, name, status) {
  if (!status) return null;
  const isPaused = Object.values(status)[0] === "disabled";
  const action = isPaused ? "resume" : "pause";
  const word = isPaused ? "Resume" : "Pause";
  return [
    isPaused && h("span", { class: "hint" }, "Paused."),
    h("button", { "aria-label": `${word} location ${name}`, onclick: () => change(app, name, `${action}/${encodeURIComponent(name)}`, null, `${name}: ${action} asked for.`) }, word),
  ];
}

function failed(app, name, list) {
  const { value } = list;
  if (!value) return absent(list, "Reading the storage.");
  const versions = value.Versions;
  if (versions.length === 0) return h("p", { class: "empty" }, "Nothing.");
  const retry = (chosen, said) => change(app, name, "failed", chosen.map(({ Bucket, Key, VersionId, StorageClass }) => ({ Bucket, Key, VersionId, StorageClass })), said);
  return [
    h("div", { class: "tools" },
      h("button", { onclick: () => retry(versions, `${versions.length} are tried again.`) }, versions.length === 1 ? "Retry it now" : `Retry these ${versions.length} now`),
      value.IsTruncated && h("span", { class: "hint" }, "There are more. They come when these are done.")),
    h("div", { class: "card" }, h("table", null,
      h("caption", null, `Failed operations of ${name}`),
      h("thead", null, h("tr", null, ["Object", "Bucket", "Size", "Failed at", "Why", "Next attempt", "Retry"].map((title, index) => h("th", { scope: "col", class: index === 2 || index === 3 ? "n" : null }, title)))),
      h("tbody", null, versions.map((version) => h("tr", { "data-key": `${version.Bucket}/${version.Key}/${version.VersionId}` },
        h("th", { scope: "row" }, version.Key),
        h("td", { "data-name": "Bucket" }, version.Bucket),
        h("td", { "data-name": "Size", class: "n" }, bytes(version.Size)),
        h("td", { "data-name": "Failed at", class: "n" }, new Date(version.LastModified).toLocaleString()),
        h("td", { "data-name": "Why", class: "long" }, version.Reason ?? "not known"),
        h("td", { "data-name": "Next attempt" }, version.RetryAt ? new Date(version.RetryAt).toLocaleString() : "none, it waits for you"),
        h("td", { "data-name": "Retry" }, h("button", { "aria-label": `Retry ${version.Key}`, onclick: () => retry([version], `${version.Key} is tried again.`) }, "Retry"))))))),
  ];
}

async function change(app, name, target, body, said) {
  try {
    await post(`${API}/${target}`, body);
    app.say(said);
  } catch (error) {
    app.say(`That did not work: ${error.message}`);
  }
  const key = `asked ${name}`;
  app.state.filters.set(key, (app.state.filters.get(key) ?? 0) + 1);
  app.render();
}
