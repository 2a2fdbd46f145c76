/** The page: requests the jobs, as rarely as possible, and passes them to its parts. */

import { getJson } from "./api.js";
import { Chart } from "./chart.js";
import * as clock from "./clock.js";
import { Detail } from "./detail.js";
import { setAttribute, setText } from "./dom.js";
import { Filters } from "./filters.js";
import * as format from "./format.js";
import * as frame from "./frame.js";
import { jobsOf, mergeNewest } from "./job.js";
import { Messages } from "./messages.js";
import { Pages } from "./pages.js";
import { Sorting } from "./sorting.js";
import { Table } from "./table.js";

const SECOND = 1000;
const LOADING_SECONDS = 1;
const DEFAULT_REFRESH_SECONDS = 15;

const element = (id) => document.getElementById(id);

frame.followTheme();

const state = frame.readState();
let chosen = state.job ? { id: state.job, conn_id: state.conn_id } : null;
let answer = null;
let jobs = [];
let error = null;
let isRequesting = false;
let timer;
let requestsWhileLoading = 0;

const open = (job) => {
  choose(job);
  detail.focus();
};
const close = () => {
  const job = chosenJob();
  choose(null);
  if (job) table.focus(job.key);
};
const messages = new Messages(element("messages"));
const showOthers = () => {
  pages.reset();
  showJobs();
  writeState();
};
const filters = new Filters(element("filters"), state, showOthers);
const sorting = new Sorting(element("jobs").tHead, state.sort, showOthers);
const pages = new Pages(element("pages"), () => {
  showJobs();
  table.scrollToStart();
});
const chart = new Chart(element("chart"), open);
const table = new Table(element("jobs"), open);
const detail = new Detail(element("detail"), close);

/** Request the jobs, show them, and schedule the next request. */
async function refresh() {
  if (isRequesting) return;
  clearTimeout(timer);
  isRequesting = true;
  setAttribute(element("refresh"), "aria-busy", "true");
  try {
    answer = mergeNewest(answer, await getJson("api/jobs"));
    clock.set(answer.now);
    jobs = jobsOf(answer);
    error = null;
  } catch (caught) {
    error = caught;
  }
  isRequesting = false;
  setAttribute(element("refresh"), "aria-busy", null);
  show();
  schedule();
}

/** Schedule a request only if it may bring news to a viewer: it may wake a warehouse. */
function schedule() {
  const seconds = document.hidden ? null : secondsToNextRequest();
  if (seconds !== null) timer = setTimeout(refresh, seconds * SECOND);
}

function secondsToNextRequest() {
  const usual = answer?.refresh_seconds ?? DEFAULT_REFRESH_SECONDS;
  if (error) return error.isPermanent ? null : usual;
  requestsWhileLoading = isLoading() ? requestsWhileLoading + 1 : 0;
  if (requestsWhileLoading) {
    return Math.min(usual, LOADING_SECONDS * 2 ** (requestsWhileLoading - 1));
  }
  return isRunning() || isFailing() || !isComplete() ? usual : null;
}

const isLoading = () => answer === null || answer.accounts.some((account) => account.is_loading);

/** Whether all finished jobs have been described. */
const isComplete = () => answer.accounts.every(({ is_complete }) => is_complete);

/** Whether the server is going to retry an account. */
const isFailing = () => answer.accounts.some((account) => account.error);

const isRunning = () => jobs.some((job) => !job.is_finished);

/** Whether an account that has not answered yet is going to do so soon. */
const isAwaited = ({ error, is_missing }) => !error && !is_missing;

const isAnswered = (account) => account.as_of !== null && !account.error;

function show() {
  messages.show(answer, error);
  if (!answer) return filters.showCount("");
  setText(element("freshness"), freshness());
  showJobs();
  showDetail();
}

function freshness() {
  const moments = answer.accounts.filter(isAnswered).map(({ as_of }) => as_of);
  const age = moments.length ? `as of ${format.time(Math.min(...moments))}` : null;
  return [age, nextRefresh()].filter(Boolean).join(" · ");
}

function nextRefresh() {
  if (error?.isPermanent) return null;
  if (isLoading()) return "loading …";
  if (isRunning()) return `refreshes every ${answer.refresh_seconds} s while a job is running`;
  if (!isComplete()) return "older jobs are still loading";
  return jobs.length && !isFailing() ? "no automatic refresh, since no job is running" : null;
}

function showJobs() {
  if (!answer) return;
  const matching = filters.apply(jobs);
  filters.showCount(count(matching.length));
  // Before the table, since the chart's measuring would lay out all rows.
  chart.show(matching, { isFiltered: filters.isSet });
  table.show(pages.apply(sorting.apply(matching), chosenJob()?.key), {
    hasConnections: answer.accounts.length > 1,
  });
  setText(element("nothing"), matching.length ? "" : whyEmpty());
}

/** Return how many jobs there are, in words; nobody knows until each account has answered. */
function count(matching) {
  const all = format.count(jobs.length, "job");
  const some = `${format.whole(matching)} of ${all}${matching ? "" : " match the filters"}`;
  const text = filters.isSet ? some : all;
  const unanswered = answer.accounts.filter(({ as_of }) => as_of === null);
  if (unanswered.some(isAwaited)) return jobs.length ? `Loading … ${text} so far` : "Loading …";
  return unanswered.length && !jobs.length ? "" : text;
}

function whyEmpty() {
  if (jobs.length) return "No job matches the filters.";
  const { accounts } = answer;
  const isEmpty = accounts.length && accounts.every(isAnswered);
  return isEmpty ? "No fine-tuning jobs yet. CortexFineTuneOperator starts one." : "";
}

/** Open a job's panel, or close it. The job's row stays where it is on the screen. */
function choose(job) {
  const { key } = job ?? chosenJob() ?? {};
  table.keepInPlace(key, () => {
    chosen = job;
    showJobs();
    showDetail();
  });
  writeState();
}

/** Return the chosen job from the list: of the chosen connection, or else of any. */
function chosenJob() {
  const found = chosen ? jobs.filter((job) => job.id === chosen.id) : [];
  return found.find((job) => job.conn_id === chosen.conn_id) ?? found[0] ?? null;
}

function showDetail() {
  const job = chosenJob();
  table.select(job?.key);
  if (!chosen) detail.hide();
  else if (job) detail.show(job);
  else detail.showMissing(chosen.id, isLoading() ? "Loading …" : whyMissing(chosen));
}

function whyMissing({ id, conn_id }) {
  const connection = conn_id ? ` (connection ${conn_id})` : "";
  const configured = answer.accounts.map((account) => account.conn_id).join(", ") || "none";
  return (
    `Job ${id}${connection} was not found. This page shows only the connections in` +
    ` [cortex] jobs_page_conn_ids: ${configured}. Snowflake may also have removed the job.`
  );
}

function writeState() {
  const job = { job: chosen?.id, conn_id: chosen?.conn_id };
  frame.writeState({ ...filters.state, sort: sorting.state, ...job });
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
writeState();
refresh();
