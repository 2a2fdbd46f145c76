/** The table of jobs: a row is kept for as long as there is its job, and changed where it has changed. */

import { h, mark, say } from "./dom.js";
import { seconds } from "./job.js";
import { Status } from "./status.js";
import * as words from "./words.js";

export class Table {
  #table;
  #body;
  #open;
  #rows = new Map();

  /** @param {(job: object) => void} open what to do with a job that is chosen */
  constructor(table, open) {
    this.#table = table;
    this.#body = table.tBodies[0];
    this.#open = open;
  }

  /** Show *jobs* in their order, those of *matching* only. */
  show(jobs, matching, { hasConnections }) {
    this.#table.classList.toggle("has-connections", hasConnections);
    const keys = new Set(jobs.map((job) => job.key));
    for (const [key, row] of this.#rows) {
      if (!keys.has(key)) this.#drop(key, row);
    }
    // Only what stands in the wrong place is moved: moving takes the focus away.
    let place = this.#body.firstChild;
    for (const job of jobs) {
      const row = this.#rows.get(job.key) ?? this.#add(job.key);
      row.show(job);
      mark(row.element, "hidden", matching.has(job) ? null : "");
      if (row.element === place) place = place.nextSibling;
      else this.#body.insertBefore(row.element, place);
    }
  }

  /** Show what changes with time. */
  tick() {
    for (const row of this.#rows.values()) row.tick();
  }

  /** Mark the row of a job that is open elsewhere. */
  select(key) {
    for (const row of this.#rows.values()) {
      mark(row.element, "aria-current", row.job.key === key ? "true" : null);
    }
  }

  /** Give the focus to a job's button. */
  focus(key) {
    this.#rows.get(key)?.button.focus();
  }

  #add(key) {
    const row = new Row(this.#open);
    this.#rows.set(key, row);
    return row;
  }

  #drop(key, row) {
    row.element.remove();
    this.#rows.delete(key);
  }
}

class Row {
  #status = new Status();
  #place = h("span", { class: "quiet" });
  #name = h("span");
  #baseModel = h("span", { class: "clip" });
  #id = h("span");
  #told;

  button = h("button", { type: "button", class: "name" }, this.#place, h("wbr"), this.#name);
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
    const told = JSON.stringify(job);
    this.job = job;
    if (told === this.#told) return;
    this.#told = told;
    mark(this.element, "data-job-id", job.id);
    mark(this.#statusCell, "data-status", job.status);
    this.#status.show(job);
    this.#showNames(job);
    say(this.#connection, job.conn_id);
    this.#showStart(job.created_on);
    say(this.#tokens, words.whole(job.trained_tokens));
    say(this.#training, words.loss(job.training_loss));
    say(this.#validation, words.loss(job.validation_loss));
    this.#showDuration();
  }

  tick() {
    if (this.job.is_finished) return;
    this.#status.tick();
    this.#showDuration();
  }

  #showNames({ id, model, base_model }) {
    const name = model ? words.lastPart(model) : words.shortId(id);
    say(this.#place, model ? model.slice(0, -name.length) : "");
    say(this.#name, name);
    mark(this.button, "title", model ?? "Cortex names the model when it is made");
    mark(this.button, "aria-label", model ? null : `Job ${id}`);
    say(this.#baseModel, base_model ?? "");
    mark(this.#baseModel, "title", base_model);
    say(this.#id, model ? words.shortId(id) : "");
    mark(this.#id, "title", id);
  }

  #showStart(moment) {
    const [day, time] = words.moment(moment).split(", ");
    say(this.#day, time ? `${day},` : day);
    say(this.#time, time ?? "");
    mark(this.#started, "title", words.iso(moment));
  }

  #showDuration() {
    say(this.#duration, words.duration(seconds(this.job)));
  }
}

function cell(attributes, ...children) {
  return h("td", { role: "cell", ...attributes }, ...children);
}

/** Whether somebody marks text, to copy it, rather than choose the row. */
const isSelecting = () => !getSelection().isCollapsed;
