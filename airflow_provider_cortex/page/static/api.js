/** Requests to Airflow. */

const TIMEOUT = 30_000;

/** Why a request failed, as a message for the user. */
export class RequestError extends Error {
  /** @param {boolean} isPermanent whether a retry would fail, too */
  constructor(message, isPermanent) {
    super(message);
    this.isPermanent = isPermanent;
  }
}

/** Return the JSON that Airflow answers, or throw a RequestError. */
export async function getJson(path, parameters = {}) {
  const query = new URLSearchParams(parameters).toString();
  const response = await send(query ? `${path}?${query}` : path);
  if (response.status === 401) {
    throw new RequestError("Your Airflow session has ended. Log in again.", true);
  }
  const content = await response.json().catch(() => null);
  if (response.ok && content) return content;
  if (content?.detail && response.status < 500) {
    throw new RequestError(String(content.detail), true);
  }
  throw unreachable(`HTTP status ${response.status}`);
}

async function send(url) {
  const options = { credentials: "same-origin", signal: AbortSignal.timeout(TIMEOUT) };
  try {
    return await fetch(url, options);
  } catch {
    throw unreachable("no answer");
  }
}

const unreachable = (why) => new RequestError(`Airflow could not be reached (${why}).`, false);
