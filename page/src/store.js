/** What the page knows, in one place; whoever shows it is told once after each change. */

/** @template S @param {S} initial */
export function createStore(initial) {
  let state = initial;
  let isTold = true;
  const watchers = new Set();

  function tell() {
    isTold = true;
    for (const watcher of watchers) watcher(state);
  }

  return {
    get: () => state,
    /** @param {Partial<S> | ((state: S) => Partial<S>)} changes */
    set(changes) {
      state = { ...state, ...(typeof changes === 'function' ? changes(state) : changes) };
      if (isTold) queueMicrotask(tell);
      isTold = false;
    },
    watch: (watcher) => watchers.add(watcher),
  };
}
