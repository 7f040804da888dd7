// Everything at a glance: is it safe, what needs somebody, and each backup, job and location.

import { h } from "../dom.js";
import { ago, bytes, count, duration, plural, rate } from "../format.js";
import { badge, bar, findings, icon, jobLink, locationLink, oneOf, prose, topicLink } from "../parts.js";
import { pauseOf } from "../control.js";

const ROWS = 100;
const ORDER = { danger: 0, attention: 1, safe: 2, note: 2 };

export function overview(app) {
  const { overview: all, trouble } = app.state;
  document.title = all && !trouble ? `${headline(all)} Highwater` : "Highwater";
  if (!all) return noFigures(trouble);
  return [
    verdict(all, trouble),
    findings(all.findings.filter((finding) => finding.severity !== "note"), (finding, subject) => linkOf(all, finding, subject)),
    h("h2", null, "Backups"),
    all.backups.length === 0 ? h("p", { class: "empty" }, "No backup is configured.") : all.backups.map((backup) => backupCard(app, backup, all.now)),
    h("h2", null, "Restores and other jobs"),
    jobs(all),
    h("h2", null, "Verifications and drills"),
    checks(all),
    all.locations?.length === 0 ? null : [h("h2", null, "Replication"), locations(all.locations)],
    notes(all),
  ];
}

function headline(all) {
  const urgent = all.findings.filter((finding) => finding.severity === "danger").length;
  const others = all.findings.filter((finding) => finding.severity === "attention").length;
  if (urgent > 0) return `Not safe. ${plural(urgent, "thing needs", "things need")} you now.`;
  if (others > 0) return `${plural(others, "thing")} to look at.`;
  return "Everything is safe.";
}

function verdict(all, trouble) {
  const level = trouble ? "unknown" : all.verdict;
  const title = trouble ? "It is not known whether everything is safe." : headline(all);
  return h("section", { class: `verdict ${level}`, "aria-label": "Whether everything is safe" },
    icon(level, 48),
    h("div", null, h("h1", null, title), h("p", null, trouble ? [prose(trouble), " What stands below is of before."] : summary(all))));
}

function summary(all) {
  const topics = all.backups.flatMap((backup) => backup.topics.filter((topic) => topic.live));
  if (topics.length === 0) return "Nothing is backed up yet.";
  const lags = topics.map((topic) => topic.lag_seconds);
  const known = lags.every((lag) => lag !== null);
  const greatest = known ? Math.max(...lags) : null;
  const behind = greatest === null
    ? "How far the storage is behind is not known for all of them."
    : greatest < 1 ? "The storage holds everything that Kafka holds." : `The oldest record that is not stored yet is ${duration(greatest)} old.`;
  return `${plural(topics.length, "topic")} in ${plural(all.backups.length, "backup")}. ${behind}`;
}

function noFigures(trouble) {
  const rebuilding = trouble.startsWith("Rebuilding");
  const title = rebuilding ? "The figures are being brought together." : "There are no figures.";
  return h("section", { class: "verdict unknown" }, icon("unknown", 48),
    h("div", null, h("h1", null, title), h("p", null, prose(trouble)),
      h("p", null, rebuilding
        ? "This takes a minute at most after a start. The page goes on by itself."
        : prose("Backups do not depend on this. The page goes on by itself as soon as there is an answer. If this stays, highwater doctor says what to mend."))));
}

function linkOf(all, finding, subject) {
  if (finding.title.startsWith("Replication")) return locationLink(subject.name);
  const job = finding.backup === null && all.jobs.find((job) => `${oneOf(job.kind)} ${job.name}` === subject.name && job.level === finding.severity);
  if (job) return jobLink(job);
  return finding.backup && subject.name !== "lag-monitor" ? topicLink(finding.backup, subject.name) : null;
}

function backupCard(app, backup, now) {
  const pause = pauseOf(app.state.pauses, backup.name);
  const facts = [
    `${plural(backup.topics.length, "topic")}`,
    backup.records === null ? "records not known" : `${count(backup.records)} records`,
    bytes(backup.stored_bytes),
    backup.last_segment_at === null ? "nothing stored yet" : `last stored ${ago(backup.last_segment_at, now)}`,
    backup.gaps === "0" ? "no gaps" : plural(backup.gaps, "declared gap"),
  ];
  return h("section", { class: "card", "data-key": backup.name, "aria-label": `Backup ${backup.name}` },
    h("header", null,
      h("h3", null, badge(backup.level, backup.name)),
      h("p", { class: "facts" }, facts.join(" · ")),
      pauseButton(app, backup.name, undefined, pause === "backup")),
    topicTable(app, backup, now));
}

