/** The versions of the Hiro API, oldest first; an API serves the older ones beside its newest. */
export const API_VERSIONS = ['v1', 'v2', 'v3'];

export function isServed(version, newest) {
  return API_VERSIONS.indexOf(version) <= API_VERSIONS.indexOf(newest);
}
