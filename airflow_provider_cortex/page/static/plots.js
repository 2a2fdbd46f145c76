/** The drawings of the chart: losses, scores and trained tokens, over the same time axis. */

import { svg } from "./dom.js";
import { describe, ended, mainLoss } from "./families.js";
import { scale, span, spread, ticks, timeTicks } from "./scale.js";
import * as format from "./format.js";

const HEIGHT = 220;
const TOP = 10;
const RIGHT = 14;
const BOTTOM = 26;
const LEFT = 46;
const TICK_WIDTH = 75;
const MANY_DOTS = 120; // more dots than that are drawn smaller
const BAR_WIDTHS = [10, 8, 6, 4, 3, 2];
const BAR_GAP = 1;
const BAR_SHIFT = 12; // how far a bar may stand from its moment before bars become narrower

// The outline of each family's marker, around 0, 0: colour alone does not tell families apart.
const MARKERS = [
  "M-1 0a1 1 0 1 1 2 0a1 1 0 1 1-2 0z",
  "M-.9-.9H.9V.9H-.9z",
  "M0-1.2 1.15.9H-1.15z",
  "M0-1.25 1.25 0 0 1.25-1.25 0z",
  "M0 1.2 1.15-.9H-1.15z",
  "M-.4-1.2H.4V-.4H1.2V.4H.4V1.2H-.4V.4H-1.2V-.4H-.4z",
];

/** Return the marker of a family at a point. */
export function marker(slot, { x, y, radius }, attributes) {
  const transform = `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${radius})`;
  return svg("path", { d: MARKERS[slot], transform, ...attributes });
}

/** Return what plots of these *widths* share: the span of time and its ticks. */
export function timeAxis(families, widths) {
  const moments = versionsOf(families).map(ended);
  if (!moments.length) return null;
  const times = span(moments);
  return { times, ticks: timeTicks(times, Math.min(...widths) / TICK_WIDTH) };
}

const versionsOf = (families) => families.flatMap(({ versions }) => versions);

/** Return the plot of the losses: lines, and a marker for each version, oldest first. */
export function losses(families, time, width) {
  const versions = versionsOf(families);
  const values = versions.flatMap((job) => [job.validation_loss, job.training_loss]);
  const axes = axesOf(time, values, width, (tick) => tick.text);
  if (!axes) return [];
  const lines = families.flatMap((family) =>
    ["training_loss", "validation_loss"].map((name) => line(family, name, axes)),
  );
  const radius = versions.length > MANY_DOTS ? 2.5 : 4;
  const dots = points(families, (job) => mainLoss(job)).map(({ job, slot }) =>
    marker(
      slot,
      { x: axes.x(ended(job)), y: axes.y(mainLoss(job)), radius },
      {
        class: `dot family-${slot}`,
        tabindex: -1,
        role: "option",
        "aria-label": describe(job).join(", "),
        "data-key": job.key,
      },
    ),
  );
  // One object with many options, for screen readers: they are not read out before the table.
  const label = "Versions, oldest first";
  const list = { role: "listbox", "aria-label": label, "aria-orientation": "horizontal" };
  return [...axes.drawing, ...lines, svg("g", list, ...dots)];
}

/** Return the plot of the scores: a line, and a marker for each version that was evaluated. */
export function scores(families, time, width) {
  const values = versionsOf(families).map((job) => job.score);
  const axes = axesOf(time, values, width, (tick) => tick.text);
  if (!axes) return [];
  const lines = families.map((family) => line(family, "score", axes));
  const dots = points(families, (job) => job.score).map(({ job, slot }) =>
    marker(
      slot,
      { x: axes.x(ended(job)), y: axes.y(job.score), radius: 4 },
      { class: `dot family-${slot}`, "data-key": job.key },
    ),
  );
  return [...axes.drawing, ...lines, ...dots];
}

/** Return a family's line through the values of one name. */
function line({ slot, versions }, name, { x, y }) {
  const known = versions.filter((job) => job[name] != null);
  return svg("path", {
    class: `line ${name} family-${slot}`,
    d: path(known.map((job) => [x(ended(job)), y(job[name])])),
  });
}

/** Return the plot of the trained tokens: a bar for each version. */
export function tokens(families, time, width) {
  const values = versionsOf(families).map((job) => job.trained_tokens);
  const axes = axesOf(time, [0, ...values], width, (tick) => format.short(tick.value));
  if (!axes) return [];
  const shown = points(families, (job) => job.trained_tokens);
  const centres = shown.map(({ job }) => axes.x(ended(job)));
  const bars = placeBars(centres, [LEFT, width - RIGHT]);
  return [
    ...axes.drawing,
    ...shown.map(({ job, slot }, index) =>
      svg("rect", {
        class: `bar family-${slot}`,
        x: (bars.centres[index] - bars.width / 2).toFixed(2),
        y: axes.y(job.trained_tokens).toFixed(1),
        width: bars.width,
        height: (axes.y(0) - axes.y(job.trained_tokens)).toFixed(1),
        "data-key": job.key,
      }),
    ),
  ];
}

/** Return the versions that have a *value*, oldest first, each with its family's slot. */
function points(families, value) {
  return families
    .flatMap(({ slot, versions }) => versions.map((job) => ({ job, slot })))
    .filter(({ job }) => value(job) != null)
    .sort((a, b) => ended(a.job) - ended(b.job));
}

/** Place bars side by side, as wide as possible near their moments; see BAR_SHIFT. */
function placeBars(wanted, [left, right]) {
  for (const width of BAR_WIDTHS) {
    const least = Math.min(width + BAR_GAP, (right - left - width) / wanted.length);
    const centres = spread(wanted, least, [left + width / 2, right - width / 2]);
    const shift = Math.max(...centres.map((centre, index) => Math.abs(centre - wanted[index])));
    if (shift <= BAR_SHIFT || width === BAR_WIDTHS.at(-1)) return { width, centres };
  }
}

/** Return the scales and the drawing of both axes, or null without values. */
function axesOf({ times, ticks: columns }, found, width, write) {
  const values = found.filter((value) => value != null);
  if (!values.length) return null;
  const rows = ticks(values, 4);
  const x = scale(times, [LEFT, width - RIGHT]);
  const y = scale([rows[0].value, rows.at(-1).value], [HEIGHT - BOTTOM, TOP]);
  const drawing = [
    ...rows.flatMap((tick) => [
      svg("line", {
        class: "grid",
        x1: LEFT,
        x2: width - RIGHT,
        y1: y(tick.value),
        y2: y(tick.value),
      }),
      svg("text", { class: "row", x: LEFT - 8, y: y(tick.value), dy: "0.32em" }, write(tick)),
    ]),
    ...columns.map(({ value, text }) =>
      svg("text", { class: "column", x: x(value), y: HEIGHT - 6 }, text),
    ),
  ];
  return { x, y, drawing };
}

function path(points) {
  const step = ([x, y], index) => `${index ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
  const dash = points.length === 1 ? "m-5 0h11" : ""; // makes a single point visible
  return points.map(step).join("") + dash;
}
