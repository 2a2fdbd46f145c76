/** The page's surroundings: Airflow's window, if the page is shown inside it. */

const NAMES = ["job", "conn_id", "status", "model", "since", "sort"];

/** Airflow's window, or null if there is none or it has another origin. */
export const airflow = findAirflow();
const windows = airflow ? [window, airflow] : [window];
const base = new URL("../", document.baseURI);

function findAirflow() {
  try {
    return window.parent !== window && window.parent.location.href ? window.parent : null;
  } catch {
    return null;
  }
}

/**
 * Return the page's state from the URL.
 *
 * A link inside Airflow has the state in Airflow's URL. Airflow 3.3 and later copy the frame's
 * query to Airflow's URL, and reload the frame from there: so both URLs must have the state.
 */
export function readState() {
  const states = windows.map(stateOf);
  return states.find((state) => Object.values(state).some(Boolean)) ?? states[0];
}

function stateOf({ location }) {
  const query = new URLSearchParams(location.search);
  return Object.fromEntries(NAMES.map((name) => [name, query.get(name) ?? ""]));
}

/** Write the page's state to the URLs, so that users can share them. */
export function writeState(state) {
  for (const { location, history } of windows) {
    const url = new URL(location.href);
    for (const name of NAMES) {
      if (state[name]) url.searchParams.set(name, state[name]);
      else url.searchParams.delete(name);
    }
    // Keep history.state: React Router uses it in Airflow's window.
    if (url.href !== location.href) history.replaceState(history.state, "", url);
  }
}

/** Return the attributes of a link to a page of Airflow. */
export function linkTo(path) {
  return { href: new URL(path, base).href, click: follow };
}

/** Have Airflow's router open the link: the frame may not navigate Airflow's window itself. */
function follow(event) {
  const hasModifier = event.metaKey || event.ctrlKey || event.shiftKey || event.altKey;
  if (!airflow || event.button || hasModifier) return;
  event.preventDefault();
  airflow.history.pushState({}, "", event.currentTarget.href);
  airflow.dispatchEvent(new airflow.PopStateEvent("popstate", { state: {} }));
}

/** Return the attributes of a link to Airflow's login, which leads back to this page. */
export function linkToLogin() {
  return { href: loginUrl(), click: leave };
}

function loginUrl() {
  const { pathname, search } = (airflow ?? window).location;
  const url = new URL("api/v2/auth/login", base);
  url.searchParams.set("next", pathname + search);
  return url.href;
}

/** Leave Airflow's window for the login: a link of Airflow's own document may, the frame may not. */
function leave(event) {
  event.currentTarget.href = loginUrl(); // the page's state may have changed since
  if (!airflow) return;
  event.preventDefault();
  const link = airflow.document.createElement("a");
  link.href = event.currentTarget.href;
  link.click();
}
