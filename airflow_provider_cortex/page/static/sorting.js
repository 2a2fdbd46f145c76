/** The order of the jobs: the buttons in the table's headings. */

import { setAttribute } from "./dom.js";
import { seconds } from "./job.js";
import * as format from "./format.js";

// What each column is sorted by.
const VALUES = {
  __proto__: null,
  status: (job) => format.status(job.status),
  model: (job) => job.model ?? job.id,
  connection: (job) => job.conn_id,
  started: (job) => job.created_on,
  duration: seconds,
  tokens: (job) => job.trained_tokens,
  training_loss: (job) => job.training_loss,
  validation_loss: (job) => job.validation_loss,
};
const NEWEST_FIRST = "-started";

const inWords = new Intl.Collator("en", { numeric: true });

export class Sorting {
  #headings;
  #column;
  #isDescending;

  /**
   * @param {HTMLElement} head the table's head
   * @param {string} state a column; with "-" before it, descending
   * @param {() => void} onChange called when the user changes the order
   */
  constructor(head, state, onChange) {
    this.#headings = [...head.querySelectorAll("[data-column]")];
    this.#set(state.replace(/^-/, "") in VALUES ? state : NEWEST_FIRST);
    for (const heading of this.#headings) {
      heading.querySelector("button").addEventListener("click", () => {
        this.#press(heading.dataset.column);
        onChange();
      });
    }
  }

  /** The order, as the URL stores it. */
  get state() {
    const state = (this.#isDescending ? "-" : "") + this.#column;
    return state === NEWEST_FIRST ? "" : state;
  }

  /** Return the jobs in order: those without a value last, equal ones newest first. */
  apply(jobs) {
    const valueOf = VALUES[this.#column];
    const sign = this.#isDescending ? -1 : 1;
    return jobs
      .map((job) => ({ job, value: valueOf(job) ?? null }))
      .sort((a, b) => {
        const missing = (a.value === null) - (b.value === null);
        return missing || sign * compare(a.value, b.value);
      })
      .map(({ job }) => job);
  }

  #press(column) {
    const isSame = column === this.#column;
    this.#set((isSame ? !this.#isDescending : column === "started") ? `-${column}` : column);
  }

  #set(state) {
    this.#isDescending = state.startsWith("-");
    this.#column = state.replace(/^-/, "");
    const order = this.#isDescending ? "descending" : "ascending";
    for (const heading of this.#headings) {
      const isSorted = heading.dataset.column === this.#column;
      setAttribute(heading, "aria-sort", isSorted ? order : null);
    }
  }
}

const compare = (a, b) => (typeof a === "string" ? inWords.compare(a, b) : a - b);
