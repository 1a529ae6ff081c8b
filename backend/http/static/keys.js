// Which key does what? One listener per page; keys typed into a field belong to the field.

const FIELDS = 'input:not([type="radio"], [type="checkbox"], [type="range"]), textarea, select, [contenteditable]';

/** Call `actions[key](event)` for a plain key press; `Escape` leaves a field. An action that returns false lets the key pass. */
export function bind(actions) {
  document.addEventListener('keydown', event => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector('dialog[open]')) return;
    if (event.target.matches?.(FIELDS)) {
      if (event.key === 'Escape') event.target.blur();
      return;
    }
    const action = actions[event.key];
    if (action && action(event) !== false) event.preventDefault();
  });
}

/** The list of keys behind `?` and behind its button; returns the action for `?`. */
export function help() {
  const dialog = document.querySelector('#keys');
  const open = () => dialog.showModal();
  for (const button of document.querySelectorAll('[data-keys]')) {
    button.hidden = false;
    button.addEventListener('click', open);
  }
  return open;
}

/** Follow a link or press a button if it is there. */
export function press(selector) {
  return () => document.querySelector(selector)?.click();
}
