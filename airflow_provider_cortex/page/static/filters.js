/** The filters above the table. */

import * as clock from "./clock.js";
import { setText } from "./dom.js";

const HOUR = 3600 * 1000;
const PERIODS = { "24h": 24 * HOUR, "7d": 7 * 24 * HOUR, "30d": 30 * 24 * HOUR };

export class Filters {
  #form;

  /**
   * @param {object} state the first values: status, model, since
   * @param {() => void} onChange called when the user changes a filter
   */
  constructor(form, state, onChange) {
    this.#form = form;
    for (const field of this.#fields) {
      field.value = state[field.name];
      if (field.selectedIndex === -1) field.value = ""; // the URL has an unknown value
    }
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", onChange);
    form.addEventListener("keydown", clearOnEscape);
    form.addEventListener("reset", (event) => {
      event.preventDefault();
      for (const field of this.#fields) field.value = "";
      this.#fields[0].focus(); // the button will be hidden
      onChange();
    });
  }

  /** The filters' values, as the URL stores them. */
  get state() {
    return Object.fromEntries(this.#fields.map((field) => [field.name, field.value]));
  }

  get isSet() {
    return this.#fields.some((field) => field.value);
  }

  /** Return the jobs that match. */
  apply(jobs) {
    const { status, model, since } = this.state;
    const part = model.trim().toLowerCase();
    const isNew = (job) => !since || job.created_on >= clock.now() - PERIODS[since];
    return jobs.filter((job) => hasStatus(job, status) && hasName(job, part) && isNew(job));
  }

  /** Show how many jobs match, in words. */
  showCount(text) {
    setText(this.#form.querySelector("output"), text);
    this.#form.querySelector("[type=reset]").hidden = !this.isSet;
  }

  get #fields() {
    return [...this.#form.querySelectorAll("select, input")];
  }
}

/** Escape clears a search field, and only that. Not every browser does it by itself. */
function clearOnEscape(event) {
  const field = event.target;
  if (event.key !== "Escape" || event.isComposing || field.type !== "search" || !field.value) return;
  event.preventDefault();
  field.value = "";
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

function hasStatus(job, status) {
  return !status || (status === "running" ? !job.is_finished : job.status === status);
}

function hasName({ model, base_model, id }, part) {
  return [model, base_model, id].some((name) => name?.toLowerCase().includes(part));
}
