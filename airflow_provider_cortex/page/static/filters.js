/** The filters above the table: which jobs to show. */

import * as clock from "./clock.js";
import { say } from "./dom.js";
import * as words from "./words.js";

const HOUR = 3600 * 1000;
const SPANS = { "24h": 24 * HOUR, "7d": 7 * 24 * HOUR, "30d": 30 * 24 * HOUR };

export class Filters {
  #form;

  /**
   * @param {object} state what to filter by at first: status, model, since
   * @param {() => void} changed called whenever somebody changes it
   */
  constructor(form, state, changed) {
    this.#form = form;
    for (const field of this.#fields) {
      field.value = state[field.name];
      if (field.selectedIndex === -1) field.value = ""; // the address asked for what there is not
    }
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", changed);
    form.addEventListener("reset", (event) => {
      event.preventDefault();
      for (const field of this.#fields) field.value = "";
      this.#fields[0].focus(); // the button is about to vanish
      changed();
    });
  }

  /** What is filtered by, as the address holds it. */
  get state() {
    return Object.fromEntries(this.#fields.map((field) => [field.name, field.value]));
  }

  get isSet() {
    return this.#fields.some((field) => field.value);
  }

  /** Return the jobs that match, and tell how many those are. */
  choose(jobs) {
    const { status, model, since } = this.state;
    const sought = model.trim().toLowerCase();
    const from = since ? clock.now() - SPANS[since] : -Infinity;
    const matching = jobs.filter(
      (job) => hasStatus(job, status) && mentions(job, sought) && (!since || job.created_on >= from),
    );
    this.#tell(matching.length, jobs.length);
    return matching;
  }

  #tell(matching, all) {
    const jobs = words.count(all, "job");
    say(this.#form.querySelector("output"), this.isSet ? `${words.whole(matching)} of ${jobs}` : jobs);
    this.#form.querySelector("[type=reset]").hidden = !this.isSet;
  }

  get #fields() {
    return [...this.#form.querySelectorAll("select, input")];
  }
}

function hasStatus(job, status) {
  return !status || (status === "running" ? !job.is_finished : job.status === status);
}

function mentions({ model, base_model, id }, sought) {
  return [model, base_model, id].some((name) => name?.toLowerCase().includes(sought));
}
