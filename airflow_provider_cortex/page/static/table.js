/** The table of jobs. Rows are kept and updated, so that focus and selection stay. */

import { h, setAttribute, setText } from "./dom.js";
import { seconds } from "./job.js";
import { Status } from "./status.js";
import * as format from "./format.js";

export class Table {
  #table;
  #body;
  #open;
  #rows = new Map();

  /** @param {(job: object) => void} open called when the user chooses a job */
  constructor(table, open) {
    this.#table = table;
    this.#body = table.tBodies[0];
    this.#open = open;
  }

  /** Show the *matching* jobs, in the order of *jobs*. */
  show(jobs, matching, { hasConnections }) {
    this.#table.classList.toggle("has-connections", hasConnections);
    const keys = new Set(jobs.map((job) => job.key));
    for (const [key, row] of this.#rows) {
      if (!keys.has(key)) this.#remove(key, row);
    }
    // Only misplaced rows are moved: a moved row loses the focus.
    let next = this.#body.firstChild;
    for (const job of jobs) {
      const row = this.#rows.get(job.key) ?? this.#add(job.key);
      row.show(job);
      setAttribute(row.element, "hidden", matching.has(job) ? null : "");
      if (row.element === next) next = next.nextSibling;
      else this.#body.insertBefore(row.element, next);
    }
  }

  /** Update times and durations. */
  tick() {
    for (const row of this.#rows.values()) row.tick();
  }

  /** Highlight the row of the job in the panel. */
  select(key) {
    for (const row of this.#rows.values()) {
      setAttribute(row.element, "aria-current", row.job.key === key ? "true" : null);
    }
  }

  /** Focus a job's button. */
  focus(key) {
    this.#rows.get(key)?.button.focus();
  }

  #add(key) {
    const row = new Row(this.#open);
    this.#rows.set(key, row);
    return row;
  }

  #remove(key, row) {
    row.element.remove();
    this.#rows.delete(key);
  }
}

class Row {
  #status = new Status();
  #namespace = h("span", { class: "quiet" });
  #name = h("span");
  #baseModel = h("span", { class: "clip" });
  #id = h("span");
  #shown;

  button = h("button", { type: "button", class: "name" }, this.#namespace, h("wbr"), this.#name);
  #statusCell = cell({ class: "status" }, this.#status.element);
  #connection = cell({ class: "connection" });
  #day = h("span");
  #time = h("span");
  #started = cell({ class: "started" }, this.#day, " ", this.#time);
  #duration = cell({ class: "duration" });
  #tokens = cell({ class: "tokens" });
  #training = cell({ class: "loss" });
  #validation = cell({ class: "loss" });

  constructor(open) {
    const beneath = h("div", { class: "beneath" }, this.#baseModel, this.#id);
    this.element = h(
      "tr",
      { role: "row", click: () => isSelecting() || open(this.job) },
      this.#statusCell,
      cell({ class: "model" }, this.button, beneath),
      this.#connection,
      this.#started,
      this.#duration,
      this.#tokens,
      this.#training,
      this.#validation,
    );
  }

  show(job) {
    const content = JSON.stringify(job);
    this.job = job;
    if (content === this.#shown) return;
    this.#shown = content;
    setAttribute(this.element, "data-job-id", job.id);
    setAttribute(this.#statusCell, "data-status", job.status);
    this.#status.show(job);
    this.#showNames(job);
    setText(this.#connection, job.conn_id);
    this.#showStart(job.created_on);
    setText(this.#tokens, format.whole(job.trained_tokens));
    setText(this.#training, format.loss(job.training_loss));
    setText(this.#validation, format.loss(job.validation_loss));
    this.#showDuration();
  }

  tick() {
    if (this.job.is_finished) return;
    this.#status.tick();
    this.#showDuration();
  }

  #showNames({ id, model, base_model }) {
    const name = model ? format.lastPart(model) : format.shortId(id);
    setText(this.#namespace, model ? model.slice(0, -name.length) : "");
    setText(this.#name, name);
    setAttribute(this.button, "title", model ?? "Cortex names the model when the job finishes");
    setAttribute(this.button, "aria-label", model ? null : `Job ${id}`);
    setText(this.#baseModel, base_model ?? "");
    setAttribute(this.#baseModel, "title", base_model);
    setText(this.#id, model ? format.shortId(id) : "");
    setAttribute(this.#id, "title", id);
  }

  #showStart(moment) {
    const [day, time] = format.moment(moment).split(" ");
    setText(this.#day, day);
    setText(this.#time, time ?? "");
    setAttribute(this.#started, "title", format.iso(moment));
  }

  #showDuration() {
    setText(this.#duration, format.duration(seconds(this.job)));
  }
}

function cell(attributes, ...children) {
  return h("td", { role: "cell", ...attributes }, ...children);
}

/** Whether the user is selecting text instead of choosing the row. */
const isSelecting = () => !getSelection().isCollapsed;
