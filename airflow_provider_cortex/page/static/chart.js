/** The chart: losses, scores and trained tokens of each model's versions, over time. */

import { h, setAttribute, setText, svg } from "./dom.js";
import { describe, familiesOf, withNames } from "./families.js";
import { losses, marker, scores, timeAxis, tokens } from "./plots.js";

const MAX_MODELS = 6; // the number of colours that all users can distinguish
const DRAWINGS = [losses, scores, tokens];
// Where these keys move the focus, among the versions from the oldest to the newest.
const MOVES = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };

export class Chart {
  #figure;
  #open;
  #plots;
  #legend;
  #caption;
  #tip;
  #families = [];
  #slots = new Map();
  #hidden = new Set();
  #jobs = new Map();
  #shownLegend;
  #shownPlots;
  #dots = [];

  /** @param {(job: object) => void} open called when the user chooses a version */
  constructor(figure, open) {
    this.#figure = figure;
    this.#open = open;
    // Screen readers and keyboards reach the versions in the first plot only.
    this.#plots = ["group", "img", "img"].map((role, index) => {
      const plot = figure.querySelectorAll(".plot")[index];
      const drawing = svg("svg", { role, "aria-labelledby": plot.firstElementChild.id });
      plot.append(drawing);
      return drawing;
    });
    this.#legend = figure.querySelector(".legend");
    this.#caption = figure.querySelector("figcaption");
    this.#tip = figure.querySelector(".tip");
    this.#listen();
    const observer = new ResizeObserver(() => this.#draw());
    for (const plot of this.#plots) observer.observe(plot.parentElement);
  }

  /** Show the versions among *jobs*, which may be only those that match the filters. */
  show(jobs, { isFiltered }) {
    const families = familiesOf(jobs);
    this.#families = withNames(this.#withColours(families.slice(0, MAX_MODELS)));
    this.#jobs = new Map(jobs.map((job) => [job.key, job]));
    this.#figure.classList.toggle("is-empty", !families.length);
    setText(this.#caption, captionOf(families.length, isFiltered));
    this.#showLegend();
    this.#draw();
  }

  #listen() {
    const keyOf = ({ target }) => target.dataset.key;
    const show = (event) => (keyOf(event) ? this.#showTip(event.target) : this.#hideTip());
    const open = (event) => {
      if (!keyOf(event)) return;
      event.preventDefault(); // Enter would also press the button that gets the focus
      this.#open(this.#jobs.get(keyOf(event)));
    };
    for (const plot of this.#plots) {
      for (const name of ["pointerover", "focusin"]) plot.addEventListener(name, show);
      for (const name of ["pointerleave", "focusout"]) {
        plot.addEventListener(name, () => this.#hideTip());
      }
      plot.addEventListener("click", open);
    }
    const [losses] = this.#plots;
    losses.addEventListener("focusin", ({ target }) => this.#makeTabStop(target));
    losses.addEventListener("keydown", (event) => {
      if (["Enter", " "].includes(event.key)) open(event);
      else this.#moveFocus(event);
    });
  }

  #moveFocus(event) {
    const { key, target, altKey, ctrlKey, metaKey } = event;
    if (!(key in MOVES) || altKey || ctrlKey || metaKey) return;
    event.preventDefault();
    const last = this.#dots.length - 1;
    const place = this.#dots.indexOf(target) + MOVES[key];
    this.#dots[Math.max(0, Math.min(last, place))].focus();
  }

  /** Make a version the chart's only tab stop: hundreds of them would bar the way to the table. */
  #makeTabStop(dot) {
    for (const other of this.#dots) setAttribute(other, "tabindex", other === dot ? 0 : -1);
  }

  /** Give each family a colour, which stays the same while the family is shown. */
  #withColours(families) {
    const shown = new Set(families.map((family) => family.key));
    for (const key of this.#slots.keys()) {
      if (!shown.has(key)) this.#slots.delete(key);
    }
    return families.map((family) => {
      const taken = new Set(this.#slots.values());
      const slots = [...Array(MAX_MODELS).keys()];
      const slot = this.#slots.get(family.key) ?? slots.find((free) => !taken.has(free));
      this.#slots.set(family.key, slot);
      return { ...family, slot };
    });
  }

  #showLegend() {
    const content = JSON.stringify(this.#families.map(({ key, name, slot }) => [key, name, slot]));
    if (content === this.#shownLegend) return; // a new element would lose the focus
    this.#shownLegend = content;
    this.#legend.replaceChildren(...this.#families.map((family) => this.#entry(family)));
  }

  #entry({ key, name, family, slot }) {
    const toggle = ({ currentTarget }) => {
      if (!this.#hidden.delete(key)) this.#hidden.add(key);
      setAttribute(currentTarget, "aria-pressed", !this.#hidden.has(key));
      this.#draw();
    };
    const pressed = !this.#hidden.has(key);
    return h(
      "button",
      {
        type: "button",
        class: `family-${slot}`,
        title: family,
        "aria-pressed": pressed,
        click: toggle,
      },
      svg(
        "svg",
        { viewBox: "-1.5 -1.5 3 3", "aria-hidden": true },
        marker(slot, { x: 0, y: 0, radius: 1 }),
      ),
      h("span", { class: "clip" }, name),
    );
  }

  /** Draw the plots if they have changed. */
  #draw() {
    const families = this.#families.filter(({ key }) => !this.#hidden.has(key));
    const versions = families.flatMap((family) => family.versions);
    // Without an evaluation the other plots share the room.
    this.#plots[1].parentElement.hidden = versions.every((job) => job.score === null);
    const widths = this.#plots.map((plot) => plot.parentElement.clientWidth);
    const content = JSON.stringify([families, widths]);
    if (content === this.#shownPlots || widths[0] === 0) return;
    this.#shownPlots = content;
    const { key } = document.activeElement.dataset;
    this.#hideTip();
    const time = timeAxis(families, widths.filter(Boolean));
    for (const [index, plot] of this.#plots.entries()) {
      const drawing = time ? DRAWINGS[index](families, time, widths[index]) : [];
      plot.replaceChildren(...drawing);
    }
    this.#dots = [...this.#plots[0].querySelectorAll(".dot")];
    this.#makeTabStop(this.#dots.at(-1));
    this.#dots.find((dot) => dot.dataset.key === key)?.focus();
  }

  #showTip(target) {
    const job = this.#jobs.get(target.dataset.key);
    const [at, frame] = [target, this.#figure].map((element) => element.getBoundingClientRect());
    const left = at.x + at.width / 2 - frame.x;
    setText(this.#tip, describe(job).join("\n"));
    this.#tip.style.left = `${left}px`;
    this.#tip.style.top = `${at.y - frame.y}px`;
    this.#tip.classList.toggle("before", left > frame.width / 2);
    this.#tip.hidden = false;
  }

  #hideTip() {
    this.#tip.hidden = true;
  }
}

function captionOf(count, isFiltered) {
  if (!count && isFiltered) return "No finished model matches the filters.";
  if (!count) return "Losses of finished models appear here";
  if (count <= MAX_MODELS) return "";
  return `The ${MAX_MODELS} most recent of ${count} models; filter by model to see others.`;
}
