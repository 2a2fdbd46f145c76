/** The panel with all that is known of one job. */

import { ask } from "./api.js";
import { h, mark, say } from "./dom.js";
import { linkTo } from "./frame.js";
import { seconds, told } from "./job.js";
import { Status } from "./status.js";
import * as words from "./words.js";

// What Cortex is known to tell, in the order in which people want to know it.
const FIELDS = {
  id: { name: "Job" },
  status: { name: "Status", write: words.status },
  progress: { name: "Progress", write: number(words.percent) },
  model: { name: "Model" },
  base_model: { name: "Base model" },
  created_on: { name: "Created", write: moment },
  finished_on: { name: "Finished", write: moment },
  trained_tokens: { name: "Trained tokens", write: number(words.whole) },
  options: { name: "Options" },
  error: { name: "Error", write: error },
};
// As Airflow calls the states in which a task stays.
const FINISHED = new Set(["success", "failed", "skipped", "upstream_failed", "removed"]);
const ELSEWHERE = new Set(["training_data", "validation_data"]);

export class Detail {
  #panel;
  #heading = h("h2");
  #status = new Status();
  #note = h("p", { class: "quiet", role: "status" });
  #duration = h("dd");
  #sections = h("div");
  #told = new Map();
  #close;
  #entry = null;
  #asked;
  #mayChange = false; // its tasks, though the job does not

  /** @param {() => void} close what to do when somebody closes it */
  constructor(panel, close) {
    this.#panel = panel;
    this.#close = h(
      "button",
      { type: "button", class: "close", "aria-label": "Close", title: "Close (Esc)", click: close },
      "✕",
    );
    const head = h("header", {}, this.#heading, this.#close);
    panel.append(head, this.#status.element, this.#note, this.#sections);
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !panel.hidden) close();
    });
  }

  /** Show a job of the list, and ask for the rest if the list tells anything new. */
  show(entry) {
    if (this.#entry?.key !== entry.key) this.#clear();
    this.#entry = entry;
    this.#status.element.hidden = false;
    this.#status.show(entry);
    this.#reveal(entry.model ?? entry.id, entry.id);
    this.tick();
    if (this.#asked !== told(entry) || this.#mayChange) this.#ask(entry);
  }

  /** Show that there is no such job, or none yet. */
  miss(id, why) {
    this.#clear();
    this.#status.element.hidden = true;
    say(this.#note, why);
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

  /** Show what changes with time. */
  tick() {
    if (!this.#entry) return;
    this.#status.tick();
    say(this.#duration, words.duration(seconds(this.#entry)));
  }

  #reveal(heading, id) {
    say(this.#heading, heading);
    mark(this.#panel, "aria-label", `Job ${id}`);
    this.#panel.hidden = false;
  }

  #clear() {
    this.#entry = this.#asked = null;
    this.#mayChange = false;
    this.#sections.replaceChildren();
    this.#told.clear();
    this.#panel.scrollTop = 0;
    say(this.#note, "");
  }

  async #ask(entry) {
    const asked = told(entry);
    this.#asked = asked;
    if (!this.#sections.hasChildNodes()) say(this.#note, "Loading …");
    try {
      const answer = await ask("api/job", { conn_id: entry.conn_id, job_id: entry.id });
      if (this.#asked === asked) this.#fill(answer);
    } catch (trouble) {
      if (this.#asked !== asked) return;
      this.#asked = null; // the next answer is a reason to ask again
      say(this.#note, trouble.message);
    }
  }

  #fill({ record, tasks }) {
    say(this.#note, "");
    const { training_result, training_data, validation_data } = record;
    this.#section("facts", facts(record), () => this.#facts(record));
    this.#section("results", isTable(training_result) && training_result, results);
    this.#section("training", training_data, (query) => sql("Training query", query));
    this.#section("validation", validation_data, (query) => sql("Validation query", query));
    this.#section("tasks", tasks, taskList);
    this.#mayChange = !tasks.length || tasks.some(({ state }) => !FINISHED.has(state));
  }

  /** Build a section if its *content* has changed: what has the focus, or is marked, should stay. */
  #section(name, content, build) {
    const told = JSON.stringify(content);
    if (this.#told.has(name) && this.#told.get(name) === told) return;
    this.#told.set(name, told);
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
    const connection = [h("dt", {}, "Connection"), h("dd", {}, this.#entry.conn_id)];
    return [h("dl", {}, ...rows.flat(), ...connection)];
  }
}

/** Return the fields of *record* for the list of facts: those that are known first. */
function facts(record) {
  return Object.entries(record)
    .filter(([key]) => !ELSEWHERE.has(key) && !(key === "training_result" && isTable(record[key])))
    .sort(([a], [b]) => order(a) - order(b));
}

function order(key) {
  const place = Object.keys(FIELDS).indexOf(key);
  return place === -1 ? Infinity : place;
}

function row({ name, write = text }, value) {
  const isSaid = value != null && value !== "";
  return [h("dt", {}, name), h("dd", {}, isSaid ? write(value) : words.NONE)];
}

/** Return any JSON value as it is. */
function text(value) {
  if (typeof value === "string") return value;
  if (typeof value !== "object") return String(value);
  return h("pre", {}, JSON.stringify(value, null, 2));
}

/** Return what writes a number, and anything else as it is. */
function number(write) {
  return (value) => (Number.isFinite(value) ? write(value) : text(value));
}

function moment(value) {
  // A number may be none of milliseconds, and beyond what there is of them.
  if (typeof value !== "number" || Number.isNaN(new Date(value).getTime())) return text(value);
  return h("time", { datetime: words.iso(value), title: words.iso(value) }, words.moment(value));
}

function error(value) {
  const { code, message } = value;
  const said = message ? h("span", { class: "why" }, code ? `${code}: ${message}` : message) : null;
  return said ?? text(value);
}

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

const isTable = (value) =>
  isObject(value) || (Array.isArray(value) && value.length > 0 && value.every(isObject));

/** Return the table of what training came to: a row for each epoch, or the only one. */
function results(content) {
  const epochs = [content].flat();
  const keys = [...new Set(epochs.flatMap(Object.keys))];
  const cell = (value) => (typeof value === "number" ? words.figure(value) : text(value ?? words.NONE));
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
  const said = text(query);
  const box = h("pre", { tabindex: 0, role: "group", "aria-label": name }, said.textContent ?? said);
  const copy = h("button", { type: "button", click: () => copyOf(box, copy) }, "Copy");
  return [h("header", {}, h("h3", {}, name), copy), box];
}

async function copyOf(box, button) {
  try {
    await navigator.clipboard.writeText(box.textContent);
    say(button, "Copied");
    setTimeout(() => say(button, "Copy"), 2000);
  } catch {
    getSelection().selectAllChildren(box); // so that the keyboard can copy it
  }
}

function taskList(tasks) {
  const none = "No task of a DAG that you may see has recorded this job.";
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
