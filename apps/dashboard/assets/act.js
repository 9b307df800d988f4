// What people do: requests to the API, the card of a call or an extension, the
// dial pad, and what is told of the outcome.
import { ctx, t, digits, latin, rows, listen, count, put, setState, may } from './live.js';

const $ = (id) => document.getElementById(id);

export const toast = (text, bad) => {
  const box = $('toasts');
  if (!box) return;
  const node = document.createElement('div');
  node.textContent = text;
  if (bad) node.dataset.s = 'bad';
  box.append(node);
  setTimeout(() => node.remove(), bad ? 9000 : 5000);
};

// ask sends a request. What comes of it, the rows tell; a refusal has words.
const asked = new Set();
export const ask = async (method, path, body, done) => {
  const id = crypto.randomUUID?.() ?? String(Math.random()).slice(2);
  try {
    const res = await fetch(path, { method, headers: { 'Content-Type': 'application/json', Accept: 'application/json', 'Idempotency-Key': id, 'Accept-Language': ctx.lang }, body: body === undefined ? undefined : JSON.stringify(body) });
    const answer = await res.json().catch(() => ({}));
    if (!res.ok) { toast(answer.detail || answer.title || t('web.act.failed'), true); return null; }
    if (answer.id) asked.add(answer.id);
    if (done) toast(done);
    return answer;
  } catch {
    toast(t('web.act.unreachable'), true);
    return null;
  }
};
listen((keys) => {
  for (const key of keys) {
    const n = key[0] === 'n' && rows.get(key);
    if (!n || n.told || Date.now() - n.at > 30000) continue;
    n.told = true;
    toast(t(n.reason), true);
  }
});

export const monitor = (r, mode, reason) => {
  const on = (r.monitors || []).find((m) => m.agent === ctx.user);
  if (on && on.mode === mode) return ask('POST', '/v1/monitors', { call: r.id, mode: 'end' }, t('web.act.ending'));
  return ask('POST', '/v1/monitors', { call: r.id, leg: r.leg, mode, ...(reason ? { reason } : {}) }, on ? t('web.act.changing') : t('web.act.rings', { ext: ctx.exts?.[0] || '–' }));
};
export const act = (id, action, more = {}) => ask('POST', `/v1/calls/${encodeURIComponent(id)}/actions`, { action, ...more }, t('web.act.sent'));
export const dial = (number) => {
  const to = latin(number).replace(/[\s()-]/g, '');
  if (!to) return null;
  return ask('POST', '/v1/dials', { to }, t('web.act.rings', { ext: ctx.exts?.[0] || '–' }));
};
const setAgent = (agent, state, reason) => ask('PUT', `/v1/agents/${encodeURIComponent(agent)}/state`, { state, ...(reason ? { reason } : {}) }, null);

