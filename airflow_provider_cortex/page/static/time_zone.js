/** The time zone that is chosen in Airflow, or else the browser's. */

const KEY = "timezone"; // where Airflow's interface stores the choice, as JSON
const DAY = 24 * 3600 * 1000;

const name = chosen();

function chosen() {
  try {
    const zone = JSON.parse(localStorage.getItem(KEY)) ?? undefined;
    return new Intl.DateTimeFormat("en-GB", { timeZone: zone }).resolvedOptions().timeZone;
  } catch {
    return undefined; // the storage is closed to the page, or the browser lacks the zone
  }
}

/** Reload the page when the user chooses another time zone in Airflow: all times change. */
export function follow() {
  addEventListener("storage", () => chosen() !== name && location.reload());
}

/** Return the function that writes moments, epoch milliseconds, in the time zone. */
export const writer = (options) => formatter(options).format;

const formatter = (options) => new Intl.DateTimeFormat("en-GB", { timeZone: name, ...options });

const clock = formatter({
  year: "numeric",
  month: "2-digit",
  day: "2-digit",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});

/** Return what calendar and clock show: year, month, day, hour, minute and second, as text. */
export function parts(moment) {
  return Object.fromEntries(clock.formatToParts(moment).map(({ type, value }) => [type, value]));
}

/**
 * Return the moment at which the clocks show a time; its parts may overflow.
 *
 * A time that the clocks skip in spring becomes the hour after it.
 */
export function momentOf(year, month, day = 1, hour = 0) {
  const wall = Date.UTC(year, month - 1, day, hour);
  const [before, after] = [wall - DAY, wall + DAY].map(offset);
  return wall - (offset(wall - after) === after ? after : before);
}

/** Return by how many milliseconds the clocks are ahead of UTC. */
function offset(moment) {
  const { year, month, day, hour, minute, second } = parts(moment);
  const shown = Date.UTC(year, month - 1, day, hour, minute, second);
  return shown - Math.floor(moment / 1000) * 1000;
}
