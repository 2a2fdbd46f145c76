/** The panel with all details of one job. */

import { getJson } from "./api.js";
import { h, setAttribute, setText } from "./dom.js";
import { linkTo } from "./frame.js";
import { fingerprint, seconds } from "./job.js";
import { Status } from "./status.js";
import * as format from "./format.js";

// The fields that Cortex documents, in the order in which they are shown.
const FIELDS = {
  id: { name: "Job" },
  status: { name: "Status", write: format.status },
  progress: { name: "Progress", write: number(format.percent) },
  model: { name: "Model" },
  base_model: { name: "Base model" },
  created_on: { name: "Created", write: moment },
  finished_on: { name: "Finished", write: moment },
  trained_tokens: { name: "Trained tokens", write: number(format.whole) },
  options: { name: "Options" },
  error: { name: "Error", write: error },
};
// Airflow's terminal states of a task.
const TERMINAL_STATES = new Set(["success", "failed", "skipped", "upstream_failed", "removed"]);
const SECTIONS = new Set(["training_data", "validation_data"]);

export class Detail {
  #panel;
  #heading = h("h2");
  #status = new Status();
  #note = h("p", { class: "quiet", role: "status" });
  #duration = h("dd");
  #sections = h("div");
  #shown = new Map();
  #close;
  #job = null;
  #requested;
  #tasksMayChange = false;

