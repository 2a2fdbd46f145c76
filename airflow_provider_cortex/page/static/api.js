/** Requests to Airflow. */

const TIMEOUT_SECONDS = 30;
const ASK = "Ask an administrator of Airflow for the permission, and press Refresh.";
const TRY_AGAIN = "Check that Airflow's API server runs, and press Refresh.";

/** Why a request failed, for the user. */
export class RequestError extends Error {
  /**
   * @param {string} message one sentence that says what happened
   * @param {string | null} about.hint what to do next
   * @param {string | null} about.details what else the answer says
   * @param {boolean} about.isPermanent whether the same request would fail again
   * @param {boolean} about.isSessionOver whether the user has to log in
   */
  constructor(message, about) {
    super(message);
    const { hint = null, details = null, isPermanent = true, isSessionOver = false } = about;
    Object.assign(this, { hint, details, isPermanent, isSessionOver });
  }
}

/** Return the JSON that Airflow answers, or throw a RequestError. */
export async function getJson(path, parameters = {}) {
  const query = new URLSearchParams(parameters).toString();
  const response = await send(query ? `${path}?${query}` : path);
  const content = await response.json().catch(() => null);
  if (response.ok && content) return content;
  const detail = typeof content?.detail === "string" ? content.detail : null;
  throw errorOf(response.status, detail);
}

async function send(url) {
  const signal = AbortSignal.timeout(TIMEOUT_SECONDS * 1000);
  try {
    return await fetch(url, { credentials: "same-origin", signal });
  } catch (error) {
    const message = signal.aborted
      ? `Airflow has not answered within ${TIMEOUT_SECONDS} s.`
      : "Airflow does not answer.";
    throw new RequestError(message, {
      hint: TRY_AGAIN,
      details: String(error),
      isPermanent: false,
    });
  }
}

function errorOf(status, detail) {
  // Airflow's own interface takes this 403 for a session that has ended, too.
  if (status === 401 || (status === 403 && detail === "Invalid JWT token")) {
    return new RequestError("Your Airflow session has ended.", { isSessionOver: true });
  }
  if (isSentence(detail)) {
    const [message, ...others] = detail.split(/(?<=\.) /);
    const advice = status === 403 ? [...others, ASK] : others;
    return new RequestError(message, { hint: advice.join(" "), isPermanent: status < 500 });
  }
  if (status === 403) {
    return new RequestError("You may not see this page's jobs.", { hint: ASK, details: detail });
  }
  if (status >= 500) {
    return new RequestError(`Airflow's API server failed (HTTP status ${status}).`, {
      hint: "Its log says why. Press Refresh to try again.",
      details: detail,
      isPermanent: false,
    });
  }
  return new RequestError(`Airflow's answer is not one for this page (HTTP status ${status}).`, {
    hint:
      "Reload Airflow in the browser. If that does not help, check that each API server has" +
      " this package and was restarted since, and that no proxy answers in Airflow's place.",
    details: detail,
  });
}

/** Whether the page's own application wrote the detail: Airflow's are words, such as "Forbidden". */
const isSentence = (detail) => detail?.endsWith(".") ?? false;
