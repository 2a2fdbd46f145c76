/** The page: requests the jobs, as rarely as possible, and passes them to its parts. */

import { RequestError, getJson } from "./api.js";
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
import * as theme from "./theme.js";
import * as timeZone from "./time_zone.js";

const SECOND = 1000;
const LOADING_SECONDS = 1;
const DEFAULT_REFRESH_SECONDS = 15;

const element = (id) => document.getElementById(id);

theme.follow();
timeZone.follow();

const state = frame.readState();
let chosen = state.job ? { id: state.job, conn_id: state.conn_id } : null;
let answer = null;
let jobs = [];
let error = null;
let isRequesting = false;
let isRefreshAsked = false;
let timer;
let requestsWhileLoading = 0;
let opener = null;

const open = (job) => {
  opener = document.activeElement;
  choose(job);
  detail.focus();
};
const close = () => {
  const job = chosenJob();
  choose(null);
  returnFocus(job);
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
const detail = new Detail(element("detail"), element("filters"), close);

/** Request the jobs, show them, and schedule the next request. */
async function refresh() {
  if (isRequesting) return;
  clearTimeout(timer);
  isRequesting = true;
  setAttribute(element("refresh"), "aria-busy", "true");
  await requestJobs();
  isRequesting = false;
  setAttribute(element("refresh"), "aria-busy", null);
  show();
  schedule();
}

/** Request the jobs; a request that the user asked for tries a refused login again, too. */
async function requestJobs() {
  const parameters = isRefreshAsked ? { refresh: true } : {};
  isRefreshAsked = false;
  try {
    const newest = mergeNewest(answer, await getJson("api/jobs", parameters));
    jobs = jobsOf(newest);
    answer = newest;
    clock.set(answer.now);
    error = null;
  } catch (caught) {
    error = caught instanceof RequestError ? caught : unreadable(caught);
  }
}

function unreadable(caught) {
  reportError(caught); // to the browser's console
  return new RequestError("The page cannot read Airflow's answer.", {
    hint: "Reload Airflow in the browser: this package may have been upgraded meanwhile.",
    details: String(caught),
  });
}

/** Schedule a request only if it may bring news to a viewer: it may wake a warehouse. */
function schedule() {
  const seconds = isRefreshAsked ? 0 : document.hidden ? null : secondsToNextRequest();
  if (seconds !== null) timer = setTimeout(refresh, seconds * SECOND);
}

function secondsToNextRequest() {
  const usual = usualSeconds();
  if (error) return error.isPermanent ? null : usual;
  requestsWhileLoading = isLoading() ? requestsWhileLoading + 1 : 0;
  if (requestsWhileLoading) {
    return Math.min(usual, LOADING_SECONDS * 2 ** (requestsWhileLoading - 1));
  }
  return isRunning() || isFailing() || !isComplete() ? usual : null;
}

const usualSeconds = () => answer?.refresh_seconds ?? DEFAULT_REFRESH_SECONDS;

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
  setText(element("freshness"), freshness());
  if (!answer) return filters.showCount("");
  showJobs();
  showDetail();
}

function freshness() {
  const answered = answer?.accounts.filter(isAnswered) ?? [];
  const moments = answered.map(({ as_of }) => as_of);
  const age = moments.length ? `as of ${format.time(Math.min(...moments))}` : null;
  return [age, nextRefresh()].filter(Boolean).join(" · ");
}

function nextRefresh() {
  if (error?.isPermanent) return "no automatic refresh after this error";
  if (error) return `tries again every ${usualSeconds()} s`;
  if (isLoading()) return "loading …";
  if (isRunning()) return `refreshes every ${usualSeconds()} s while a job is running`;
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

/** Return how many jobs there are, in words; unknown until each account has answered. */
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
  const empty = accounts.filter(isAnswered).map(({ conn_id }) => conn_id);
  if (!empty.length) return ""; // a message says why
  return (
    `Snowflake lists no fine-tuning jobs for ${empty.join(", ")}. There are none yet, or the` +
    ` connection's role may not see them. CortexFineTuneOperator starts a job.`
  );
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
  else detail.showMissing(chosen.id, isLoading() ? { text: "Loading …" } : whyMissing(chosen));
}

function whyMissing({ id, conn_id }) {
  const connection = conn_id ? ` (connection ${conn_id})` : "";
  const configured = answer.accounts.map((account) => account.conn_id).join(", ") || "none";
  return {
    text: `Job ${id}${connection} was not found.`,
    hint:
      `This page shows only the connections in [cortex] jobs_page_conn_ids: ${configured}.` +
      " Snowflake may also have removed the job.",
  };
}

/** Return the focus to what opened the panel, or else to the job's row. */
function returnFocus(job) {
  if (opener?.isConnected && opener !== document.body) opener.focus();
  else if (job) table.focus(job.key);
  if (document.activeElement === document.body) element("refresh").focus();
  opener = null;
}

function writeState() {
  const { id, conn_id } = chosen ?? {};
  frame.writeState({ ...filters.state, sort: sorting.state, job: id, conn_id });
}

setInterval(() => {
  table.tick();
  detail.tick();
}, SECOND);
element("refresh").addEventListener("click", () => {
  isRefreshAsked = true;
  refresh();
});
document.addEventListener("visibilitychange", () => {
  clearTimeout(timer);
  if (!document.hidden) refresh();
});
setText(element("freshness"), freshness());
showDetail();
writeState();
refresh();