  /** @param {() => void} close called when the user closes the panel */
  constructor(panel, close) {
    this.#panel = panel;
    this.#close = h(
      "button",
      {
        type: "button",
        class: "close",
        "aria-label": "Close",
        title: "Close (Esc)",
        click: close,
      },
      "✕",
    );
    const head = h("header", {}, this.#heading, this.#close);
    panel.append(head, this.#status.element, this.#note, this.#sections);
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !panel.hidden) close();
    });
  }

  /** Show a job of the list; request its details if something may have changed. */
  show(job) {
    if (this.#job?.key !== job.key) this.#clear();
    this.#job = job;
    this.#status.element.hidden = false;
    this.#status.show(job);
    this.#reveal(job.model ?? job.id, job.id);
    this.tick();
    if (this.#requested !== fingerprint(job) || this.#tasksMayChange) this.#request(job);
  }

  /** Show why there is no such job. */
  showMissing(id, why) {
    this.#clear();
    this.#status.element.hidden = true;
    setText(this.#note, why);
    this.#reveal(id, id);
  }

  hide() {
    if (this.#panel.hidden) return;
    this.#clear();
    this.#panel.hidden = true;
  }

  focus() {
    this.#close.focus();
  }

  /** Update remaining time and duration. */
  tick() {
    if (!this.#job) return;
    this.#status.tick();
    setText(this.#duration, format.duration(seconds(this.#job)));
  }

  #reveal(heading, id) {
    setText(this.#heading, heading);
    setAttribute(this.#panel, "aria-label", `Job ${id}`);
    this.#panel.hidden = false;
  }

  #clear() {
    this.#job = this.#requested = null;
    this.#tasksMayChange = false;
    this.#sections.replaceChildren();
    this.#shown.clear();
    this.#panel.scrollTop = 0;
    setText(this.#note, "");
  }

  async #request(job) {
    const requested = fingerprint(job);
    this.#requested = requested;
    if (!this.#sections.hasChildNodes()) setText(this.#note, "Loading …");
    try {
      const answer = await getJson("api/job", { conn_id: job.conn_id, job_id: job.id });
      if (this.#requested === requested) this.#fill(answer);
    } catch (error) {
      if (this.#requested !== requested) return;
      this.#requested = null; // the next refresh tries again
      setText(this.#note, error.message);
    }
  }

  #fill({ record, tasks }) {
    setText(this.#note, "");
    const { training_result, training_data, validation_data } = record;
    this.#section("facts", facts(record), () => this.#facts(record));
    this.#section("results", isTable(training_result) && training_result, results);
    this.#section("training", training_data, (query) => sql("Training query", query));
    this.#section("validation", validation_data, (query) => sql("Validation query", query));
    this.#section("tasks", tasks, taskList);
    this.#tasksMayChange = !tasks.length || tasks.some((task) => !TERMINAL_STATES.has(task.state));
  }

  /** Build a section only if its *content* has changed, so that focus and selection stay. */
  #section(name, content, build) {
    const json = JSON.stringify(content);
    if (this.#shown.has(name) && this.#shown.get(name) === json) return;
    this.#shown.set(name, json);
    const section = h("section", { class: name }, ...(content ? build(content) : []));
    const old = this.#sections.querySelector(`:scope > .${name}`);
    if (old) old.replaceWith(section);
    else this.#sections.append(section);
  }

  #facts(record) {
    const rows = facts(record).map(([key, value]) => row(FIELDS[key] ?? { name: key }, value));
    const after = Object.keys(FIELDS).indexOf("finished_on");
    const place = facts(record).findLastIndex(([key]) => order(key) <= after) + 1;
    rows.splice(place, 0, [h("dt", {}, "Duration"), this.#duration]);
    const connection = [h("dt", {}, "Connection"), h("dd", {}, this.#job.conn_id)];
    return [h("dl", {}, ...rows.flat(), ...connection)];
  }
}

/** Return the fields of *record* for the list of facts, documented ones first. */
function facts(record) {
  return Object.entries(record)
    .filter(([key]) => !SECTIONS.has(key) && !(key === "training_result" && isTable(record[key])))
    .sort(([a], [b]) => order(a) - order(b));
}

function order(key) {
  const place = Object.keys(FIELDS).indexOf(key);
  return place === -1 ? Infinity : place;
}

function row({ name, write = text }, value) {
  const hasValue = value != null && value !== "";
  return [h("dt", {}, name), h("dd", {}, hasValue ? write(value) : format.NONE)];
}

/** Return any JSON value as text or an element. */
function text(value) {
  if (typeof value === "string") return value;
  if (typeof value !== "object") return String(value);
  return h("pre", {}, JSON.stringify(value, null, 2));
}

/** Return a function that formats numbers, and leaves other values as they are. */
function number(write) {
  return (value) => (Number.isFinite(value) ? write(value) : text(value));
}

function moment(value) {
  // A number may be too large for milliseconds.
  if (typeof value !== "number" || Number.isNaN(new Date(value).getTime())) return text(value);
  const iso = format.iso(value);
  return h("time", { datetime: iso, title: iso }, format.moment(value));
}

function error(value) {
  const { code, message } = value;
  if (!message) return text(value);
  return h("span", { class: "why" }, code ? `${code}: ${message}` : message);
}

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

const isTable = (value) =>
  isObject(value) || (Array.isArray(value) && value.length > 0 && value.every(isObject));

/** Return the table of training results: a row per epoch, or a single one. */
function results(content) {
  const epochs = [content].flat();
  const keys = [...new Set(epochs.flatMap(Object.keys))];
  const cell = (value) =>
    typeof value === "number" ? format.figure(value) : text(value ?? format.NONE);
  return [
    h("h3", {}, "Training result"),
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, ...keys.map((key) => h("th", { scope: "col" }, title(key))))),
      h(
        "tbody",
        {},
        ...epochs.map((epoch) => h("tr", {}, ...keys.map((key) => h("td", {}, cell(epoch[key]))))),
      ),
    ),
  ];
}

/** Return "Training loss" of "training_loss". */
const title = (key) => key.charAt(0).toUpperCase() + key.slice(1).replaceAll("_", " ");

function sql(name, query) {
  const content = text(query);
  const attributes = { tabindex: 0, role: "group", "aria-label": name };
  const box = h("pre", attributes, content.textContent ?? content);
  const copy = h("button", { type: "button", click: () => copyText(box, copy) }, "Copy");
  return [h("header", {}, h("h3", {}, name), copy), box];
}

async function copyText(box, button) {
  try {
    await navigator.clipboard.writeText(box.textContent);
    setText(button, "Copied");
    setTimeout(() => setText(button, "Copy"), 2000);
  } catch {
    getSelection().selectAllChildren(box); // for Ctrl-C
  }
}

function taskList(tasks) {
  const none = "No task in the DAGs that you may read has started or awaited this job.";
  const list = tasks.length
    ? h("ul", {}, ...tasks.map((task) => h("li", {}, ...taskItem(task))))
    : h("p", { class: "quiet" }, none);
  return [h("h3", {}, "Tasks"), list];
}

function taskItem({ dag_id, run_id, task_id, map_index, operator, state, path }) {
  const index = map_index >= 0 ? ` [${map_index}]` : "";
  return [
    h("a", linkTo(path), `${dag_id} / ${run_id} / ${task_id}${index}`),
    h("p", { class: "quiet" }, [operator, state ?? "no state"].filter(Boolean).join(" · ")),
  ];
}
