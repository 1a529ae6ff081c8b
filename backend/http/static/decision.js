// Deciding by keyboard. The form works without this; here a missing reason is asked for before it is sent.

import { press } from './keys.js';

/** The actions for the keys; none where nothing can be decided. */
export function decision() {
  const undo = press('[data-key=u], [data-key-last=u]');
  const form = document.querySelector('#decide');
  if (!form) return { u: undo };
  const problem = form.querySelector('#why-problem');
  const reasons = [...form.querySelectorAll('[name=reason]')];
  let sent = false;

  form.addEventListener('submit', event => {
    const wanted = event.submitter?.value;
    if (wanted !== 'accepted' && !reasons.some(reason => reason.checked)) {
      event.preventDefault();
      problem.textContent = `To ${wanted === 'rejected' ? 'reject' : wanted === 'sent back' ? 'send back' : 'send to another'}, choose a reason, then press again.`;
      problem.hidden = false;
      form.querySelector('#why').scrollIntoView({ block: 'nearest' });
      reasons[0].focus({ preventScroll: true });
    } else if (sent) {
      event.preventDefault(); // a key held down must not decide about the next task as well
    } else {
      sent = true;
    }
  });
  form.addEventListener('change', () => { problem.hidden = true; });
  addEventListener('pageshow', () => { sent = false; });

  const actions = {
    u: undo,
    m: () => form.querySelector('#comment').focus(),
  };
  for (const button of form.querySelectorAll('[data-decision]')) {
    actions[button.dataset.decision] = event => {
      if (!event.repeat) button.click();
    };
  }
  for (const reason of reasons) actions[reason.dataset.number] = () => reason.click();
  return actions;
}
