// The segments of a partition, and the first records of one.

import { asked } from "../asked.js";
import { h } from "../dom.js";
import { bytes, count, moment, sentence } from "../format.js";
import { hex, indented, kindOf, textOf } from "../bytes.js";
import { absent, prose, segmentLink, segmentsLink, tile, topicLink } from "../parts.js";

const WHERE = "/_/highwater/segments";
const LIST_EVERY_MS = 15000;
const TIMESTAMP_TYPES = { create_time: "CreateTime", log_append_time: "LogAppendTime" };

function crumbs(backup, topic, ...more) {
  return h("nav", { class: "crumbs", "aria-label": "Where this is" },
    h("a", { href: "#/" }, "Overview"), ` / ${backup} / `, h("a", { href: topicLink(backup, topic) }, topic), more.map((part) => [" / ", part]));
}

/** The segments of a partition, the latest first. */
export function segments(app, [backup, topic, incarnation, partition]) {
  document.title = `Segments of ${topic} – Highwater`;
  const chain = [backup, topic, incarnation, partition].map(encodeURIComponent).join("/");
  const key = `before ${chain}`;
  const before = app.state.filters.get(key) ?? "";
  const version = before ? 0 : Math.floor((app.state.overview?.now ?? 0) / LIST_EVERY_MS);
  const list = asked(app, `${WHERE}/${chain}${before && `?before=${before}`}`, version);
  const { value, trouble } = list;
  const go = (to) => { app.state.filters.set(key, to); app.render(); };
  return [
    crumbs(backup, topic, `partition ${partition}`),
    h("div", { class: "title-line" }, h("h1", null, `Segments of ${topic}, partition ${partition}`)),
    trouble && value && h("p", { class: "message" }, `As it was before: ${sentence(trouble)}`),
    !value ? absent(list, "Reading the storage.", "Segments appear here by themselves.") : value.segments.length === 0 && !before ? h("p", { class: "empty" }, "No segment is stored yet. They appear here by themselves.") : [
      h("div", { class: "card" }, h("table", null,
        h("caption", null, "Segments, the latest first"),
        h("thead", null, h("tr", null, ["First offset", "Next offset", "Records", "Size", "Written", "Gaps"].map((name, index) => h("th", { scope: "col", class: index >= 1 ? "n" : null }, name)))),
        h("tbody", null, value.segments.map((segment) => h("tr", { "data-key": segment.file },
          h("th", { scope: "row", "data-name": "First offset" }, h("a", { href: segmentLink([backup, topic, incarnation, partition, segment.file]) }, segment.base)),
          h("td", { "data-name": "Next offset", class: "n" }, segment.next),
          h("td", { "data-name": "Records", class: "n" }, count(segment.records)),
          h("td", { "data-name": "Size", class: "n" }, bytes(segment.stored_bytes)),
          h("td", { "data-name": "Written", class: "n" }, moment(segment.written_at)),
          h("td", { "data-name": "Gaps", class: "n" }, count(segment.gaps.length))))))),
      h("div", { class: "tools" },
        before && h("button", { onclick: () => go("") }, "Latest"),
        value.before && h("button", { onclick: () => go(value.before) }, "Earlier")),
    ],
  ];
}

/** A segment: what it says of itself, and its first records. */
export function segment(app, [backup, topic, incarnation, partition, file]) {
  const listed = (text) => h("a", { href: segmentsLink([backup, topic, incarnation, partition]) }, text);
  document.title = `${file} – Highwater`;
  const read = asked(app, `${WHERE}/${[backup, topic, incarnation, partition, file].map(encodeURIComponent).join("/")}`);
  return [
    crumbs(backup, topic, listed(`partition ${partition}`), file),
    h("div", { class: "title-line" }, h("h1", null, `Segment ${file}`)),
    !read.value ? absent(read, "Reading the storage.", "It may have expired. ", listed("See the segments that are there"), ".") : opened(app, read.value),
  ];
}

function opened(app, { segment, records }) {
  return [
    h("dl", { class: "tiles" },
      tile("First offset", segment.base),
      tile("Next offset", segment.next),
      tile("Records", count(segment.records)),
      tile("Left out by a filter", count(segment.filtered)),
      tile("Size", bytes(segment.stored_bytes)),
      tile("Bytes of records", bytes(segment.record_bytes)),
      tile("Written", moment(segment.written_at)),
      tile("Sealed with a key", segment.sealed ? "yes" : "no")),
    segment.gaps.length > 0 && h("p", { class: "message" }, "Lost before they were stored: ", segment.gaps.map((gap) => `${gap.from} to before ${gap.to} (${gap.cause})`).join(", ")),
    h("p", { class: "hint digest" }, `Digest of all records of the partition up to here: ${segment.digest}`),
    h("h2", null, records.length < Number(segment.records) ? `Its first ${records.length} records` : "Its records"),
    records.length === 0 ? h("p", { class: "empty" }, "It keeps no record: those of its range do not exist, or a filter left them out.") : records.map((record) => shown(app, record)),
  ];
}

function shown(app, record) {
  const type = TIMESTAMP_TYPES[record.timestamp_type] ?? record.timestamp_type;
  const time = record.timestamp === "-1" ? "no timestamp" : `${when(record.timestamp)} · ${record.timestamp} ms · ${type}`;
  return h("section", { class: "card record", "data-key": record.offset, "aria-label": `Record ${record.offset}` },
    h("header", null, h("h3", null, `Offset ${record.offset}`), h("p", { class: "facts" }, time)),
    h("dl", { class: "cells" },
      cell(app, record.offset, "Key", record.key),
      cell(app, record.offset, "Value", record.value),
      record.headers.map((header, index) => [
        cell(app, record.offset, `Header ${index + 1}: name`, header.name),
        cell(app, record.offset, `Header ${index + 1}: value`, header.value),
      ])));
}

function when(text) {
  const at = Number(text);
  return Math.abs(at) <= 8.64e15 ? new Date(at).toISOString() : "no time that can be written";
}

/** Bytes: what they are, and the view of them that is chosen. */
function cell(app, offset, name, content) {
  const kind = kindOf(content);
  if (kind === "null" || kind === "empty") return [h("dt", null, name), h("dd", null, h("span", { class: "kind" }, kind))];
  const key = `view ${offset} ${name}`;
  const views = viewsOf(kind, content);
  const view = app.state.filters.get(key) ?? views[0];
  const choose = (to) => { app.state.filters.set(key, to); app.render(); };
  const text = view === "hex" ? hex(content) : view === "JSON" ? indented(textOf(content)) : textOf(content);
  const cut = content.base64.length * 0.75 < content.bytes - 2;
  return [
    h("dt", null, name),
    h("dd", null,
      h("span", { class: "kind" }, kind), ` ${bytes(content.bytes)} `,
      views.length > 1 && views.map((it) => h("button", { class: "small", "aria-pressed": String(it === view), "aria-label": `${name} of ${offset} as ${it}`, onclick: () => choose(it) }, it)),
      h("pre", { class: view === "hex" ? "hex" : null, tabindex: "0", "aria-label": `${name} as ${view}` }, text),
      cut && h("p", { class: "hint" }, prose("Only the beginning is shown. All of it: highwater cat")))];
}

/** The views of bytes, the first of them unless another is chosen. White space alone is nothing to see as text. */
function viewsOf(kind, content) {
  if (kind === "binary") return ["hex"];
  if (kind === "JSON") return ["text", "JSON", "hex"];
  return textOf(content).trim() === "" ? ["hex", "text"] : ["text", "hex"];
}
