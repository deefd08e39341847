// The sandbox: the request in the editor is the one state; everything else is drawn from it by the service.

import { ask, call, curl, parsed, refusal, service, uuid } from './calls.js';
import { pack, unpack } from './state.js';

const part = (id) => document.getElementById(id);
const editor = part('request');
const dialog = part('interrupt');
const original = editor.value;
let hook = document.querySelector('.hookbar').dataset.hook;
let cards = []; // of the last answer, as JSON
let sent = null; // the last call: path and text
let turn = 0; // a newer call makes older answers worthless

// --- the request ---------------------------------------------------------------------------------------------------

const request = () => {
  const json = parsed(editor.value);
  return json !== null && typeof json === 'object' && !Array.isArray(json) ? json : undefined;
};

async function remember() {
  const fragment = editor.value === original ? '' : await pack(editor.value);
  history.replaceState(null, '', location.pathname + location.search + fragment);
}

// A call of `hook` with what stands in the editor; text that is no JSON goes out as it is.
function forHook(wanted) {
  const json = request();
  if (json === undefined) return editor.value;
  const context = json.context !== null && typeof json.context === 'object' ? { ...json.context } : json.context;
  if (context && wanted === 'patient-view') {
    delete context.draftOrders;
    delete context.selections;
  } else if (context && wanted === 'order-select' && !context.selections) {
    const drafts = context.draftOrders?.entry ?? [];
    context.selections = drafts.map((entry) => `${entry.resource?.resourceType}/${entry.resource?.id}`);
  } else if (context && wanted === 'order-sign') {
    delete context.selections;
  }
  return JSON.stringify({ ...json, hook: wanted, hookInstance: uuid(), ...(context ? { context } : {}) }, null, 2);
}

// --- calling the service -------------------------------------------------------------------------------------------

async function fire(wanted, text = forHook(wanted)) {
  hook = wanted;
  const mine = ++turn;
  for (const button of document.querySelectorAll('[data-fire]')) {
    button.classList.toggle('primary', button.dataset.fire === wanted);
  }
  part('status').textContent = 'Asking …';
  const path = service(wanted);
  sent = { path, text };
  let answer;
  try {
    answer = await call(path, text);
  } catch {
    show(undefined, 'The service cannot be reached.');
    return;
  }
  if (mine !== turn) return;
  part('timing').textContent =
    `POST ${path}: ${answer.status} in ${answer.ms.toFixed(0)} ms, ${(answer.text.length / 1000).toFixed(1)} kB`;
  part('response').textContent = answer.json === undefined ? answer.text : JSON.stringify(answer.json, null, 2);
  const asked = parsed(text);
  const isObject = asked !== null && typeof asked === 'object' && !Array.isArray(asked);
  const drawn = isObject ? await ask('answer', { request: asked, response: answer.json ?? null }).catch(() => null) : null;
  if (mine !== turn) return;
  if (drawn) part('rules').innerHTML = drawn.rules;
  if (answer.status === 200 && drawn) show(drawn, '', answer.json);
  else show(undefined, refusal(answer.json) ?? `The service answered with status ${answer.status}.`);
}

// The cards of an answer, or why there are none.
function show(drawn, refused, json) {
  cards = json?.cards ?? [];
  part('refusal').textContent = refused;
  if (refused) {
    part('cards').replaceChildren(note(`Not checked. ${refused}`, 'refused'));
    part('status').textContent = 'The request was refused.';
    if (!request()) part('request-part').open = true;
    return;
  }
  part('status').textContent = drawn.announcement;
  if (cards.length) part('cards').innerHTML = drawn.cards;
  else part('cards').replaceChildren(note('No card: checked, nothing to say.', 'said-nothing'));
  if (drawn.critical) interrupt();
}

function note(text, kind) {
  const paragraph = document.createElement('p');
  paragraph.className = `empty ${kind}`;
  paragraph.textContent = text;
  return paragraph;
}

// A critical card stands in the way: it moves into the dialog, and back among the others when that closes.
function interrupt() {
  part('interrupt-cards').replaceChildren(...part('cards').querySelectorAll('.card.critical'));
  if (!dialog.open) dialog.showModal();
}

dialog.addEventListener('close', () => {
  const waiting = part('interrupt-cards').querySelectorAll('.card');
  if (waiting.length) part('answers-title').scrollIntoView({ block: 'nearest' });
  part('cards').prepend(...waiting);
});

function closeDialog() {
  part('interrupt-cards').replaceChildren();
  if (dialog.open) dialog.close();
}

// --- what the clinician does with a card ---------------------------------------------------------------------------

async function feedback(card, outcome) {
  const entry = { card: card.uuid, ...outcome, outcomeTimestamp: new Date().toISOString() };
  const path = `${sent.path}/feedback`;
  let word;
  try {
    const answer = await call(path, JSON.stringify({ feedback: [entry] }));
    word = [answer.status, answer.status === 200 ? '' : refusal(answer.json)].filter(Boolean).join(', ');
  } catch {
    word = 'the service cannot be reached';
  }
  const line = document.createElement('li');
  line.textContent = `${entry.outcome}: ${word}. `;
  const body = document.createElement('code');
  body.textContent = JSON.stringify(entry);
  line.append(body);
  const list = part('feedback');
  list.querySelector('.soft')?.remove();
  list.prepend(line);
}