// ---- the card
let help = {}, shown = '';
const card = $('card');
export const wire = (h) => { help = h; };
export const open = (key) => {
  if (!card || !rows.get(key)) return;
  shown = key;
  draw();
  card.showModal();
};
const draw = () => {
  const r = rows.get(shown);
  if (!r) { card.close(); return; }
  const isCall = r.k === 'c', f = {};
  for (const n of card.querySelectorAll('[data-c]')) f[n.dataset.c] = n;
  const call = isCall ? r : r.on?.length ? rows.get('c:' + r.on[0].call) : null;
  put(f.title, isCall ? r.name || digits(help.other(r) || t('web.hidden')) : [digits(r.ext), r.name].filter(Boolean).join(' · '));
  setState(f.state, isCall ? help.callState(r) : r.state, isCall ? help.callWord(r) : help.stateWord(r.state));
  count(f.time, r.since);
  const pairs = isCall
    ? [['from', digits(r.from)], ['to', digits(r.to)], ['with', digits(r.ext)], ['queue', r.queue], ['line', r.trunk], ['source', r.source]]
    : [['queues', (r.queues || []).join(', ')], ['teams', (r.teams || []).join(', ')], ['peer', call ? call.name || digits(help.other(call)) : ''], ['handled', digits(r.handled || 0)]];
  f.pairs.replaceChildren(...pairs.filter(([, v]) => v).flatMap(([k, v]) => {
    const dt = document.createElement('dt'), dd = document.createElement('dd'), b = document.createElement('bdi');
    dt.textContent = t('web.card.' + k);
    b.textContent = v;
    if (['from', 'to', 'with', 'line', 'source'].includes(k)) b.dir = 'ltr';
    dd.append(b);
    return [dt, dd];
  }));
  const on = call && (call.monitors || []).find((m) => m.agent === ctx.user);
  for (const b of card.querySelectorAll('[data-do]')) {
    const what = b.dataset.do, right = b.dataset.right || what;
    let can = !!call && may(right, call);
    if (['listen', 'whisper', 'barge', 'takeover'].includes(what)) { can = can && !!call.leg && (!call.caps || call.caps.includes('spy')); if (b.type === 'button') b.setAttribute('aria-pressed', !!on && on.mode === (what === 'listen' ? 'spy' : what)); }
    if (what === 'unhold' || what === 'hold') can = can && (what === 'hold') === (call.state === 'talking') && ['talking', 'held'].includes(call.state);
    if (what === 'record') can = can && !['recording', 'paused'].includes(call.rec);
    if (what === 'pause') can = can && call.rec === 'recording';
    if (what === 'resume') can = can && call.rec === 'paused';
    if (what === 'dial') can = !isCall && !!ctx.rights?.dial && !ctx.exts?.includes(r.ext) && !!ctx.exts?.length;
    if (what.startsWith('set-')) can = !isCall && !!r.agent && may('pause', r);
    if (what === 'open') { can = !!call; if (can) b.href = '/calls/' + encodeURIComponent(call.id); }
    b.hidden = !can;
  }
  for (const g of card.querySelectorAll('[data-group]')) g.hidden = ![...g.querySelectorAll('[data-do]')].some((b) => !b.hidden);
};
listen((keys) => { if (card?.open && shown && (keys.includes(shown) || keys.some((k) => k[0] === 'c'))) draw(); });
card?.addEventListener('click', (e) => {
  if (e.target === card) card.close(); // beside it
  const b = e.target.closest('[data-do]');
  const r = rows.get(shown);
  if (!b || !r) return;
  const call = r.k === 'c' ? r : rows.get('c:' + r.on?.[0]?.call), reason = $('card-reason')?.value.trim();
  const what = b.dataset.do;
  if (['listen', 'whisper', 'barge', 'takeover'].includes(what)) monitor(call, what === 'listen' ? 'spy' : what, reason);
  else if (what === 'transfer') { const to = latin($('card-to').value).trim(); if (to) act(call.id, 'transfer', { to }); else $('card-to').focus(); return; }
  else if (what === 'dial') dial(r.ext);
  else if (what.startsWith('set-')) setAgent(r.agent, what.slice(4), reason);
  else if (what !== 'open') act(call.id, what);
});

// ---- buttons in rows
document.addEventListener('click', (e) => {
  const b = e.target.closest('[data-monitor], [data-act]');
  const r = b && rows.get(b.closest('[data-key]')?.dataset.key);
  if (!r) return;
  if (b.dataset.monitor) monitor(r, b.dataset.monitor);
  else if (b.dataset.act === 'transfer') open('c:' + r.id);
  else act(r.id, b.dataset.act);
});

// ---- dial pad
const number = $('number');
if (number) {
  const go = () => { if (latin(number.value).trim()) dial(number.value); else number.focus(); };
  $('pad').addEventListener('click', (e) => {
    const key = e.target.closest('[data-key-of]')?.dataset.keyOf;
    if (key) { number.value += key; number.focus(); }
  });
  $('dial').addEventListener('click', go);
  number.addEventListener('keydown', (e) => { if (e.key === 'Enter') { e.preventDefault(); go(); } });
  const asked = new URLSearchParams(location.search).get('dial');
  if (asked) number.value = asked.replace(/^(tel|callto):/, '').slice(0, 40);
}
document.addEventListener('click', (e) => {
  const again = e.target.closest('[data-dial]');
  if (!again) return;
  if (number) { number.value = again.dataset.dial; number.focus(); } else dial(again.dataset.dial);
});

// ---- one's own state
$('me')?.addEventListener('click', (e) => {
  const b = e.target.closest('[data-want]');
  if (b && ctx.agent) setAgent(ctx.agent, b.dataset.want, b.dataset.want === 'paused' ? $('my-pause').value : '');
});
