/** The panel with all details of one job. */

import { getJson } from "./api.js";
import { copyButton } from "./copy.js";
import { Cover } from "./cover.js";
import { h, setAttribute, setText } from "./dom.js";
import { evaluationList } from "./evaluation_list.js";
import * as format from "./format.js";
import { fingerprint, seconds } from "./job.js";
import { Message } from "./message.js";
import { factList, facts, query, resultTable, resultsOf } from "./record.js";
import { Status } from "./status.js";
import { mayChange, taskList } from "./task_list.js";

export class Detail {
  #panel;
  #id = h("code");
  #heading = h("h2");
  #status = new Status();
  #note = new Message();
  #duration = h("dd");
  #sections = h("div");
  #shown = new Map();
  #close;
  #cover;
  #shownId;
  #job = null;
  #requested;
  #tasksMayChange = false;

  /**
   * @param {Element} panel
   * @param {Element} page what the panel may cover
   * @param {() => void} close called when the user closes the panel
   */
  constructor(panel, page, close) {
    this.#panel = panel;
    this.#close = h(
      "button",
      { type: "button", class: "close", "aria-label": "Close", title: "Close (Esc)", click: close },
      "✕",
    );
    const copy = copyButton("the job's id", () => this.#shownId, this.#id);
    panel.append(
      h("div", { class: "head" }, h("p", {}, "Job ", this.#id), copy, this.#close),
      this.#heading,
      this.#status.element,
      this.#note.element,
      this.#sections,
    );
    this.#cover = new Cover(panel, page, () => {
      if (!panel.contains(document.activeElement)) this.focus();
    });
    document.addEventListener("keydown", (event) => {
      const isEscape = event.key === "Escape" && !event.isComposing;
      if (isEscape && !event.defaultPrevented && !panel.hidden) close();
    });
  }

  /** Show a job of the list; request its details if something may have changed. */
  show(job) {
    if (this.#job?.key !== job.key) this.#clear();
    this.#job = job;
    this.#status.show(job);
    this.#reveal(job);
    this.tick();
    if (this.#requested !== fingerprint(job) || this.#tasksMayChange) this.#request(job);
  }

  /** Show why there is no such job. */
  showMissing(id, message) {
    this.#clear();
    this.#say(message);
    this.#reveal({ id });
  }

  hide() {
    if (this.#panel.hidden) return;
    this.#clear();
    this.#panel.hidden = true;
    this.#cover.update();
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

  #reveal({ id, model = null }) {
    this.#shownId = id;
    setText(this.#id, id);
    setText(this.#heading, model ?? "");
    this.#heading.hidden = model === null;
    this.#status.element.hidden = this.#job === null;
    setAttribute(this.#panel, "aria-label", `Job ${id}`);
    this.#panel.hidden = false;
    this.#cover.update();
  }

  #clear() {
    this.#job = this.#requested = null;
    this.#tasksMayChange = false;
    this.#sections.replaceChildren();
    this.#shown.clear();
    this.#panel.scrollTop = 0;
    this.#say(null);
  }

  #say(message) {
    this.#note.element.hidden = message === null;
    if (message) this.#note.show(message);
  }

  async #request(job) {
    const requested = fingerprint(job);
    this.#requested = requested;
    if (!this.#sections.hasChildNodes()) this.#say({ text: "Loading …" });
    try {
      const answer = await getJson("api/job", { conn_id: job.conn_id, job_id: job.id });
      if (this.#requested === requested) this.#fill(answer);
    } catch (error) {
      if (this.#requested !== requested) return;
      this.#requested = null; // the next refresh tries again
      this.#note.element.hidden = false;
      this.#note.showError(error);
    }
  }

  #fill(answer) {
    this.#say(null);
    const { record } = answer;
    const job = this.#job;
    const pairs = facts(record, job);
    this.#section("facts", pairs, () => factList(pairs, this.#duration, job.conn_id));
    this.#section("results", resultsOf(record), resultTable);
    this.#section("training", record.training_data, query("Training query"));
    this.#section("validation", record.validation_data, query("Validation query"));
    const { evaluations, tasks, tasks_hidden } = answer;
    this.#section("evaluations", evaluations?.length ? evaluations : null, evaluationList);
    this.#section("tasks", { tasks, tasks_hidden }, taskList);
    this.#tasksMayChange = mayChange(answer);
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
}
