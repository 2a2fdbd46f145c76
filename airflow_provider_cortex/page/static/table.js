/** The rows of the table. They are kept and updated, so that focus and selection stay. */

import { h, setAttribute, setText } from "./dom.js";
import { seconds } from "./job.js";
import { Status } from "./status.js";
import * as format from "./format.js";

// What a row says after the model. Columns give way in a narrow table (table.css).
const FIGURES = [
  {
    name: "connection",
    label: "",
    write: (job) => job.conn_id,
    title: (job) => job.conn_id,
  },
  {
    name: "started",
    label: "started ",
    write: (job) => format.moment(job.created_on).replace(/ (?=\S+$)/, "\n"), // date, time
    title: (job) => format.iso(job.created_on),
  },
  {
    name: "duration",
    label: "duration ",
    write: (job) => format.duration(seconds(job)),
  },
  {
    name: "tokens",
    label: "tokens ",
    write: (job) => format.whole(job.trained_tokens),
  },
  {
    name: "training-loss",
    label: "training loss ",
    write: (job) => format.loss(job.training_loss),
  },
  {
    name: "validation-loss",
    label: "validation loss ",
    write: (job) => format.loss(job.validation_loss),
  },
];

export class Table {
  #table;
  #body;
  #open;
  #rows = new Map();
  #chosen;

  /** @param {(job: object) => void} open called when the user chooses a job */
  constructor(table, open) {
    this.#table = table;
    this.#body = table.tBodies[0];
    this.#open = open;
  }

  /** Show these jobs, in this order. */
  show(jobs, { hasConnections }) {
    this.#table.classList.toggle("has-connections", hasConnections);
    const focused = this.#body.contains(document.activeElement) ? document.activeElement : null;
    const keys = new Set(jobs.map((job) => job.key));
    for (const [key, row] of this.#rows) {
      if (!keys.has(key)) this.#remove(key, row);
    }
    let next = this.#body.firstChild;
    for (const job of jobs) {
      const row = this.#rows.get(job.key) ?? this.#add(job.key);
      row.show(job);
      if (row.element === next) next = next.nextSibling;
      else this.#body.insertBefore(row.element, next);
    }
    // A moved row has lost the focus.
    if (focused?.isConnected) focused.focus({ preventScroll: true });
    this.#showChosen();
  }

  /** Update times and durations. */
  tick() {
    for (const row of this.#rows.values()) row.tick();
  }

  /** Highlight the row of the job in the panel. */
  select(key) {
    this.#chosen = key;
    this.#showChosen();
  }

  /** Focus a job's button, or the table if it does not show the job. */
  focus(key) {
    (this.#rows.get(key)?.button ?? this.#table).focus();
  }

  /** Make a *change* of the page, and scroll so that the job's row stays where it is. */
  keepInPlace(key, change) {
    const top = () => this.#rows.get(key)?.element.getBoundingClientRect().top;
    const before = top();
    change();
    if (before !== undefined) scrollBy(0, (top() ?? before) - before);
  }

  /** Scroll back to the first row if the user has scrolled past it. */
  scrollToStart() {
    const { parentElement } = this.#table;
    if (parentElement.getBoundingClientRect().top < 0) parentElement.scrollIntoView();
  }

  #showChosen() {
    for (const [key, row] of this.#rows) {
      setAttribute(row.element, "aria-current", key === this.#chosen ? "true" : null);
    }
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
  #statusCell = h("td", { class: "status" }, this.#status.element);
  #namespace = h("span", { class: "quiet" });
  #name = h("span");
  #baseModel = h("span", { class: "clip" });
  #id = h("span");
  #figures = FIGURES.map((figure) => new Figure(figure));
  #shown;

  button = h("button", { type: "button", class: "name" }, this.#namespace, h("wbr"), this.#name);

  constructor(open) {
    const spare = this.#figures.map((figure) => figure.spare);
    this.element = h(
      "tr",
      { click: (event) => isSelecting(event) || open(this.job) },
      this.#statusCell,
      h(
        "td",
        { class: "model" },
        this.button,
        h("div", { class: "beneath" }, this.#baseModel, this.#id, ...spare),
      ),
      ...this.#figures.map((figure) => figure.cell),
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
    this.#showFigures();
  }

  tick() {
    if (this.job.is_finished) return;
    this.#status.tick();
    this.#showFigures();
  }

  #showNames({ id, model, base_model }) {
    const name = model ? format.lastPart(model) : format.shortId(id);
    setText(this.#namespace, model ? model.slice(0, -name.length) : "");
    setText(this.#name, name);
    setAttribute(this.button, "title", model ?? "Cortex names the model when the job finishes");
    setText(this.#baseModel, base_model ?? "");
    setAttribute(this.#baseModel, "title", base_model);
    setText(this.#id, model ? format.shortId(id) : "");
    setAttribute(this.#id, "title", id);
  }

  #showFigures() {
    for (const figure of this.#figures) figure.show(this.job);
  }
}

/** A cell after the model's, and its content beneath the model's name. */
class Figure {
  #write;
  #title;
  #label;
  #text = h("span");

  constructor({ name, label, write, title }) {
    this.#write = write;
    this.#title = title;
    this.#label = label;
    this.cell = h("td", { class: name }, this.#text);
    this.spare = h("span", { class: `spare clip ${name}` });
  }

  show(job) {
    const text = this.#write(job);
    setText(this.#text, text);
    setAttribute(this.cell, "title", this.#title?.(job));
    setText(this.spare, text === format.NONE ? "" : `${this.#label}${text}`);
  }
}

/** Whether the user is selecting text of the row instead of choosing it. */
function isSelecting({ currentTarget, detail }) {
  const isByKeyboard = detail === 0;
  const selection = getSelection();
  return !isByKeyboard && !selection.isCollapsed && selection.containsNode(currentTarget, true);
}
