/** Building and updating the page's elements. All content is visible text, never markup. */

import { visible } from "./text.js";

// Users read or hear these attributes. The others keep their values as they are.
const READ = new Set(["title", "aria-label"]);

/** Return an HTML element; an attribute that is a function listens to the event of that name. */
export function h(tag, attributes = {}, ...children) {
  return build(document.createElement(tag), attributes, children);
}

/** Return an SVG element; see h(). */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  return build(element, attributes, children);
}

function build(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else setAttribute(element, name, value);
  }
  const shown = children.filter((child) => child != null);
  element.append(...shown.map((child) => (child instanceof Node ? child : visible(String(child)))));
  return element;
}

/** Set an element's text if it differs. */
export function setText(element, text) {
  const shown = visible(text);
  if (element.textContent !== shown) element.textContent = shown;
}

/** Set an attribute if it differs; null removes it. */
export function setAttribute(element, name, value) {
  if (value == null) return element.removeAttribute(name);
  const shown = READ.has(name) ? visible(String(value)) : String(value);
  if (element.getAttribute(name) !== shown) element.setAttribute(name, shown);
}
