/** What evaluations found about a job's model. */

import { h } from "./dom.js";
import * as format from "./format.js";
import { taskLink } from "./task_list.js";

/** Return the list, newest first. */
export function evaluationList(evaluations) {
  const items = evaluations.map((evaluation) => h("li", {}, ...item(evaluation)));
  return [h("h3", {}, "Evaluation"), h("ul", {}, ...items)];
}

function item(evaluation) {
  const { comparisons, evaluated_on, state } = evaluation;
  return [
    h("p", {}, result(evaluation)),
    ...comparisons.map((one) => h("p", {}, comparison(one))),
    taskLink(evaluation),
    h("p", { class: "quiet" }, `${format.moment(evaluated_on)} · ${state ?? "no state"}`),
  ];
}

/** Return "0.930 over 198 of 200 rows, the best of 2 models, errors 0.5 %". */
function result({ score, rows, scored, error_rate, models, is_best }) {
  const figure = score == null ? "no score" : format.score(score);
  const counted = scored === rows ? "" : `${format.whole(scored)} of `;
  const parts = [
    `${figure} over ${counted}${format.count(rows, "row")}`,
    is_best && models > 1 && `the best of ${models} models`,
    `errors ${format.share(error_rate)}`,
  ];
  return parts.filter(Boolean).join(", ");
}

function comparison({ other, gain, could_be_chance }) {
  const chance = could_be_chance ? " (could be chance)" : "";
  return `${format.gain(gain)} compared with ${other}${chance}`;
}