/** The button that pauses or resumes; none where backup-control does not answer. */
export function pauseButton(app, backup, topic, isPaused) {
  if (!app.state.pauses) return null;
  const asked = app.state.asked.get(`${backup}/${topic ?? ""}`);
  const action = isPaused ? "resume" : "pause";
  const text = asked ? (asked === "pause" ? "Pausing" : "Resuming") : isPaused ? "Resume" : "Pause";
  return h("button", { "aria-disabled": asked ? "true" : null, "aria-label": `${text} ${topic ?? `backup ${backup}`}`, onclick: () => { if (!asked) app.act(action, backup, topic); } }, text);
}

function topicTable(app, backup, now) {
  if (backup.topics.length === 0) {
    return h("p", { class: "empty" }, "No topic of Kafka is selected yet. Topics appear here by themselves when they are created.");
  }
  const key = `topics of ${backup.name}`;
  const filter = app.state.filters.get(key) ?? { text: "", page: 0 };
  const set = (change) => { app.state.filters.set(key, { ...filter, ...change }); app.render(); };
  const rows = backup.topics
    .filter((topic) => topic.topic.includes(filter.text))
    .sort((a, b) => ORDER[a.level] - ORDER[b.level] || Number(b.live) - Number(a.live) || (a.topic < b.topic ? -1 : 1));
  const pages = Math.max(1, Math.ceil(rows.length / ROWS));
  const page = Math.min(filter.page, pages - 1);
  const first = page * ROWS;
  const shown = rows.slice(first, first + ROWS);
  const turn = (name, to) => h("button", { "aria-disabled": to < 0 || to >= pages ? "true" : null, onclick: () => { if (to >= 0 && to < pages) set({ page: to }); } }, name);
  const find = h("input", { type: "search", placeholder: "Find a topic", "aria-label": `Find a topic of backup ${backup.name}`, oninput: (event) => set({ text: event.target.value, page: 0 }) });
  return [
    backup.topics.length > 10 && h("div", { class: "tools" }, find, h("span", { class: "hint" }, `${count(rows.length)} of ${count(backup.topics.length)}`)),
    h("table", null,
      h("caption", null, `Topics of backup ${backup.name}, what is wrong first`),
      h("thead", null, h("tr", null, ["Topic", "State", "Progress", "Behind", "Last stored", "Records", "Size", "Gaps", "Pause"].map((name, index) =>
        h("th", { scope: "col", class: index >= 3 && index <= 7 ? "n" : null }, name)))),
      h("tbody", null, shown.map((topic) => topicRow(app, backup, topic, now)))),
    pages > 1 && h("div", { class: "tools paging" }, turn("Previous topics", page - 1), turn("Next topics", page + 1),
      h("span", { class: "hint", role: "status" }, `${count(first + 1)} to ${count(first + shown.length)} of ${count(rows.length)}, what is wrong first`)),
  ];
}

function topicRow(app, backup, topic, now) {
  const pause = pauseOf(app.state.pauses, backup.name, topic.topic);
  return h("tr", { "data-key": topic.topic },
    h("th", { scope: "row" }, h("a", { href: topicLink(backup.name, topic.topic) }, topic.topic)),
    h("td", { "data-name": "State" }, stateOf(topic)),
    h("td", { "data-name": "Progress" }, topic.live ? bar(topic.progress, `Progress of ${topic.topic}`) : h("span", { class: "muted" }, "–")),
    h("td", { "data-name": "Behind", class: "n" }, topic.live ? behind(topic) : "–"),
    h("td", { "data-name": "Last stored", class: "n" }, ago(topic.last_segment_at, now)),
    h("td", { "data-name": "Records", class: "n" }, count(topic.records)),
    h("td", { "data-name": "Size", class: "n" }, bytes(topic.stored_bytes)),
    h("td", { "data-name": "Gaps", class: "n" }, count(topic.gaps)),
    h("td", { "data-name": "Pause" }, topic.live ? pauseButton(app, backup.name, topic.topic, pause === "topic") : null));
}

/** A topic's state with its level. */
export function stateOf(topic) {
  if (!topic.live) return badge("note", "Deleted in Kafka");
  const word = topic.stale && topic.state_word === "Created" ? "Not known" : topic.state_word;
  return badge(topic.level, word);
}

/** How far a topic is behind, in time. */
export function behind(topic) {
  if (topic.lag_records === "0") return "nothing";
  return topic.lag_seconds === null ? (topic.lag_records === null ? "not known" : `${count(topic.lag_records)} offsets`) : duration(topic.lag_seconds);
}

