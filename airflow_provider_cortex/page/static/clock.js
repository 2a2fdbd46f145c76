/** The server's clock: the browser's may be wrong. */

let offset = Date.now() - performance.now();

/** Set the clock to the server's time, epoch milliseconds. */
export function set(now) {
  offset = now - performance.now();
}

/** Return the server's time, epoch milliseconds. */
export const now = () => offset + performance.now();
