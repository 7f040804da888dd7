// A run of a job that pushed its progress: what it says of each topic.

import { h } from "../dom.js";
import { ago, bytes, count, duration, moment, percent, rate } from "../format.js";
import { badge, bar, oneOf, tile } from "../parts.js";
import { timeLeft } from "./overview.js";

export function job(app, [kind, namespace, name, uuid]) {
  document.title = `${name} – Highwater`;
  const all = app.state.overview;
  const job = all?.jobs.find((it) => it.kind === kind && it.namespace === namespace && it.name === name && it.uuid === uuid);
  return [
    h("nav", { class: "crumbs", "aria-label": "Where this is" }, h("a", { href: "#/" }, "Overview"), ` / ${oneOf(kind)} / ${name}`),
    job ? shown(job, all.now) : h("p", { class: "empty" }, app.state.trouble ?? "Nothing is known of this job. What nobody pushed to for 30 days is forgotten."),
  ];
}

function shown(job, now) {
  const sum = (of) => (job.topics.some((topic) => topic[of] === null) ? null : String(job.topics.reduce((sum, topic) => sum + BigInt(topic[of]), 0n)));
  const perSecond = job.topics.map((topic) => topic.records_per_second).reduce((a, b) => (a === null || b === null ? null : a + b), 0);
  return [
    h("div", { class: "title-line" }, h("h1", null, job.name), badge(job.level, job.state_word)),
    h("dl", { class: "tiles" },
      tile("Progress", percent(job.progress)),
      tile("Records", job.topics.length === 0 ? "none" : count(sum("records_count"))),
      tile("Rate", rate(perSecond, "records")),
      tile("Time left", job.running ? timeLeft(job) : "none: it has ended"),
      tile("Started", moment(job.started_at)),
      tile("Last heard", ago(job.said_at, now)),
      tile("Namespace", job.namespace),
      tile("Run", job.uuid)),
    h("h2", null, "Topics"),
    h("div", { class: "card" }, h("table", null,
      h("caption", null, `Topics of ${job.name}`),
      h("thead", null, h("tr", null, ["Topic", "State", "Progress", "Records", "Size", "Errors", "Time left"].map((name, index) => h("th", { scope: "col", class: index >= 3 ? "n" : null }, name)))),
      h("tbody", null, job.topics.map((topic) => row(topic))))),
  ];
}

function row(topic) {
  return h("tr", { "data-key": topic.topic },
    h("th", { scope: "row" }, topic.topic,
      topic.plan && h("p", { class: "hint" }, topic.plan),
      topic.message && h("p", { class: "message" }, topic.message)),
    h("td", { "data-name": "State" }, badge(topic.state_word === "Failed" ? "danger" : topic.state_word === "Silent" ? "attention" : "safe", topic.state_word)),
    h("td", { "data-name": "Progress" }, bar(topic.progress, `Progress of ${topic.topic}`)),
    h("td", { "data-name": "Records", class: "n" }, of(topic.records_count, topic.records_total, count)),
    h("td", { "data-name": "Size", class: "n" }, of(topic.bytes_count, topic.bytes_total, bytes)),
    h("td", { "data-name": "Errors", class: "n" }, topic.errors_count === null ? "–" : count(topic.errors_count)),
    h("td", { "data-name": "Time left", class: "n" }, topic.seconds_left === null ? "–" : duration(topic.seconds_left)));
}

function of(done, total, show) {
  if (done === null) return "–";
  return total === null ? show(done) : `${show(done)} of ${show(total)}`;
}