function jobs(all) {
  if (all.jobs.length === 0) {
    return h("p", { class: "empty" }, prose("None has run yet. Restores, schema registry jobs and drills appear here when they start: highwater restore"));
  }
  return h("div", { class: "card" }, h("table", null,
    h("caption", null, "Jobs that pushed their progress, the latest first"),
    h("thead", null, h("tr", null, ["Job", "Kind", "State", "Progress", "Time left", "Last heard"].map((name, index) => h("th", { scope: "col", class: index >= 4 ? "n" : null }, name)))),
    h("tbody", null, all.jobs.map((job) => h("tr", { "data-key": `${job.kind}/${job.namespace}/${job.name}/${job.uuid}` },
      h("th", { scope: "row" }, h("a", { href: jobLink(job) }, job.name)),
      h("td", { "data-name": "Kind" }, oneOf(job.kind)),
      h("td", { "data-name": "State" }, badge(job.level, job.state_word)),
      h("td", { "data-name": "Progress" }, bar(job.progress, `Progress of ${job.name}`)),
      h("td", { "data-name": "Time left", class: "n" }, job.running ? timeLeft(job) : "–"),
      h("td", { "data-name": "Last heard", class: "n" }, ago(job.said_at, all.now)))))));
}

const DEPTHS = { footers: "all segments, by listings and footers", deep: "all records", sample: "a sample", full: "everything" };

/** The last of each kind: what proves that a backup is whole, and that it comes back. */
function checks(all) {
  if (all.checks.length === 0) {
    return h("p", { class: "empty" }, prose("None has run yet. Prove that the backup is whole: highwater verify. Prove that it comes back: highwater drill --sample"));
  }
  return h("div", { class: "card" }, h("table", null,
    h("caption", null, "The last verification and drills of each backup"),
    h("thead", null, h("tr", null, ["Backup", "Check", "Looked at", "Result", "When", "Last good"].map((name, index) => h("th", { scope: "col", class: index >= 4 ? "n" : null }, name)))),
    h("tbody", null, all.checks.map((check) => h("tr", { "data-key": `${check.backup}/${check.check}/${check.depth}` },
      h("th", { scope: "row" }, check.backup),
      h("td", { "data-name": "Check" }, check.check),
      h("td", { "data-name": "Looked at" }, DEPTHS[check.depth] ?? check.depth),
      h("td", { "data-name": "Result" }, badge(check.level, check.level === "safe" ? "Good" : check.findings === null ? "Failed" : plural(check.findings, "finding"))),
      h("td", { "data-name": "When", class: "n" }, ago(check.at, all.now)),
      h("td", { "data-name": "Last good", class: "n" }, check.last_good_at === null ? "not known" : ago(check.last_good_at, all.now)))))));
}

/** A job ends with its last topic. */
export function timeLeft(job) {
  const left = job.topics.filter((topic) => !topic.stopped).map((topic) => topic.seconds_left);
  return left.length === 0 || left.some((seconds) => seconds === null) ? "not known" : duration(Math.max(...left));
}

function locations(all) {
  if (!all) return h("p", { class: "empty" }, "The replication figures are being counted again. They come back by themselves.");
  const window = `in ${duration(all[0].window_s)}`;
  return h("div", { class: "card" }, h("table", null,
    h("caption", null, "Replication by location"),
    h("thead", null, h("tr", null, ["Location", "State", "Behind", "Pending", "Pending bytes", `Completed ${window}`, `Failed ${window}`, "Throughput"].map((name, index) => h("th", { scope: "col", class: index >= 2 ? "n" : null }, name)))),
    h("tbody", null, all.map((location) => h("tr", { "data-key": location.name },
      h("th", { scope: "row" }, h("a", { href: locationLink(location.name) }, location.name)),
      h("td", { "data-name": "State" }, locationState(location)),
      h("td", { "data-name": "Behind", class: "n" }, location.lag_seconds > 0 ? duration(location.lag_seconds) : "nothing"),
      h("td", { "data-name": "Pending", class: "n" }, count(location.pending_ops)),
      h("td", { "data-name": "Pending bytes", class: "n" }, bytes(location.pending_bytes)),
      h("td", { "data-name": `Completed ${window}`, class: "n" }, `${count(location.completed_ops)} (${bytes(location.completed_bytes)})`),
      h("td", { "data-name": `Failed ${window}`, class: "n" }, count(location.failed_ops)),
      h("td", { "data-name": "Throughput", class: "n" }, `${rate(location.ops_per_second, "objects")}, ${bytes(location.bytes_per_second)}/s`))))));
}

/** A location's state. */
export function locationState(location) {
  const isDone = location.pending_ops === "0" && location.lag_seconds === 0;
  if (location.level === "attention") return badge("attention", Number(location.failed_ops) > Number(location.completed_ops) ? "Failing" : "Late");
  return badge("safe", isDone ? "Up to date" : "Replicating");
}

function notes(all) {
  const notes = all.findings.filter((finding) => finding.severity === "note");
  return notes.length === 0 ? null : [h("h2", null, "Worth knowing"), h("ul", { class: "findings" }, notes.map((finding) =>
    h("li", { class: "note", "data-key": `${finding.backup}/${finding.title}` }, icon("note", 24),
      h("div", null, h("h3", null, finding.title),
        h("p", null, finding.backup && `Backup ${finding.backup}: `, finding.subjects.map((subject) => `${subject.name} (${subject.detail})`).join(", ")),
        h("p", { class: "remedy" }, prose(finding.remedy))))))];
}
