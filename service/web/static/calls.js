// The HTTP calls: those of an EHR, and those that only this page makes.

const JSON_TYPE = { 'content-type': 'application/json' };

export function service(hook) {
  return `/cds-services/b12-${hook}`;
}

// One call as an EHR makes it: status, text, JSON if it is JSON, and how long it took in milliseconds.
export async function call(path, text) {
  const begun = performance.now();
  const answer = await fetch(path, { method: 'POST', headers: JSON_TYPE, body: text });
  const received = await answer.text();
  return { status: answer.status, text: received, json: parsed(received), ms: performance.now() - begun };
}

// What only the page asks for; throws the words of a refusal.
export async function ask(name, body) {
  const answer = await fetch(`/sandbox/${name}`, { method: 'POST', headers: JSON_TYPE, body: JSON.stringify(body) });
  const json = parsed(await answer.text());
  if (!answer.ok) throw new Error(refusal(json) ?? `status ${answer.status}`);
  return json;
}

export function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// The words of an OperationOutcome.
export function refusal(json) {
  const issues = json?.resourceType === 'OperationOutcome' && Array.isArray(json.issue) ? json.issue : [];
  return issues.map((issue) => issue.details?.text).filter(Boolean).join(' ') || undefined;
}

// randomUUID exists on https and loopback only.
export function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const hex = [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, '0')).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
}

export function curl(path, text) {
  const quoted = text.replaceAll("'", `'\\''`);
  return `curl -s ${location.origin}${path} -H 'content-type: application/json' -d '${quoted}'`;
}
