/** Numbers, times and names as text. */

import { parts } from "./time_zone.js";

export const NONE = "—";

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const STATUSES = {
  __proto__: null, // "constructor" is no status
  PENDING: "Pending",
  IN_PROGRESS: "In progress",
  SUCCESS: "Success",
  ERROR: "Error",
  CANCELLED: "Cancelled",
};

const whole_ = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const gain_ = new Intl.NumberFormat("en", {
  minimumFractionDigits: 3,
  maximumFractionDigits: 3,
  signDisplay: "exceptZero",
});
const short_ = new Intl.NumberFormat("en", { notation: "compact" });

/** Return a status in words; an unknown one stays as Cortex wrote it. */
export const status = (word) => STATUSES[word] ?? String(word);

/** Return "1,234,567". */
export const whole = (number) => (number == null ? NONE : whole_.format(number));

/** Return "1.2M". */
export const short = (number) => short_.format(number);

/** Return "0.4123". */
export const loss = (number) => (number == null ? NONE : number.toFixed(4));

/** Return "0.930". */
export const score = (number) => number.toFixed(3);

/** Return "+0.030" or "-0.030". */
export const gain = (number) => gain_.format(number);

/** Return any number with a suitable number of digits. */
export function figure(number) {
  if (Number.isInteger(number)) return whole(number);
  return Math.abs(number) < 0.001 ? number.toPrecision(3) : loss(number);
}

/** Return "35 %" of 0.35. */
export const percent = (share) => `${Math.round(share * 100)} %`;

/** Return "0.5 %" of 0.005. */
export const share = (share) => `${Number((share * 100).toFixed(1))} %`;

/** Return "2026-11-26" of epoch milliseconds, in Airflow's time zone. */
export function day(moment) {
  const { year, month, day } = parts(moment);
  return `${year}-${month}-${day}`;
}

/** Return "11:57:16". */
export function time(moment) {
  const { hour, minute, second } = parts(moment);
  return `${hour}:${minute}:${second}`;
}

/** Return "2026-11-26 11:57:16", as Airflow writes it. */
export const moment = (moment) => (moment == null ? NONE : `${day(moment)} ${time(moment)}`);

/** Return the same in ISO 8601, in UTC. */
export const iso = (moment) => (moment == null ? null : new Date(moment).toISOString());

/** Return "01:04:12", as Airflow writes durations. */
export function duration(seconds) {
  if (seconds == null) return NONE;
  const total = Math.max(0, Math.floor(seconds));
  const clock = [(total % DAY) / HOUR, (total % HOUR) / MINUTE, total % MINUTE]
    .map((part) => String(Math.floor(part)).padStart(2, "0"))
    .join(":");
  return total < DAY ? clock : `${Math.floor(total / DAY)}d ${clock}`;
}

/** Return "about 5 min left". */
export function left(seconds) {
  const minutes = Math.round(seconds / MINUTE);
  if (minutes < 1) return "less than 1 min left";
  if (minutes < 60) return `about ${minutes} min left`;
  return `about ${Math.floor(minutes / 60)} h ${minutes % 60} min left`;
}

/** Return the beginning of a job's id: "ft_6556…". */
export const shortId = (id) => id.replace(/^([^_]*_[^_]{4})[^_]{5,}$/, "$1…");

/** Return the name of a model without its database and schema. */
export const lastPart = (name) => name.match(/(?:"(?:[^"]|"")*"|[^."])+$/)?.[0] ?? name;

/** Return "1 job" or "2 jobs". */
export const count = (number, noun) => `${whole(number)} ${noun}${number === 1 ? "" : "s"}`;
