/** Asking Airflow. */

const PATIENCE = 30_000;

/** Why there is no answer, in words for a person. */
export class Trouble extends Error {
  /** @param {boolean} isFinal whether asking again would not help */
  constructor(message, isFinal) {
    super(message);
    this.isFinal = isFinal;
  }
}

/** Return what Airflow answers, or throw a Trouble. */
export async function ask(path, parameters = {}) {
  const query = new URLSearchParams(parameters).toString();
  const response = await answered(query ? `${path}?${query}` : path);
  if (response.status === 401) {
    throw new Trouble("Your Airflow session has ended: log in again.", true);
  }
  const content = await response.json().catch(() => null);
  if (response.ok && content) return content;
  if (content?.detail && response.status < 500) throw new Trouble(String(content.detail), true);
  throw unreachable(`it answered ${response.status}`);
}

async function answered(url) {
  const options = { credentials: "same-origin", signal: AbortSignal.timeout(PATIENCE) };
  try {
    return await fetch(url, options);
  } catch {
    throw unreachable("there was no answer");
  }
}

const unreachable = (why) => new Trouble(`Airflow could not be reached: ${why}.`, false);
