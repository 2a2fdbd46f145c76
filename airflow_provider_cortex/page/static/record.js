/** What DESCRIBE returns for a job, as elements. */

import { copyButton } from "./copy.js";
import { h } from "./dom.js";
import * as format from "./format.js";

// The fields that Cortex documents, in the order in which they are shown.
const FIELDS = {
  __proto__: null, // a field may be called "constructor"
  progress: { name: "Progress", write: number(format.percent) },
  model: { name: "Model" },
  base_model: { name: "Base model" },
  created_on: { name: "Created", write: moment },
  finished_on: { name: "Finished", write: moment },
  trained_tokens: { name: "Trained tokens", write: number(format.whole) },
  options: { name: "Options" },
  error: { name: "Error" },
};
const ORDER = Object.keys(FIELDS);

/**
 * Return the fields that nothing else in the panel shows, documented ones first, as pairs.
 *
 * @param {object} record what DESCRIBE returns
 * @param {object} job the same job in the list: the head of the panel shows it
 */
export function facts(record, job) {
  return Object.entries(record)
    .filter(([key, value]) => !isShownElsewhere(key, value, job))
    .sort(([a], [b]) => order(a) - order(b));
}

function isShownElsewhere(key, value, job) {
  switch (key) {
    case "id":
    case "status":
    case "training_data":
    case "validation_data":
      return true;
    case "model":
      return value === job.model;
    case "progress":
      return job.status === "SUCCESS" ? value === 1 : !job.is_finished && value === job.progress;
    case "training_result":
      return isTable(value);
    case "error":
      return Boolean(job.error) && (value === job.error || hasOnlyCodeAndMessage(value));
    default:
      return false;
  }
}

const hasOnlyCodeAndMessage = (error) =>
  isObject(error) && Object.keys(error).every((key) => key === "code" || key === "message");

function order(key) {
  const place = ORDER.indexOf(key);
  return place === -1 ? Infinity : place;
}

/** Return the list of facts, and after the times the *duration*. */
export function factList(pairs, duration, conn_id) {
  const rows = pairs.map(([key, value]) => row(FIELDS[key] ?? { name: key }, value));
  const after = pairs.findLastIndex(([key]) => order(key) <= ORDER.indexOf("finished_on"));
  rows.splice(after + 1, 0, [h("dt", {}, "Duration"), duration]);
  rows.push([h("dt", {}, "Connection"), h("dd", {}, conn_id)]);
  return [h("dl", {}, ...rows.flat())];
}

function row({ name, write = element }, value) {
  const hasValue = value != null && value !== "";
  return [h("dt", {}, name), h("dd", {}, hasValue ? write(value) : format.NONE)];
}

/** Return any JSON value as text. */
function text(value) {
  if (typeof value === "string") return value;
  return typeof value === "object" ? JSON.stringify(value, null, 2) : String(value);
}

/** Return any JSON value as text or an element. */
const element = (value) => (typeof value === "object" ? h("pre", {}, text(value)) : text(value));

/** Return a function that formats numbers, and leaves other values as they are. */
function number(write) {
  return (value) => (Number.isFinite(value) ? write(value) : element(value));
}

function moment(value) {
  // A number may be too large for milliseconds.
  if (typeof value !== "number" || Number.isNaN(new Date(value).getTime())) return element(value);
  const iso = format.iso(value);
  return h("time", { datetime: iso, title: iso }, format.moment(value));
}

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

const isTable = (value) =>
  isObject(value) || (Array.isArray(value) && value.length > 0 && value.every(isObject));

/** Return the results as the content of a table, or null if they have another form. */
export const resultsOf = ({ training_result }) =>
  isTable(training_result) ? training_result : null;

/** Return the table of training results: a row per epoch, or a single one. */
export function resultTable(content) {
  const epochs = [content].flat();
  const keys = [...new Set(epochs.flatMap(Object.keys))];
  const cell = (epoch, key) => h("td", {}, result(key, epoch[key] ?? format.NONE));
  return [
    h("h3", {}, "Training result"),
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, ...keys.map((key) => h("th", { scope: "col" }, title(key))))),
      h(
        "tbody",
        {},
        ...epochs.map((epoch) => h("tr", {}, ...keys.map((key) => cell(epoch, key)))),
      ),
    ),
  ];
}

/** Return a result with as many digits as in the table of jobs. */
function result(key, value) {
  if (typeof value !== "number") return element(value);
  return key.endsWith("loss") ? format.loss(value) : format.figure(value);
}

/** Return "Training loss" of "training_loss". */
const title = (key) => key.charAt(0).toUpperCase() + key.slice(1).replaceAll("_", " ");

/** Return a function that shows a query under a *name*. */
export function query(name) {
  return (value) => {
    const content = text(value);
    const box = h("pre", { tabindex: 0, role: "group", "aria-label": name }, content);
    const copy = copyButton(name.toLowerCase(), () => content, box);
    return [h("div", { class: "head" }, h("h3", {}, name), copy), box];
  };
}
