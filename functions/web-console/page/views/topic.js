// A topic of a backup: how far each of its partitions is.

import { asked } from "../asked.js";
import { h } from "../dom.js";
import { chart, rates } from "../chart.js";
import { ago, bytes, count, duration, percent, rate } from "../format.js";
import { badge, findings, logBar, segmentsLink, tile } from "../parts.js";
import { pauseOf } from "../control.js";
import { behind, pauseButton, stateOf } from "./overview.js";

const WHERE = "/_/highwater/figures/backups";
export function topic(app, backup, name) {
  document.title = `${name} – Highwater`;
  const target = `${WHERE}/${encodeURIComponent(backup)}/topics/${encodeURIComponent(name)}`;
  const { value, trouble } = asked(app, target, app.state.overview?.now ?? 0);
  return [
    h("nav", { class: "crumbs", "aria-label": "Where this is" }, h("a", { href: "#/" }, "Overview"), ` / ${backup} / ${name}`),
    !value ? h("p", { class: "empty" }, trouble ?? "Reading the figures.") : shown(app, backup, value, trouble),
  ];
}

function shown(app, backup, detail, trouble) {
  const { topic, now, partitions } = detail;
  const row = (partition) => partitionRow(backup, topic, partition, now);
  const pause = pauseOf(app.state.pauses, backup, topic.topic);
  return [
    h("div", { class: "title-line" }, h("h1", null, topic.topic), stateOf(topic),
      topic.live ? pauseButton(app, backup, topic.topic, pause === "topic") : null,
      pause === "backup" && h("span", { class: "hint" }, `All of backup ${backup} is paused.`)),
    trouble && h("p", { class: "message" }, trouble),
    h("dl", { class: "tiles" },
      tile("Progress", percent(topic.progress), "Read so far of what the log holds, the mean of the partitions"),
      tile("Behind", behind(topic), "The age of the oldest record that is not stored"),
      tile("Time before a loss", duration(topic.seconds_to_loss), "Until Kafka's retention may delete the oldest record that is not stored"),
      tile("Records", count(topic.records), "In the storage"),
      tile("Size", bytes(topic.stored_bytes), "In the storage"),
      tile("Segments", count(topic.segments), "In the storage"),
      tile("Last stored", ago(topic.last_segment_at, now), "When the last segment was written"),
      tile("Declared gaps", topic.gaps === "0" ? "none" : `${count(topic.gaps)} (${count(topic.gap_offsets)} offsets)`, "Ranges that Kafka had deleted before they were stored")),
    findings(detail.findings, () => null),
    past(app, backup, topic.topic, now),
    h("h2", null, "Partitions"),
    h("div", { class: "card" }, h("table", null,
      h("caption", null, `Partitions of ${topic.topic}`),
      h("thead", null, h("tr", null, ["Partition", "State", "Stored of the log", "Last stored offset", "Log start", "Log end", "Behind", "Last stored"].map((name, index) => h("th", { scope: "col", class: index >= 3 ? "n" : null }, name)))),
      h("tbody", null, partitions.map(row)))),
  ];
}

const SPANS = {
  "5m": { name: "24 hours", stepMs: 300000, lengthMs: 86400000 },
  "1h": { name: "30 days", stepMs: 3600000, lengthMs: 30 * 86400000 },
};

/** The last day or month. */
function past(app, backup, name, now) {
  const key = `span ${backup}/${name}`;
  const chosen = app.state.filters.get(key) ?? "5m";
  const { stepMs, lengthMs } = SPANS[chosen];
  const target = `${WHERE}/${encodeURIComponent(backup)}/topics/${encodeURIComponent(name)}/history/${chosen}`;
  const { value, trouble } = asked(app, target, Math.floor(now / 60000));
  const choose = (span) => { app.state.filters.set(key, span); app.render(); };
  const frame = { from: now - lengthMs, to: now, stepMs };
  const points = value?.points ?? [];
  return [
    h("div", { class: "title-line past" }, h("h2", null, "How it was"),
      Object.entries(SPANS).map(([span, { name }]) => h("button", { "aria-pressed": String(span === chosen), onclick: () => choose(span) }, name))),
    !value ? h("p", { class: "empty" }, trouble ?? "Reading the figures.") : h("div", { class: "charts" },
      chart("Behind", points.map((point) => ({ at: point.at, value: point.l })), { ...frame, show: duration, least: 10 }),
      chart("Progress", points.map((point) => ({ at: point.at, value: point.p })), { ...frame, show: percent }),
      chart("Records stored", rates(points, (point) => point.r), { ...frame, show: (value) => rate(value, "records") }),
      chart("Bytes stored", rates(points, (point) => point.b), { ...frame, show: (value) => `${bytes(value)}/s` })),
  ];
}

function partitionRow(backup, topic, partition, now) {
  return h("tr", { "data-key": String(partition.partition) },
    h("th", { scope: "row" }, topic.incarnation === null ? String(partition.partition) : h("a", { href: segmentsLink([backup, topic.topic, topic.incarnation, partition.partition]), "aria-label": `Segments of partition ${partition.partition}` }, String(partition.partition))),
    h("td", { "data-name": "State" }, partition.state_word ? badge(levelOf(partition), partition.state_word) : badge("attention", "Nobody says")),
    h("td", { "data-name": "Stored of the log" }, logBar(partition)),
    h("td", { "data-name": "Last stored offset", class: "n" }, partition.last_offset ?? "none"),
    h("td", { "data-name": "Log start", class: "n" }, partition.log_start ?? "not known"),
    h("td", { "data-name": "Log end", class: "n" }, partition.log_end ?? "not known"),
    h("td", { "data-name": "Behind", class: "n" }, behind(partition)),
    h("td", { "data-name": "Last stored", class: "n" }, ago(partition.last_segment_at, now)));
}

function levelOf(partition) {
  if (partition.state >= 900) return "danger";
  return partition.state >= 200 && partition.state < 400 ? "attention" : "safe";
}
