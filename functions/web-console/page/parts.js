// Parts of the page that several views have.

import { h, svgTitle } from "./dom.js";
import { percent, sentence } from "./format.js";

const LEVELS = {
  danger: { word: "Danger", path: "M12 3 22 20H2Z M12 9v5 M12 17v.5" },
  attention: { word: "Attention", path: "M12 3a9 9 0 1 0 .01 0Z M12 7v6 M12 16.5v.5" },
  note: { word: "Note", path: "M12 3a9 9 0 1 0 .01 0Z M12 11v6 M12 7v.5" },
  safe: { word: "Safe", path: "M12 2.5 20 6v6c0 5-3.5 8-8 9.5C7.500 20 4 17 4 12V6Z M8.500 12l2.500 2.500 4.500-5" },
  unknown: { word: "Not known", path: "M12 3a9 9 0 1 0 .01 0Z M9.500 9.500a2.500 2.500 0 1 1 3.500 2.300c-.7.400-1 .9-1 1.700 M12 16.500v.5" },
};

/** The sign of a level; beside a text it says nothing more, so that a screen reader passes over it. */
export function icon(level, size = 20) {
  const { path } = LEVELS[level];
  return h("svg", { class: `icon ${level}`, viewBox: "0 0 24 24", width: size, height: size, "aria-hidden": "true" }, h("path", { d: path }));
}

/** A level as a word with its sign. */
export function badge(level, word = LEVELS[level].word) {
  return h("span", { class: `badge ${level}` }, icon(level, 16), word);
}

/** A bar from 0 to 1. */
export function bar(ratio, label) {
  const width = ratio === null || ratio === undefined ? 0 : Math.max(0, Math.min(1, ratio)) * 100;
  return h("span", { class: "progress" },
    h("svg", { class: "bar", viewBox: "0 0 100 8", preserveAspectRatio: "none", role: "img", "aria-label": `${label}: ${percent(ratio)}` },
      h("rect", { class: "track", width: 100, height: 8, rx: 2 }),
      h("rect", { class: ratio >= 1 ? "done" : "part", width, height: 8, rx: 2 })),
    h("span", { class: "number" }, percent(ratio)));
}

/** A text whose commands, and what stands between backticks, are set as code. */
export function prose(text) {
  const parts = text.split(/(`[^`]+`|\bhighwater [a-z-]+(?: --[a-z-]+)*)/);
  return parts.map((part, index) => (index % 2 === 1 ? h("code", null, part.replaceAll("`", "")) : part || null));
}

/** In the place of what is not there: that it is being read; or why it cannot be, and what to do. */
export function absent({ trouble, isMissing }, reading, ...whatToDo) {
  if (!trouble) return h("p", { class: "empty" }, reading);
  const remedy = isMissing ? whatToDo : prose("The page asks again by itself. If this stays, highwater doctor says what to mend.");
  return h("p", { class: "empty" }, prose(sentence(trouble)), " ", remedy);
}

/** A figure with its name. A long one has twice the width, so that an offset is not broken in two. */
export function tile(name, value, hint) {
  const isLong = /\d{13}|.{16}/.test(value);
  return h("div", { class: isLong ? "tile long" : "tile", title: hint }, h("dt", null, name), h("dd", null, value));
}

/** What is wrong, the worst first. */
export function findings(list, linkOf) {
  if (list.length === 0) return null;
  return h("section", { "aria-labelledby": "findings-title" },
    h("h2", { id: "findings-title" }, "What needs you"),
    h("ul", { class: "findings" }, list.map((finding) => h("li", { class: finding.severity, "data-key": `${finding.backup}/${finding.title}` },
      icon(finding.severity, 24),
      h("div", null,
        h("h3", null, finding.title),
        subjects(finding, linkOf),
        h("p", { class: "remedy" }, h("strong", null, "What to do: "), prose(finding.remedy)))))));
}

function subjects(finding, linkOf) {
  if (finding.count === 0) return null;
  const named = finding.subjects.map((subject, index) => [
    index > 0 && ", ",
    link(linkOf(finding, subject), subject.name),
    subject.detail && ` (${subject.detail})`,
  ]);
  const more = finding.count - finding.subjects.length;
  return h("p", { class: "subjects" }, finding.backup && `Backup ${finding.backup}: `, named, more > 0 && ` and ${more} more`);
}

function link(target, text) {
  return target ? h("a", { href: target }, text) : h("strong", null, text);
}

/** Where a topic's page is. */
export function topicLink(backup, topic) {
  return `#/backup/${encodeURIComponent(backup)}/${encodeURIComponent(topic)}`;
}

/** Where the segments of a partition are: backup, topic, incarnation, partition. */
export function segmentsLink(parts) {
  return `#/segments/${parts.map(encodeURIComponent).join("/")}`;
}

/** Where a segment is: the same, and its file. */
export function segmentLink(parts) {
  return `#/segment/${parts.map(encodeURIComponent).join("/")}`;
}

/** Where a replication location's page is. */
export function locationLink(name) {
  return `#/location/${encodeURIComponent(name)}`;
}

/** A kind of job, as one of them: "schema registry backup". */
export function oneOf(kind) {
  return kind.replaceAll("-", " ").replace(/s$/, "");
}

/** Where a job's page is. */
export function jobLink(job) {
  return `#/job/${[job.kind, job.namespace, job.name, job.uuid].map(encodeURIComponent).join("/")}`;
}

/** A part of a log that is stored: from its start to what is stored, to its end. */
export function logBar(partition) {
  const { log_start: start, log_end: end, last_offset: last, partition: number } = partition;
  if (start === null || end === null) return h("span", { class: "muted" }, "not observed");
  const length = Number(BigInt(end) - BigInt(start));
  const stored = last === null ? 0 : Number(BigInt(last) + 1n - BigInt(start));
  const width = length <= 0 ? 100 : Math.max(0, Math.min(1, stored / length)) * 100;
  const text = `Partition ${number}: stored up to ${last ?? "nothing"}, the log is from ${start} to ${end}`;
  return h("svg", { class: "bar wide", viewBox: "0 0 100 8", preserveAspectRatio: "none", role: "img", "aria-label": text },
    svgTitle(text),
    h("rect", { class: "track", width: 100, height: 8, rx: 2 }),
    h("rect", { class: width >= 100 ? "done" : "part", width, height: 8, rx: 2 }));
}
