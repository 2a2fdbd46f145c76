/** The tasks that started a job or wait for it. */

import { h } from "./dom.js";
import { linkTo } from "./frame.js";

const NONE = "No task in the DAGs that you may read has started or awaited this job.";
// Airflow's terminal states of a task.
const TERMINAL_STATES = new Set(["success", "failed", "skipped", "upstream_failed", "removed"]);

/** Return the list, or a sentence that says why there is none. */
export function taskList({ tasks, tasks_hidden }) {
  const list = tasks?.length
    ? h("ul", {}, ...tasks.map((task) => h("li", {}, ...taskItem(task))))
    : h("p", { class: "quiet" }, tasks ? NONE : tasks_hidden);
  return [h("h3", {}, "Tasks"), list];
}

/** Whether a later request may return other tasks, or other states of them. */
export function mayChange({ tasks }) {
  return !tasks?.length || tasks.some((task) => !TERMINAL_STATES.has(task.state));
}

/** Return a link to a task instance. */
export function taskLink({ dag_id, run_id, task_id, map_index, path }) {
  const index = map_index >= 0 ? ` [${map_index}]` : "";
  return h("a", linkTo(path), `${dag_id} / ${run_id} / ${task_id}${index}`);
}

function taskItem(task) {
  const { operator, state } = task;
  return [
    taskLink(task),
    h("p", { class: "quiet" }, [operator, state ?? "no state"].filter(Boolean).join(" · ")),
  ];
}
