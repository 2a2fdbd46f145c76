/** The chart: what became of the versions of each model, over time. */

import { h, mark, say, svg } from "./dom.js";
import { scale, span, ticks, timeTicks } from "./scale.js";
import * as words from "./words.js";

const MOST = 6; // colours that everybody can tell apart
const HEIGHT = 220;
const TOP = 10;
const RIGHT = 14;
const BOTTOM = 26;
const LEFT = 46;
const TICK_WIDTH = 100;
const MANY = 120; // dots that would hide each other

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
  #listed;
  #drawn;

  /** @param {(job: object) => void} open what to do with a version that is chosen */
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

  /** Show the versions among *jobs*. */
  show(jobs) {
    const families = familiesOf(jobs);
    this.#families = named(this.#painted(families.slice(0, MOST)));
    this.#jobs = new Map(jobs.map((job) => [job.key, job]));
    this.#figure.classList.toggle("is-empty", !families.length);
    say(this.#caption, captionOf(families.length));
    this.#showLegend();
    this.#draw();
  }

  #listen() {
    const keyOf = ({ target }) => target.dataset.key;
    const show = (event) => (keyOf(event) ? this.#showTip(event.target) : this.#hideTip());
    const open = (event) => {
      if (!keyOf(event)) return;
      event.preventDefault(); // else Enter would press the button that gets the focus now
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

  /** Give each family a colour that stays its own while it is shown. */
  #painted(families) {
    const shown = new Set(families.map((family) => family.key));
    for (const key of this.#slots.keys()) {
      if (!shown.has(key)) this.#slots.delete(key);
    }
    return families.map((family) => {
      const taken = new Set(this.#slots.values());
      const free = Array.from({ length: MOST }, (_, slot) => slot).find((slot) => !taken.has(slot));
      const slot = this.#slots.get(family.key) ?? free;
      this.#slots.set(family.key, slot);
      return { ...family, slot };
    });
  }

  #showLegend() {
    const told = JSON.stringify(this.#families.map(({ key, name, slot }) => [key, name, slot]));
    if (told === this.#listed) return; // what has the focus must stay
    this.#listed = told;
    this.#legend.replaceChildren(...this.#families.map((family) => this.#entry(family)));
  }

  #entry({ key, name, family, slot }) {
    const toggle = ({ currentTarget }) => {
      if (!this.#hidden.delete(key)) this.#hidden.add(key);
      mark(currentTarget, "aria-pressed", !this.#hidden.has(key));
      this.#draw();
    };
    const pressed = !this.#hidden.has(key);
    return h(
      "button",
      { type: "button", class: `family-${slot}`, title: family, "aria-pressed": pressed, click: toggle },
      h("span", { class: "key" }),
      h("span", { class: "clip" }, name),
    );
  }

  /** Draw, if that makes a difference. */
  #draw() {
    const families = this.#families.filter(({ key }) => !this.#hidden.has(key));
    const widths = this.#plots.map((plot) => plot.parentElement.clientWidth);
    const told = JSON.stringify([families, widths]);
    if (told === this.#drawn || widths.includes(0)) return;
    this.#drawn = told;
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
    say(this.#tip, [words.lastPart(job.model), words.day(ended(job)), ...figures(job)].join("\n"));
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

/** Return the models of which there are versions, the one with the newest first. */
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

/** Give each family the shortest name by which it differs from the others. */
function named(families) {
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

function captionOf(count) {
  if (!count) return "Losses of finished models appear here";
  if (count <= MOST) return "";
  return `The ${MOST} most recent of ${count} models; filter by model to see others.`;
}

function figures({ validation_loss, training_loss, trained_tokens }) {
  return [
    validation_loss != null && `validation loss ${words.loss(validation_loss)}`,
    training_loss != null && `training loss ${words.loss(training_loss)}`,
    trained_tokens != null && `${words.whole(trained_tokens)} tokens`,
  ].filter(Boolean);
}

/** Return the drawing of the losses: lines, and a dot for each version. */
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
  const radius = versions.length > MANY ? 2.5 : 4;
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
          "aria-label": `${words.lastPart(job.model)}, ${words.day(ended(job))}: ${figures(job).join(", ")}`,
          "data-key": job.key,
        }),
      ),
  );
  return [...axes.drawing, ...lines, ...dots];
}

/** Return the drawing of the trained tokens: a bar for each version, those of a day side by side. */
function tokens(families, width) {
  const versions = families.flatMap((family) => family.versions);
  const values = versions.map((job) => job.trained_tokens);
  const axes = axesOf(versions, [0, ...values], width, (tick) => words.short(tick.value));
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

/** Return the scales and the drawing of two axes, or null if there is nothing to draw. */
function axesOf(versions, found, width, write) {
  const values = found.filter((value) => value != null);
  if (!versions.length || !values.length) return null;
  const [times, rows] = [span(versions.map(ended)), ticks(values, 4)];
  const x = scale(times, [LEFT, width - RIGHT]);
  const y = scale([rows[0].value, rows.at(-1).value], [HEIGHT - BOTTOM, TOP]);
  const drawing = [
    ...rows.flatMap((tick) => [
      svg("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(tick.value), y2: y(tick.value) }),
      svg("text", { class: "row", x: LEFT - 8, y: y(tick.value), dy: "0.32em" }, write(tick)),
    ]),
    ...timeTicks(times, width / TICK_WIDTH).map(({ value, text }) =>
      svg("text", { class: "column", x: x(value), y: HEIGHT - 6 }, text),
    ),
  ];
  return { x, y, drawing };
}

function path(points) {
  const steps = points.map(([x, y], index) => `${index ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`);
  return steps.join("") + (steps.length === 1 ? "m-5 0h11" : ""); // a lone point is seen, too
}
