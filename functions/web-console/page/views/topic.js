// A topic of a backup: how far each of its partitions is.

import { asked } from "../asked.js";
import { h } from "../dom.js";
import { rates } from "../chart.js";
import { ago, bytes, count, duration, percent, rate, sentence } from "../format.js";
import { absent, badge, findings, logBar, segmentsLink, tile } from "../parts.js";
import { pauseOf } from "../control.js";
import { behind, pauseButton, stateOf } from "./overview.js";
import { each, past } from "./past.js";

const WHERE = "/_/highwater/figures/backups";

export function topic(app, backup, name) {
  document.title = `${name} – Highwater`;
  const target = `${WHERE}/${encodeURIComponent(backup)}/topics/${encodeURIComponent(name)}`;
  const detail = asked(app, target, app.state.overview?.now ?? 0);
  return [
    h("nav", { class: "crumbs", "aria-label": "Where this is" }, h("a", { href: "#/" }, "Overview"), ` / ${backup} / ${name}`),
    !detail.value ? absent(detail, "Reading the figures.", "The overview lists the topics that are known. The setting topics.include selects them.") : shown(app, backup, detail.value, detail.trouble),
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
    trouble && h("p", { class: "message" }, sentence(trouble)),
    h("dl", { class: "tiles" },
      tile("Progress", percent(topic.progress), "Read so far of what the log holds, the mean of the partitions"),
      tile("Behind", behind(topic), "The age of the oldest record that is not stored"),
      tile("Time until a loss", duration(topic.seconds_to_loss), "Until Kafka's retention may delete the oldest record that is not stored"),
      tile("Records", count(topic.records), "In the storage"),
      tile("Size", bytes(topic.stored_bytes), "In the storage"),
      tile("Segments", count(topic.segments), "In the storage"),
      tile("Last stored", ago(topic.last_segment_at, now), "When the last segment was written"),
      tile("Declared gaps", topic.gaps === "0" ? "none" : `${count(topic.gaps)} (${count(topic.gap_offsets)} offsets)`, "Ranges that Kafka had deleted before they were stored")),
    findings(detail.findings, () => null),
    history(app, backup, topic.topic, partitions, now),
    h("h2", null, "Partitions"),
    h("div", { class: "card" }, h("table", null,
      h("caption", null, `Partitions of ${topic.topic}`),
      h("thead", null, h("tr", null, ["Partition", "State", "Stored of the log", "Last stored offset", "Log start", "Log end", "Behind", "Last stored"].map((name, index) => h("th", { scope: "col", class: index >= 3 ? "n" : null }, name)))),
      h("tbody", null, partitions.map(row)))),
  ];
}

/** The last day or month, of the topic or of a partition. */
function history(app, backup, name, partitions, now) {
  const key = `${backup}/${name}`;
  const chosen = app.state.filters.get(`partition ${key}`) ?? "";
  const choose = (number) => { app.state.filters.set(`partition ${key}`, number); app.render(); };
  const option = (value, text) => h("option", { value, selected: value === chosen }, text);
  const choice = h("select", { "aria-label": "Whose history", onchange: (event) => choose(event.target.value) },
    option("", "Whole topic"), partitions.map(({ partition }) => option(String(partition), `Partition ${partition}`)));
  const target = `${WHERE}/${encodeURIComponent(backup)}/topics/${encodeURIComponent(name)}${chosen === "" ? "" : `/partitions/${chosen}`}`;
  return past(app, { key: `${key} ${chosen}`, target, now, choice, lines: (points) => [
    ["Behind", each(points, (point) => point.l), { show: duration, least: 10 }],
    ["Progress", each(points, (point) => point.p), { show: percent }],
    ["Records stored", rates(points, (point) => point.r), { show: (value) => rate(value, "records") }],
    ["Bytes stored", rates(points, (point) => point.b), { show: (value) => `${bytes(value)}/s` }],
  ] });
}

function partitionRow(backup, topic, partition, now) {
  return h("tr", { "data-key": String(partition.partition) },
    h("th", { scope: "row", "data-name": "Partition" }, topic.incarnation === null ? String(partition.partition) : h("a", { href: segmentsLink([backup, topic.topic, topic.incarnation, partition.partition]), "aria-label": `Segments of partition ${partition.partition}` }, String(partition.partition))),
    h("td", { "data-name": "State" }, partition.state_word ? badge(levelOf(partition), partition.state_word) : badge("attention", "Not known")),
    h("td", { "data-name": "Stored of the log" }, h("div", null, logBar(partition),
      partition.open_transaction_seconds > 60 && h("p", { class: "held" }, `A transaction from offset ${partition.open_transaction_offset} on has been open for ${duration(partition.open_transaction_seconds)}`))),
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
