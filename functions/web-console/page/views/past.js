// The last day or month of a topic, a partition or a location, as lines over time.

import { asked } from "../asked.js";
import { chart } from "../chart.js";
import { h } from "../dom.js";
import { absent } from "../parts.js";

const SPANS = {
  "5m": { name: "24 hours", stepMs: 300000, lengthMs: 86400000 },
  "1h": { name: "30 days", stepMs: 3600000, lengthMs: 30 * 86400000 },
};

/**
 * A heading with the choice of a span, and charts. `key` is what the choice is kept under, `target` the address of the history
 * without its span, `lines(points)` gives `[name, values, options]` for each chart, and `choice` is one more control.
 */
export function past(app, { key, target, now, lines, choice = null }) {
  const filter = `span ${key}`;
  const chosen = app.state.filters.get(filter) ?? "5m";
  const { stepMs, lengthMs } = SPANS[chosen];
  const history = asked(app, `${target}/history/${chosen}`, Math.floor(now / 60000));
  const choose = (span) => { app.state.filters.set(filter, span); app.render(); };
  const frame = { from: now - lengthMs, to: now, stepMs };
  return [
    h("div", { class: "title-line past" }, h("h2", null, "The past"),
      Object.entries(SPANS).map(([span, { name }]) => h("button", { "aria-pressed": String(span === chosen), onclick: () => choose(span) }, name)),
      choice),
    !history.value ? absent(history, "Reading the figures.") : h("div", { class: "charts" },
      lines(history.value.points).map(([name, values, options]) => chart(name, values, { ...frame, ...options }))),
  ];
}

/** A value of each point, as a chart takes it. */
export function each(points, of) {
  return points.map((point) => ({ at: point.at, value: of(point) }));
}
