// Building and updating the page. Texts become text nodes only, so that no name can become markup.

const SVG = "http://www.w3.org/2000/svg";
const SVG_TAGS = new Set(["svg", "path", "rect", "circle", "line", "polyline", "g", "title", "text"]);

/** An element. Attributes that are false or null are left out; one that begins with "on" is a listener. */
export function h(tag, attributes, ...children) {
  const element = SVG_TAGS.has(tag) && tag !== "title" ? document.createElementNS(SVG, tag) : document.createElement(tag);
  return fill(element, attributes, children);
}

/** The title of an SVG drawing, which is another element than the page's. */
export function svgTitle(text) {
  return fill(document.createElementNS(SVG, "title"), null, [text]);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Makes the children of `element` like these, and leaves alone what is so already: focus, scrolling and selection stay. */
export function update(element, ...children) {
  const wanted = document.createDocumentFragment();
  wanted.append(...children.flat(Infinity).filter(Boolean));
  const focused = document.activeElement;
  morphChildren(element, wanted);
  // What is moved loses the focus.
  if (focused !== document.activeElement && element.contains(focused)) focused.focus({ preventScroll: true });
}

function morphChildren(element, wanted) {
  const keyed = new Map([...element.children].filter((child) => child.dataset.key).map((child) => [child.dataset.key, child]));
  let place = element.firstChild;
  for (const next of [...wanted.childNodes]) {
    const key = next.nodeType === Node.ELEMENT_NODE && next.dataset.key;
    const held = key ? keyed.get(key) : place && !(place.dataset?.key) ? place : null;
    if (!held || !alike(held, next)) {
      element.insertBefore(next, place);
      continue;
    }
    if (held === place) place = place.nextSibling;
    else element.insertBefore(held, place);
    morph(held, next);
  }
  while (place) {
    const after = place.nextSibling;
    place.remove();
    place = after;
  }
}

function alike(a, b) {
  return a.nodeType === b.nodeType && a.nodeName === b.nodeName;
}

function morph(held, next) {
  if (held.nodeType !== Node.ELEMENT_NODE) {
    if (held.nodeValue !== next.nodeValue) held.nodeValue = next.nodeValue;
    return;
  }
  for (const { name } of [...held.attributes]) if (!next.hasAttribute(name)) held.removeAttribute(name);
  for (const { name, value } of next.attributes) if (held.getAttribute(name) !== value) held.setAttribute(name, value);
  held.onclick = next.onclick;
  held.oninput = next.oninput;
  held.onchange = next.onchange;
  morphChildren(held, next);
}
