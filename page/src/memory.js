/** What outlives a reload and not the tab: values by name, as JSON. */
const PREFIX = 'policy-registry.';

/** @returns null where nothing is kept */
export function recall(name) {
  try {
    return JSON.parse(sessionStorage.getItem(PREFIX + name));
  } catch {
    return null;
  }
}

export function keep(name, value) {
  sessionStorage.setItem(PREFIX + name, JSON.stringify(value));
}

export function forget(name) {
  sessionStorage.removeItem(PREFIX + name);
}
