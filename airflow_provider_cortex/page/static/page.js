/** The page: asks for the jobs, as seldom as it may, and has its parts show them. */

import { ask } from "./api.js";
import { Chart } from "./chart.js";
import * as clock from "./clock.js";
import { Detail } from "./detail.js";
import { mark, say } from "./dom.js";
import { Filters } from "./filters.js";
import * as frame from "./frame.js";
import { jobsOf, newest } from "./job.js";
import { Messages } from "./messages.js";
import { Table } from "./table.js";
import * as words from "./words.js";

const SECOND = 1000;
const LOADING_SECONDS = 1;
const USUAL_SECONDS = 15;

const element = (id) => document.getElementById(id);

frame.followTheme();

const state = frame.state();
let chosen = state.job ? { id: state.job, conn_id: state.conn_id } : null;
let answer = null;
let jobs = [];
let trouble = null;
let isAsking = false;
let timer;
let looks = 0; // at answers that are still to come

const open = (job) => {
  choose(job);
  detail.focus();
};
const close = () => {
  const job = entry();
  choose(null);
  if (job) table.focus(job.key);
};
const messages = new Messages(element("messages"));
const filters = new Filters(element("filters"), state, () => {
  showJobs();
  keep();
});
const chart = new Chart(element("chart"), open);
const table = new Table(element("jobs"), open);
const detail = new Detail(element("detail"), close);

/** Ask what there is, show it, and ask again when that is due. */
async function refresh() {
  if (isAsking) return;
  clearTimeout(timer);
  isAsking = true;
  mark(element("refresh"), "aria-busy", "true");
  try {
    answer = newest(answer, await ask("api/jobs"));
    clock.set(answer.now);
    jobs = jobsOf(answer);
    trouble = null;
  } catch (problem) {
    trouble = problem;
  }
  isAsking = false;
  mark(element("refresh"), "aria-busy", null);
  show();
  schedule();
}

/** A look may wake a warehouse: so there is none unless it may tell something new to somebody. */
function schedule() {
  const seconds = document.hidden ? null : pause();
  if (seconds !== null) timer = setTimeout(refresh, seconds * SECOND);
}

function pause() {
  const usual = answer?.refresh_seconds ?? USUAL_SECONDS;
  if (trouble) return trouble.isFinal ? null : usual;
  looks = isLoading() ? looks + 1 : 0;
  if (looks) return Math.min(usual, LOADING_SECONDS * 2 ** (looks - 1));
  return isRunning() || isFailing() || !isComplete() ? usual : null;
}

const isLoading = () => answer === null || answer.accounts.some((account) => account.is_loading);

/** Whether the next look would tell no more of the jobs that are over. */
const isComplete = () => answer.accounts.every(({ is_complete }) => is_complete);

/** Whether there is an account that the server is going to try again. */
const isFailing = () => answer.accounts.some(({ error }) => error);

const isRunning = () => jobs.some((job) => !job.is_finished);

function show() {
  messages.show(answer, trouble);
  if (!answer) return;
  say(element("freshness"), freshness());
  showJobs();
  showDetail();
}

function freshness() {
  const answered = answer.accounts.filter(({ as_of, error }) => as_of !== null && !error);
  const moments = answered.map(({ as_of }) => as_of);
  const told = moments.length ? `as of ${words.time(Math.min(...moments))}` : null;
  return [told, ahead()].filter(Boolean).join(" · ");
}

/** Tell what the page is going to do. */
function ahead() {
  if (trouble?.isFinal) return null;
  if (isLoading()) return "asking Snowflake …";
  if (isRunning()) return `refreshes every ${answer.refresh_seconds} s while a job runs`;
  if (!isComplete()) return "older jobs are still to come";
  return jobs.length && !isFailing() ? "no job runs, so it does not refresh itself" : null;
}

function showJobs() {
  if (!answer) return;
  const matching = filters.choose(jobs);
  chart.show(matching); // first, since it measures: the rows are laid out only once
  table.show(jobs, new Set(matching), { hasConnections: answer.accounts.length > 1 });
  say(element("nothing"), matching.length ? "" : nothing());
}

function nothing() {
  if (jobs.length) return "No job matches the filters.";
  const { accounts } = answer;
  const areKnown = accounts.length && accounts.every(({ as_of, error }) => as_of !== null && !error);
  return areKnown ? "No fine-tuning jobs yet. CortexFineTuneOperator starts one." : "";
}

/** Open a job, or none. */
function choose(job) {
  chosen = job;
  showDetail();
  keep();
}

/** Return the chosen job in the list: whichever connection it is found through. */
function entry() {
  const found = chosen ? jobs.filter((job) => job.id === chosen.id) : [];
  return found.find((job) => job.conn_id === chosen.conn_id) ?? found[0] ?? null;
}

function showDetail() {
  const job = entry();
  table.select(job?.key);
  if (!chosen) detail.hide();
  else if (job) detail.show(job);
  else detail.miss(chosen.id, isLoading() ? "Loading …" : missing(chosen));
}

function missing({ id, conn_id }) {
  const through = conn_id ? ` (connection ${conn_id})` : "";
  const looked = answer.accounts.map((account) => account.conn_id).join(", ") || "none";
  return (
    `No account that is looked at has job ${id}${through}. Only the connections in` +
    ` [cortex] jobs_page_conn_ids are looked at: ${looked}. Snowflake may also have removed the job.`
  );
}

function keep() {
  frame.keep({ ...filters.state, job: chosen?.id, conn_id: chosen?.conn_id });
}

setInterval(() => {
  table.tick();
  detail.tick();
}, SECOND);
element("refresh").addEventListener("click", refresh);
document.addEventListener("visibilitychange", () => {
  clearTimeout(timer);
  if (!document.hidden) refresh();
});
showDetail();
keep();
refresh();
