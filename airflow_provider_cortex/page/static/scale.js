/** Scales and ticks of a chart's axes. */

const HOUR = 3600 * 1000;
const DAY = 24 * HOUR;

// The distances between two ticks: unit, number of units, and rough length of one unit.
const STEPS = [
  ...[1, 3, 6, 12].map((many) => ({ unit: "hour", many, length: HOUR })),
  ...[1, 2, 7, 14].map((many) => ({ unit: "day", many, length: DAY })),
  ...[1, 2, 3, 6, 12, 24, 60].map((many) => ({ unit: "month", many, length: 30 * DAY })),
];

const formatter = (options) => new Intl.DateTimeFormat("en-GB", options).format;
const FORMATS = {
  hour: formatter({ hour: "2-digit", minute: "2-digit" }),
  day: formatter({ day: "numeric", month: "short" }),
  month: formatter({ month: "short", year: "numeric" }),
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

/** Return about *count* time ticks at whole local hours, days or months. */
export function timeTicks([from, to], count) {
  const fits = ({ many, length }) => (to - from) / (many * length) <= count;
  const { unit, many } = STEPS.find(fits) ?? STEPS.at(-1);
  const ticks = [];
  for (let at = 0; ; at += many) {
    const date = moment(new Date(from), unit, at);
    const write = FORMATS[unit === "hour" && date.getHours() === 0 ? "day" : unit];
    if (date > to) return ticks;
    if (date >= from) ticks.push({ value: date.getTime(), text: write(date) });
  }
}

/** Return the moment *at* units after the start of the year (of the day, if the unit is hours). */
function moment(date, unit, at) {
  const year = date.getFullYear();
  if (unit === "hour") return new Date(year, date.getMonth(), date.getDate(), at);
  return unit === "day" ? new Date(year, 0, 1 + at) : new Date(year, at, 1);
}

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