function tell(title, lines, kind = '') {
  const item = document.createElement('li');
  if (kind) item.className = kind;
  const strong = document.createElement('strong');
  strong.textContent = title;
  item.append(strong, ...lines.flatMap((line) => [line, document.createElement('br')]).slice(0, -1));
  part('changes').replaceChildren(item);
}

async function accept(card, suggestion) {
  const json = request();
  if (!json) return;
  const after = await ask('accept', { request: json, suggestion, hook });
  closeDialog();
  editor.value = after.text;
  part('screen').innerHTML = after.screen;
  tell(`Accepted: ${suggestion.label}`, after.changes);
  part('answers-title').focus({ preventScroll: false });
  await Promise.all([feedback(card, { outcome: 'accepted', acceptedSuggestions: [{ id: suggestion.uuid }] }), remember()]);
  await fire(hook);
}

async function override(card, element, choice) {
  const reason = choice === '' ? undefined : card.overrideReasons?.[Number(choice)];
  const coding = reason && { code: reason.code, system: reason.system, display: reason.display };
  element.classList.add('answered');
  tell(`Overridden: ${card.summary}`, [reason ? `Because: ${reason.display}` : 'No reason given.'], 'overridden');
  if (dialog.contains(element)) {
    part('cards').prepend(element);
    if (!part('interrupt-cards').querySelector('.card')) dialog.close();
  }
  part('answers-title').focus();
  await feedback(card, { outcome: 'overridden', ...(coding ? { overrideReason: { reason: coding } } : {}) });
}

const cardOf = (element) => {
  const place = element.closest('[data-card]');
  return { element: place, card: cards.find((each) => each.uuid === place?.dataset.card) };
};

document.addEventListener('click', (event) => {
  const button = event.target.closest('[data-accept]');
  if (!button) return;
  const { card } = cardOf(button);
  const suggestion = card?.suggestions?.find((each) => each.uuid === button.dataset.accept);
  if (suggestion) guarded(accept(card, suggestion));
});

document.addEventListener('submit', (event) => {
  const form = event.target.closest('.card-override');
  if (!form) return;
  event.preventDefault();
  const { card, element } = cardOf(form);
  if (card) guarded(override(card, element, new FormData(form).get('reason')));
});

// --- the form, the editor, the buttons -----------------------------------------------------------------------------

async function redraw() {
  const json = request();
  if (!json) return;
  const drawn = await ask('screen', { request: json });
  part('screen').innerHTML = drawn.screen;
}

part('screen').addEventListener('change', (event) => {
  const draft = event.target.closest('[data-draft]');
  const json = request();
  if (!draft || !json) return;
  const { id, name, value } = event.target;
  guarded(
    ask('field', { request: json, draft: Number(draft.dataset.draft), field: name, value }).then(async (after) => {
      editor.value = after.text;
      // The screen is drawn anew: whoever went on to the next field keeps their place.
      const focused = document.activeElement?.id || id;
      part('screen').innerHTML = after.screen;
      part(focused)?.focus();
      await remember();
    }),
  );
});

let pause;
editor.addEventListener('input', () => {
  clearTimeout(pause);
  pause = setTimeout(() => guarded(Promise.all([redraw(), remember()])), 250);
});

document.querySelector('.hookbar').addEventListener('click', (event) => {
  const button = event.target.closest('[data-fire]');
  if (!button) return;
  part('changes').replaceChildren();
  guarded(fire(button.dataset.fire));
});

part('send').addEventListener('click', () => {
  const named = request()?.hook;
  const known = [...document.querySelectorAll('[data-fire]')].some((each) => each.dataset.fire === named);
  guarded(fire(known ? named : hook, editor.value));
});

async function copy(text, button) {
  const name = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = 'Copied';
  } catch {
    button.textContent = 'Copying is not allowed here';
  }
  setTimeout(() => { button.textContent = name; }, 1500);
}

part('copy-curl').addEventListener('click', (event) => {
  const text = sent ? sent.text : editor.value;
  guarded(copy(curl(sent ? sent.path : service(hook), text), event.currentTarget));
});

part('copy-link').addEventListener('click', (event) => {
  const button = event.currentTarget;
  guarded(remember().then(() => copy(location.href, button)));
});

// A fault of the page is said, not swallowed.
function guarded(promise) {
  part('note').textContent = '';
  promise.catch((fault) => { part('note').textContent = fault.message; });
}

// --- the chosen patient, in a list that may be long; the page itself stays where it is -----------------------------

const list = document.querySelector('.choices');
const chosen = list?.querySelector('[aria-current]');
if (chosen && chosen.offsetTop > list.clientHeight) list.scrollTop = chosen.offsetTop - list.clientHeight / 2;

// --- a shared link -------------------------------------------------------------------------------------------------

guarded(
  unpack(location.hash).then(async (text) => {
    if (text === null || text === editor.value) return;
    editor.value = text;
    await redraw();
  }),
);
