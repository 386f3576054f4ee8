/** In the error of a task that stands still until a release that knows it takes it up. */
export const PARKED = '"parked":true';
/** For `LIKE`. */
export const PARKED_ERRORS = `%${PARKED}%`;
