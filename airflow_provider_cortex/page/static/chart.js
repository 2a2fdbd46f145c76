/** The chart: losses and trained tokens of each model's versions, over time. */

import { h, setAttribute, setText, svg } from "./dom.js";
import { scale, span, ticks, timeTicks } from "./scale.js";
import * as format from "./format.js";

const MAX_MODELS = 6; // the number of colours that all users can distinguish
const HEIGHT = 220;
const TOP = 10;
const RIGHT = 14;
const BOTTOM = 26;
const LEFT = 46;
const TICK_WIDTH = 100;
const MANY_DOTS = 120; // more dots than that are drawn smaller

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

  /** @param {(job: object) => void} open called when the user chooses a version */
  constructor(figure, open) {
    this.#figure = figure;
    this.#open = open;
    this.#plots = [...figure.querySelectorAll(".plot")].map((plot) => {
      const drawing = svg("svg", { role: "group", "aria-labelledby": plot.firstElementChild.id });
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
      plot.addEventListener("keydown", (event) => event.key === "Enter" && open(event));
    }
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
      h("span", { class: "key" }),
      h("span", { class: "clip" }, name),
    );
  }

  /** Draw the plots if they have changed. */
  #draw() {
    const families = this.#families.filter(({ key }) => !this.#hidden.has(key));
    const widths = this.#plots.map((plot) => plot.parentElement.clientWidth);
    const content = JSON.stringify([families, widths]);
    if (content === this.#shownPlots || widths.includes(0)) return;
    this.#shownPlots = content;
    const { key } = document.activeElement.dataset;
    this.#hideTip();
    this.#plots[0].replaceChildren(...losses(families, widths[0]));
    this.#plots[1].replaceChildren(...tokens(families, widths[1]));
    if (key) this.#plots[0].querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
  }

  #showTip(target) {
    const job = this.#jobs.get(target.dataset.key);
    const [at, frame] = [target, this.#figure].map((element) => element.getBoundingClientRect());
    const left = at.x + at.width / 2 - frame.x;
    const name = format.lastPart(job.model);
    setText(this.#tip, [name, format.day(ended(job)), ...figures(job)].join("\n"));
    this.#tip.style.left = `${left}px`;
    this.#tip.style.top = `${at.y - frame.y}px`;
    this.#tip.classList.toggle("before", left > frame.width / 2);
    this.#tip.hidden = false;
  }

  #hideTip() {
    this.#tip.hidden = true;
  }
}

const ended = (job) => job.finished_on ?? job.created_on;

const mainLoss = (job) => job.validation_loss ?? job.training_loss;

function isVersion(job) {
  const hasFigures = mainLoss(job) != null || job.trained_tokens != null;
  return job.status === "SUCCESS" && job.family && hasFigures && ended(job) != null;
}

/** Return the models that have versions, most recently trained first. */
function familiesOf(jobs) {
  const families = new Map();
  for (const job of jobs.filter(isVersion)) {
    const key = `${job.conn_id}\n${job.family}`;
    const { conn_id, family } = job;
    if (!families.has(key)) families.set(key, { key, conn_id, family, versions: [] });
    families.get(key).versions.push(job);
  }
  for (const { versions } of families.values()) versions.sort((a, b) => ended(a) - ended(b));
  const newest = ({ versions }) => ended(versions.at(-1));
  return [...families.values()].sort((a, b) => newest(b) - newest(a));
}

/** Give each family the shortest unique name. */
function withNames(families) {
  const names = [
    ({ family }) => family.split(".").at(-1),
    ({ family }) => family,
    ({ family, conn_id }) => `${family.split(".").at(-1)} (${conn_id})`,
    ({ family, conn_id }) => `${family} (${conn_id})`,
  ];
  return families.map((family) => {
    const isOnly = (name) => families.filter((other) => name(other) === name(family)).length === 1;
    return { ...family, name: (names.find(isOnly) ?? names.at(-1))(family) };
  });
}

function captionOf(count, isFiltered) {
  if (!count && isFiltered) return "No finished model matches the filters.";
  if (!count) return "Losses of finished models appear here";
  if (count <= MAX_MODELS) return "";
  return `The ${MAX_MODELS} most recent of ${count} models; filter by model to see others.`;
}

