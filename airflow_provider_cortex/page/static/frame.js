/** Where the page is shown: inside Airflow's interface, or alone. */

const NAMES = ["job", "conn_id", "status", "model", "since"];

const airflow = outer();
const windows = airflow ? [window, airflow] : [window];
const base = new URL("../", document.baseURI);

/** Airflow's window, or null: it may be of another origin, or there may be none. */
function outer() {
  try {
    return window.parent !== window && window.parent.location.href ? window.parent : null;
  } catch {
    return null;
  }
}

/**
 * Return the page's state that the address holds.
 *
 * A link inside Airflow has it in Airflow's address. From 3.3 on Airflow puts ours behind its own when we are
 * loaded, and loads ours from there: so both are to have it.
 */
export function state() {
  return windows.map(queryOf).find((state) => Object.values(state).some(Boolean)) ?? queryOf(window);
}

function queryOf({ location }) {
  const query = new URLSearchParams(location.search);
  return Object.fromEntries(NAMES.map((name) => [name, query.get(name) ?? ""]));
}

/** Have the address hold the page's state, so that it can be passed on. */
export function keep(state) {
  for (const { location, history } of windows) {
    const url = new URL(location.href);
    for (const name of NAMES) {
      if (state[name]) url.searchParams.set(name, state[name]);
      else url.searchParams.delete(name);
    }
    // The state of Airflow's history is React Router's.
    if (url.href !== location.href) history.replaceState(history.state, "", url);
  }
}

/** Return the attributes of a link to a page of Airflow. */
export function linkTo(path) {
  return { href: new URL(path, base).href, click: follow };
}

/** The frame may not navigate Airflow's window, but can have Airflow do so. */
function follow(event) {
  if (!airflow || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) {
    return;
  }
  event.preventDefault();
  airflow.history.pushState({}, "", event.currentTarget.href);
  airflow.dispatchEvent(new airflow.PopStateEvent("popstate", { state: {} }));
}

/** Be as dark or light as Airflow is, or as the system where Airflow does not tell. */
export function followTheme() {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const root = airflow?.document.documentElement;
  const apply = () => {
    const told = ["dark", "light"].find((theme) => root?.classList.contains(theme));
    document.documentElement.dataset.theme = told ?? (system.matches ? "dark" : "light");
  };
  apply();
  system.addEventListener("change", apply);
  if (root) new MutationObserver(apply).observe(root, { attributeFilter: ["class"] });
}
