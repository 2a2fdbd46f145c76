/** A job's status and, while it is running, its progress. */

import * as clock from "./clock.js";
import { h, setAttribute, setText } from "./dom.js";
import * as format from "./format.js";

export class Status {
  #badge = h("span", { class: "badge" });
  #bar = h("div");
  #progress = h(
    "div",
    { class: "progress", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 },
    this.#bar,
  );
  #percent = h("span", { class: "percent" });
  #left = h("p", { class: "quiet" });
  #error = h("p", { class: "why" });
  #job;

  element = h(
    "div",
    {},
    this.#badge,
    h("div", { class: "track" }, this.#progress, this.#percent),
    this.#left,
    this.#error,
  );

  show(job) {
    this.#job = job;
    setText(this.#badge, format.status(job.status));
    setAttribute(this.#badge, "data-status", job.status);
    this.#showProgress(job.is_finished ? null : job.progress);
    this.#error.hidden = !job.error;
    setText(this.#error, job.error ?? "");
    setAttribute(this.#error, "title", job.error);
    this.tick();
  }

  /** Update the remaining time. */
  tick() {
    const { ends_on, is_finished } = this.#job;
    this.#left.hidden = is_finished || ends_on == null;
    if (!this.#left.hidden) setText(this.#left, format.left((ends_on - clock.now()) / 1000));
  }

  #showProgress(progress) {
    this.#progress.parentElement.hidden = progress == null;
    if (progress == null) return;
    const percent = format.percent(progress);
    setAttribute(this.#progress, "aria-valuenow", Math.round(progress * 100));
    setAttribute(this.#progress, "aria-label", `Progress of job ${this.#job.id}`);
    this.#bar.style.width = percent.replace(" ", "");
    setText(this.#percent, percent);
  }
}