function figures({ validation_loss, training_loss, trained_tokens }) {
  return [
    validation_loss != null && `validation loss ${format.loss(validation_loss)}`,
    training_loss != null && `training loss ${format.loss(training_loss)}`,
    trained_tokens != null && `${format.whole(trained_tokens)} tokens`,
  ].filter(Boolean);
}

/** Return the description of a version for screen readers. */
function label(job) {
  return `${format.lastPart(job.model)}, ${format.day(ended(job))}: ${figures(job).join(", ")}`;
}

/** Return the plot of the losses: lines, and a dot for each version. */
function losses(families, width) {
  const versions = families.flatMap((family) => family.versions);
  const values = versions.flatMap((job) => [job.validation_loss, job.training_loss]);
  const axes = axesOf(versions, values, width, (tick) => tick.text);
  if (!axes) return [];
  const at = (name) => (job) => [axes.x(ended(job)), axes.y(job[name])];
  const lines = families.flatMap(({ slot, versions }) =>
    ["training_loss", "validation_loss"].map((name) =>
      svg("path", {
        class: `line ${name} family-${slot}`,
        d: path(versions.filter((job) => job[name] != null).map(at(name))),
      }),
    ),
  );
  const radius = versions.length > MANY_DOTS ? 2.5 : 4;
  const dots = families.flatMap(({ slot, versions }) =>
    versions
      .filter((job) => mainLoss(job) != null)
      .map((job) =>
        svg("circle", {
          class: `dot family-${slot}`,
          cx: axes.x(ended(job)).toFixed(1),
          cy: axes.y(mainLoss(job)).toFixed(1),
          r: radius,
          tabindex: 0,
          role: "img",
          "aria-label": label(job),
          "data-key": job.key,
        }),
      ),
  );
  return [...axes.drawing, ...lines, ...dots];
}

/** Return the plot of the trained tokens: a bar for each version. */
function tokens(families, width) {
  const versions = families.flatMap((family) => family.versions);
  const values = versions.map((job) => job.trained_tokens);
  const axes = axesOf(versions, [0, ...values], width, (tick) => format.short(tick.value));
  if (!axes) return [];
  const bar = Math.min(10, Math.max(2, (0.5 * width) / versions.length));
  const bars = families.flatMap(({ slot, versions }, index) =>
    versions
      .filter((job) => job.trained_tokens != null)
      .map((job) =>
        svg("rect", {
          class: `bar family-${slot}`,
          x: (axes.x(ended(job)) + (index - families.length / 2) * bar).toFixed(1),
          y: axes.y(job.trained_tokens).toFixed(1),
          width: bar,
          height: (axes.y(0) - axes.y(job.trained_tokens)).toFixed(1),
          "data-key": job.key,
        }),
      ),
  );
  return [...axes.drawing, ...bars];
}

/** Return the scales and the drawing of both axes, or null without values. */
function axesOf(versions, found, width, write) {
  const values = found.filter((value) => value != null);
  if (!versions.length || !values.length) return null;
  const [times, rows] = [span(versions.map(ended)), ticks(values, 4)];
  const x = scale(times, [LEFT, width - RIGHT]);
  const y = scale([rows[0].value, rows.at(-1).value], [HEIGHT - BOTTOM, TOP]);
  const drawing = [
    ...rows.flatMap((tick) => [
      svg("line", {
        class: "grid",
        x1: LEFT,
        x2: width - RIGHT,
        y1: y(tick.value),
        y2: y(tick.value),
      }),
      svg("text", { class: "row", x: LEFT - 8, y: y(tick.value), dy: "0.32em" }, write(tick)),
    ]),
    ...timeTicks(times, width / TICK_WIDTH).map(({ value, text }) =>
      svg("text", { class: "column", x: x(value), y: HEIGHT - 6 }, text),
    ),
  ];
  return { x, y, drawing };
}

function path(points) {
  const step = ([x, y], index) => `${index ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
  const dash = points.length === 1 ? "m-5 0h11" : ""; // makes a single point visible
  return points.map(step).join("") + dash;
}
