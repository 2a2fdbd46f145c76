/** Scales and ticks of a chart's axes. */

import { momentOf, parts, writer } from "./time_zone.js";

const HOUR = 3600 * 1000;
const DAY = 24 * HOUR;

// The distances between two ticks: unit, number of units, and rough length of one unit.
const STEPS = [
  ...[1, 3, 6, 12].map((many) => ({ unit: "hour", many, length: HOUR })),
  ...[1, 2, 7, 14].map((many) => ({ unit: "day", many, length: DAY })),
  ...[1, 2, 3, 6, 12, 24, 60].map((many) => ({ unit: "month", many, length: 30 * DAY })),
];

const FORMATS = {
  hour: writer({ hour: "2-digit", minute: "2-digit" }),
  day: writer({ day: "numeric", month: "short" }),
  month: writer({ month: "short", year: "numeric" }),
};

/** Return the linear function that maps *low* to *first*, and *high* to *last*. */
export function scale([low, high], [first, last]) {
  return (value) => first + ((value - low) / (high - low)) * (last - first);
}

/** Return the ends of a time axis, with a margin around the moments. */
export function span(moments) {
  const [first, last] = [Math.min(...moments), Math.max(...moments)];
  const margin = Math.max(0.05 * (last - first), DAY / 2);
  return [first - margin, last + margin];
}

/** Return about *count* time ticks at whole hours, days or months of Airflow's time zone. */
export function timeTicks([from, to], count) {
  const fits = ({ many, length }) => (to - from) / (many * length) <= count;
  const { unit, many } = STEPS.find(fits) ?? STEPS.at(-1);
  const first = mapNumbers(parts(from));
  const ticks = [];
  for (let at = 0; ; at += many) {
    const value = tickAt(first, unit, at);
    if (value > to) return ticks;
    // In spring the clocks skip an hour: two ticks would be the same.
    if (value < from || value === ticks.at(-1)?.value) continue;
    const isMidnight = parts(value).hour === "00";
    ticks.push({ value, text: FORMATS[unit === "hour" && isMidnight ? "day" : unit](value) });
  }
}

const mapNumbers = (texts) =>
  Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, Number(text)]));

/** Return the moment *at* units after the start of the year (of the day, if the unit is hours). */
function tickAt({ year, month, day }, unit, at) {
  if (unit === "hour") return momentOf(year, month, day, at);
  return unit === "day" ? momentOf(year, 1, 1 + at) : momentOf(year, 1 + at);
}

/**
 * Return positions that are at least *least* apart, as near as possible to the *wanted* ones.
 *
 * The wanted ones ascend. Those that are too close together form a block around their middle.
 */
export function spread(wanted, least, [first, last]) {
  const blocks = [];
  for (const [index, position] of wanted.entries()) {
    let block = { sum: position - index * least, count: 1 };
    while (blocks.length && mean(blocks.at(-1)) > mean(block)) {
      const { sum, count } = blocks.pop();
      block = { sum: block.sum + sum, count: block.count + count };
    }
    blocks.push(block);
  }
  const limit = last - (wanted.length - 1) * least;
  return blocks
    .flatMap((block) => Array(block.count).fill(Math.max(first, Math.min(limit, mean(block)))))
    .map((start, index) => start + index * least);
}

const mean = ({ sum, count }) => sum / count;

/** Return about *count* ticks at round numbers that enclose all *values*. */
export function ticks(values, count) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const step = roundStep((high - low || Math.abs(high) || 1) / count);
  const first = Math.floor(low / step);
  const last = Math.max(first + 1, Math.ceil(high / step));
  const digits = Math.max(0, -Math.floor(Math.log10(step)));
  return Array.from({ length: last - first + 1 }, (_, index) => {
    const text = ((first + index) * step).toFixed(digits);
    return { value: Number(text), text };
  });
}

function roundStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((many) => many * power).find((step) => step >= least * 0.999);
}
