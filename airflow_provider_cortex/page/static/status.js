/** How a job stands: its status, and while it runs how far it is. */

import * as clock from "./clock.js";
import { h, mark, say } from "./dom.js";
import * as words from "./words.js";

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
    say(this.#badge, words.status(job.status));
    mark(this.#badge, "data-status", job.status);
    this.#showProgress(job.is_finished ? null : job.progress);
    this.#error.hidden = !job.error;
    say(this.#error, job.error ?? "");
    mark(this.#error, "title", job.error);
    this.tick();
  }

  /** Show what changes with time. */
  tick() {
    const { ends_on, is_finished } = this.#job;
    this.#left.hidden = is_finished || ends_on == null;
    if (!this.#left.hidden) say(this.#left, words.left((ends_on - clock.now()) / 1000));
  }

  #showProgress(progress) {
    this.#progress.parentElement.hidden = progress == null;
    if (progress == null) return;
    const percent = words.percent(progress);
    mark(this.#progress, "aria-valuenow", Math.round(progress * 100));
    mark(this.#progress, "aria-label", `Progress of job ${this.#job.id}`);
    this.#bar.style.width = percent.replace(" ", "");
    say(this.#percent, percent);
  }
}
