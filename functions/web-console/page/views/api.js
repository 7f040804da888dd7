// The HTTP surfaces, as the OpenAPI document has them.

import { asked } from "../asked.js";
import { h } from "../dom.js";
import { absent, prose } from "../parts.js";

export function api(app) {
  document.title = "HTTP API – Highwater";
  const all = asked(app, "/openapi.json");
  return [
    h("nav", { class: "crumbs", "aria-label": "Where this is" }, h("a", { href: "#/" }, "Overview"), " / HTTP API"),
    h("h1", null, "HTTP API"),
    h("p", { class: "hint" }, "The whole document, for tools: ", h("a", { href: "openapi.json" }, "openapi.json"), " (OpenAPI 3.1)."),
    !all.value ? absent(all, "Reading the document.") : all.value.tags.map(({ name }) => group(all.value, name)),
  ];
}

function group(document, tag) {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) => Object.entries(methods)
    .filter(([method, operation]) => method !== "servers" && operation.tags.includes(tag))
    .map(([method, operation]) => ({ path, method, operation, server: (methods.servers ?? document.servers)[0].url })));
  return [
    h("h2", null, tag),
    h("div", { class: "card" }, h("table", null,
      h("caption", null, `Requests of ${tag}`),
      h("thead", null, h("tr", null, ["Request", "What it does", "Answers", "Port"].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", null, operations.map(({ path, method, operation, server }) => h("tr", null,
        h("th", { scope: "row" }, `${method.toUpperCase()} ${path}`),
        h("td", { "data-name": "What it does" }, prose(operation.summary)),
        h("td", { "data-name": "Answers" }, Object.keys(operation.responses).join(", ")),
        h("td", { "data-name": "Port" }, new URL(server).port)))))),
  ];
}
