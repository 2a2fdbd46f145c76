/** Airflow's theme: its colours, font and corners, where they can be read and are legible. */

import { airflow } from "./frame.js";

const SURFACES = { "--bg": "bg", "--bg-subtle": "bg-subtle", "--bg-muted": "bg-muted" };

// The first of Airflow's colours that is legible on all surfaces.
const TEXTS = {
  "--text": ["fg"],
  "--quiet": ["fg-muted", "fg"],
  "--accent": ["brand-solid", "brand-400", "brand-fg", "fg"],
};

// The states of Airflow's tasks that correspond to those of jobs.
const STATES = {
  "--green": "success",
  "--red": "failed",
  "--blue": "running",
  "--stone": "queued",
};

const FAMILIES = [0, 1, 2, 3, 4, 5].map((slot) => `var(--family-${slot})`);
const TEXT_CONTRAST = 4.5;
const LINE_CONTRAST = 3;

const system = matchMedia("(prefers-color-scheme: dark)");
const { documentElement: root } = document;
const sample = document.createElement("span");

/** Use Airflow's theme, and go on following it. What is missing in it is in theme.css. */
export function follow() {
  sample.hidden = true;
  document.body.append(sample);
  apply();
  system.addEventListener("change", apply);
  if (!airflow) return;
  const observer = new MutationObserver(apply);
  observer.observe(airflow.document.documentElement, { attributeFilter: ["class", "style"] });
  observer.observe(airflow.document.head, { childList: true }); // a theme is a style sheet there
}

function apply() {
  const classes = airflow?.document.documentElement.classList;
  const theme = ["dark", "light"].find((name) => classes?.contains(name));
  root.dataset.theme = theme ?? (system.matches ? "dark" : "light");
  root.style.cssText = "";
  if (!airflow) return;
  for (const [name, value] of Object.entries(valuesOf(airflow))) {
    root.style.setProperty(name, value);
  }
}

/** Return the values of our variables. */
function valuesOf(window) {
  const style = window.getComputedStyle(window.document.documentElement);
  const read = (kind, name) => style.getPropertyValue(`--chakra-${kind}-${name}`).trim();
  return {
    ...colorsOf((name) => read("colors", name)),
    "--radius": read("radii", "l2"),
    "--font": window.getComputedStyle(window.document.body).fontFamily,
  };
}

/** Return the values of the colours; none if text or the chart's lines would not be legible. */
function colorsOf(color) {
  const surfaces = mapValues(SURFACES, color);
  const isText = (text, ...more) =>
    isLegible(text, [...Object.values(surfaces), ...more], TEXT_CONTRAST);
  const isLine = (line) => isLegible(line, [surfaces["--bg"]], LINE_CONTRAST);
  if (!isText(color("fg")) || !FAMILIES.every(isLine)) return {};
  const states = Object.entries(STATES).flatMap(([name, state]) => {
    const [text, surface] = [color(`${state}-fg`), color(`${state}-subtle`)];
    return isText(text, surface) ? [[name, text], [`${name}-bg`, surface]] : [];
  });
  return {
    ...surfaces,
    ...mapValues(TEXTS, (names) => names.map(color).find((text) => isText(text))),
    ...Object.fromEntries(states),
    "--border": color("border"),
  };
}

const mapValues = (object, change) =>
  Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));

/** Whether a colour has at least this contrast, as WCAG defines it, to all *surfaces*. */
function isLegible(color, surfaces, least) {
  return surfaces.every((surface) => {
    const [dark, light] = [luminance(color), luminance(surface)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05) >= least;
  });
}

/** Return the relative luminance of a CSS colour, or NaN if it is none. */
function luminance(color) {
  sample.style.color = "";
  sample.style.color = `color-mix(in srgb, ${color}, ${color})`; // of any notation
  if (!sample.style.color) return NaN;
  const [red, green, blue] = getComputedStyle(sample).color.match(/-?[\d.]+(e-?\d+)?/g).map(linear);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function linear(value) {
  const channel = Math.min(1, Math.max(0, value));
  return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
}
