/** The pages of the table: 500 rows would be slow for the browser, and more so for its users. */

import { setAttribute, setText } from "./dom.js";
import * as format from "./format.js";

const SIZE = 100;

export class Pages {
  #element;
  #range;
  #turns;
  #number = 0;
  #count = 1;
  #followed = null;

  /** @param {() => void} onChange called when the user turns the page */
  constructor(element, onChange) {
    this.#element = element;
    this.#range = element.querySelector("[role=status]");
    this.#turns = [...element.querySelectorAll("button")].map((button, index) => {
      const step = index ? 1 : -1;
      button.addEventListener("click", () => {
        if (!this.#has(this.#number + step)) return;
        this.#number += step;
        onChange();
      });
      return { button, step };
    });
  }

  /** Return to the first page. */
  reset() {
    this.#number = 0;
  }

  /**
   * Return the jobs of the current page.
   *
   * @param {string | undefined} key the chosen job: the page with it is shown once
   */
  apply(jobs, key = null) {
    this.#count = Math.max(1, Math.ceil(jobs.length / SIZE));
    this.#number = Math.min(this.#follow(jobs, key) ?? this.#number, this.#count - 1);
    const first = this.#number * SIZE;
    const shown = jobs.slice(first, first + SIZE);
    this.#element.hidden = this.#count === 1;
    const [from, to, all] = [first + 1, first + shown.length, jobs.length].map(format.whole);
    setText(this.#range, `${from}–${to} of ${all}`);
    for (const { button, step } of this.#turns) {
      // A disabled button would lose the focus.
      setAttribute(button, "aria-disabled", this.#has(this.#number + step) ? null : "true");
    }
    return shown;
  }

  /** Return the page of a job that has been chosen since the last time, or null. */
  #follow(jobs, key) {
    const index = key === this.#followed ? -1 : jobs.findIndex((job) => job.key === key);
    if (key === null || index !== -1) this.#followed = key;
    return index === -1 ? null : Math.floor(index / SIZE);
  }

  #has(number) {
    return number >= 0 && number < this.#count;
  }
}
