// A line over time. A time in which nothing was noted is a hole in the line, never a zero.

import { h, svgTitle } from "./dom.js";
import { minute, moment } from "./format.js";

const WIDTH = 600;
const HEIGHT = 120;

/** A line of `values`, each `{ at, value }` with null for not known, every `stepMs` from `from` to `to`. */
export function chart(name, values, { from, to, stepMs, show, least = 1 }) {
  const known = values.filter((point) => point.value !== null);
  if (known.length === 0) return figure(name, h("p", { class: "empty" }, "Nothing was noted yet. The first point comes within ten minutes."));
  const greatest = Math.max(least, ...known.map((point) => point.value));
  const x = (at) => ((at - from) / Math.max(1, to - from)) * WIDTH;
  const y = (value) => HEIGHT - (value / greatest) * (HEIGHT - 6) - 3;
  const last = known[known.length - 1];
  const text = `${name}: last ${show(last.value)}, at most ${show(Math.max(...known.map((point) => point.value)))}, from ${moment(from)} to ${moment(to)}`;
  return figure(name,
    h("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": text },
      svgTitle(text),
      h("line", { class: "grid", x1: 0, x2: WIDTH, y1: y(0), y2: y(0) }),
      h("line", { class: "grid", x1: 0, x2: WIDTH, y1: y(greatest), y2: y(greatest) }),
      runs(values, stepMs).map((run) => run.length === 1
        ? h("circle", { class: "dot-point", cx: x(run[0].at), cy: y(run[0].value), r: 2 })
        : h("polyline", { class: "line", points: run.map((point) => `${x(point.at).toFixed(1)},${y(point.value).toFixed(1)}`).join(" ") }))),
    h("p", { class: "scale" }, h("span", null, minute(from)), h("span", null, `last ${show(last.value)}, highest ${show(Math.max(...known.map((point) => point.value)))}`), h("span", null, minute(to))));
}

function figure(name, ...content) {
  return h("figure", { class: "card figure" }, h("figcaption", null, name), content);
}

/** Points that follow each other without a hole. */
function runs(values, stepMs) {
  const runs = [];
  let before = null;
  for (const point of values) {
    if (point.value === null) { before = null; continue; }
    if (before !== null && point.at - before <= 1.5 * stepMs) runs[runs.length - 1].push(point);
    else runs.push([point]);
    before = point.at;
  }
  return runs;
}

/** What a count grew by a second, from point to point. */
export function rates(points, of) {
  return points.slice(1).map((point, index) => {
    const grown = Number(BigInt(of(point)) - BigInt(of(points[index])));
    return { at: point.at, value: grown < 0 ? null : grown / ((point.at - points[index].at) / 1000) };
  });
}
