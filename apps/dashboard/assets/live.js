// The live part of all pages: the connection, the rows that it brings, and how
// times and numbers are written. Texts of people are set as text, never as HTML.
const page = document.documentElement;
const ctxNode = document.getElementById('ctx');
export const ctx = ctxNode ? JSON.parse(ctxNode.textContent) : { words: {} };
const persian = page.dataset.digits === 'fa';

export const t = (key, values = {}) => {
  const text = ctx.words[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (all, name) => (name in values ? digits(values[name]) : all));
};
export const digits = (v) => {
  const s = String(v ?? '');
  return persian ? s.replace(/[0-9]/g, (d) => String.fromCharCode(0x6f0 + +d)) : s;
};
// share writes a percentage. The Persian sign stands left of its digits: a mark
// keeps it from being taken for a part of the number.
export const share = (n) => digits(n) + (persian && page.dir === 'rtl' ? '\u200f٪' : '%');
// latin turns what people type into what exchanges dial.
export const latin = (s) => s.replace(/[۰-۹]/g, (d) => d.charCodeAt(0) - 0x6f0).replace(/[٠-٩]/g, (d) => d.charCodeAt(0) - 0x660);
const two = (n) => String(n).padStart(2, '0');
export const length = (ms) => {
  const s = Math.max(0, Math.floor(ms / 1000));
  const [h, m] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
  return digits(h ? `${h}:${two(m)}:${two(s % 60)}` : `${m}:${two(s % 60)}`);
};
const clockFormat = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', timeZone: ctx.zone || undefined });
export const clock = (ms) => digits(clockFormat.format(ms));

// Rows by key, and who wants to know of changes.
export const rows = new Map();
const listeners = [];
export const listen = (fn) => { listeners.push(fn); if (rows.size) fn([...rows.keys()], true); };
export const ofKind = (k) => [...rows.values()].filter((r) => r.k === k);

let offset = 0; // of the server's clock
export const now = () => Date.now() + offset;

// Counters run here, from the time when something began.
const running = new Set();
export const count = (node, since) => {
  if (!since) { node.textContent = ''; node.since = 0; running.delete(node); return; }
  if (node.since === since) return;
  node.since = since;
  node.textContent = length(now() - since);
  running.add(node);
};
const tick = () => {
  for (const node of running) {
    if (!node.isConnected) running.delete(node);
    else if (node.since) { const text = length(now() - node.since); if (node.textContent !== text) node.textContent = text; }
  }
  setTimeout(tick, 1000 - (now() % 1000));
};
tick();

export const connection = { source: null, heard: 0, id: '', state: 'wait' };
const link = document.querySelector('.link'), stale = document.getElementById('stale');
const beat = 3000; // the server is heard at least this often
const show = () => {
  const old = connection.heard ? Date.now() - connection.heard : 0;
  const away = connection.state !== 'live' || old > 2 * beat;
  if (link) {
    const state = connection.heard && !away ? 'live' : connection.heard ? 'away' : 'wait';
    if (link.dataset.s !== state) { link.dataset.s = state; link.textContent = t('web.link.' + state); }
  }
  if (!stale) return;
  const hide = !connection.heard || !away || old < 1500;
  if (stale.hidden !== hide) stale.hidden = hide;
  if (!hide) {
    const text = t('web.stale', { n: Math.round(old / 1000) });
    if (stale.lastElementChild.textContent !== text) stale.lastElementChild.textContent = text;
    // Said once, not every second.
    const say = document.getElementById('alert');
    if (say && !say.textContent) say.textContent = text;
  } else {
    const say = document.getElementById('alert');
    if (say && say.textContent && connection.state === 'live') say.textContent = '';
  }
};

const take = (event) => {
  const message = JSON.parse(event.data), keys = [];
  heard(message.now);
  if (event.lastEventId) connection.id = event.lastEventId;
  const whole = message.t !== 'change';
  if (whole) {
    const there = new Set(message.rows.map((r) => r.key));
    for (const key of [...rows.keys()]) if (!there.has(key)) { rows.delete(key); keys.push(key); }
  }
  for (const { key, row } of message.rows) {
    if (row) rows.set(key, row); else rows.delete(key);
    keys.push(key);
  }
  page.dataset.loading = message.t === 'loading';
  for (const fn of listeners) fn(keys, whole);
  page.dataset.rev = connection.id;
};
const heard = (at) => {
  connection.heard = Date.now();
  connection.state = 'live';
  if (at && Math.abs(at - now()) > 400) offset = at - Date.now();
  show();
};

let again = 0;
export const connect = () => {
  clearTimeout(again);
  connection.source?.close();
  const source = new EventSource(ctx.stream + (connection.id ? '?after=' + encodeURIComponent(connection.id) : ''));
  connection.source = source;
  connection.opened = Date.now();
  source.onmessage = take;
  source.addEventListener('beat', (e) => heard(+e.data));
  source.addEventListener('bye', () => location.reload());
  source.onopen = () => { connection.state = 'live'; show(); };
  source.onerror = () => {
    if (source !== connection.source) return;
    connection.state = 'away';
    show();
    source.close();
    again = setTimeout(retry, 300 + Math.random() * 400);
  };
};
let refused = 0;
const retry = async () => {
  connect();
  // A session that has ended is answered by the log-in page.
  if (++refused % 5 === 0) {
    const res = await fetch(location.href, { method: 'HEAD', redirect: 'manual', cache: 'no-store' }).catch(() => null);
    if (res && (res.type === 'opaqueredirect' || res.status === 401)) location.reload();
  }
};
const wake = () => {
  if (connection.source && (connection.state !== 'live' || Date.now() - connection.heard > 1.5 * beat)) connect();
};
if (ctx.stream) {
  connect();
  setInterval(() => {
    show();
    const quiet = Date.now() - Math.max(connection.heard, connection.opened);
    if (quiet > 2.5 * beat) connect(); // cut without a word
  }, 1000);
  addEventListener('online', wake);
  addEventListener('pageshow', wake);
  document.addEventListener('visibilitychange', () => { if (!document.hidden) wake(); });
}

// Lists keep one element for each row, in order, and change it in place.
export class List {
  constructor(box, template, { want, fill, order, empty }) {
    Object.assign(this, { box, want, fill, order, empty, nodes: new Map() });
    this.template = document.getElementById(template);
  }

  update(keys) {
    for (const key of keys) {
      const row = rows.get(key);
      if (row && this.want(row, key)) this.put(key, row);
      else if (this.nodes.has(key)) { this.nodes.get(key).remove(); this.nodes.delete(key); }
    }
    if (this.empty) this.empty.hidden = this.nodes.size > 0 || this.empty.dataset.full !== undefined;
  }

  put(key, row) {
    let node = this.nodes.get(key);
    if (!node) {
      node = this.template.content.firstElementChild.cloneNode(true);
      node.dataset.key = key;
      node.f = {};
      for (const part of [node, ...node.querySelectorAll('[data-f]')]) if (part.dataset.f) node.f[part.dataset.f] = part;
      this.nodes.set(key, node);
    }
    this.fill(node, row, key);
    const place = this.order(row, key);
    if (node.place === place && node.isConnected) return;
    node.place = place;
    let before = null;
    for (const other of this.box.children) if (other !== node && other.place > place) { before = other; break; }
    if (!node.isConnected || node.nextElementSibling !== before) this.box.insertBefore(node, before);
  }

  refresh() { this.update([...rows.keys()]); }
}

export const put = (node, text) => { if (node && node.textContent !== text) node.textContent = text; };
const icons = {
  free: 'check', ringing: 'bell', dialling: 'out', talking: 'phone', held: 'hold', monitoring: 'ear', paused: 'cup', wrapup: 'pen', resting: 'cup',
  busy: 'phone', offline: 'off', unreachable: 'alert', new: 'dots', routing: 'dots', ivr: 'keys', queued: 'clock', answered: 'check', missed: 'missed',
  up: 'check', lost: 'alert', alarm: 'alert', recording: 'rec',
};
export const setState = (node, state, word) => {
  if (node.dataset.s !== state) {
    node.dataset.s = state;
    node.querySelector('use')?.setAttribute('href', '#i-' + (icons[state] || (state.startsWith('abandoned') ? 'missed' : 'dots')));
  }
  put(node.lastElementChild, word);
};

// touches holds a row against a condition of the user's rights.
export const touches = (c, { exts = [], agents = [], queues = [] }) => {
  if (!c || exts.some((x) => c.not?.includes(x))) return false;
  return c.all || exts.some((x) => c.extensions?.includes(x)) || agents.some((x) => c.agents?.includes(x)) || queues.some((x) => c.queues?.includes(x));
};
export const may = (right, r) => touches(ctx.rights?.[right], { exts: [r.ext, r.dir !== 'inbound' && r.from, ...(r.rings || [])].filter(Boolean), agents: [r.agent].filter(Boolean), queues: [r.queue].filter(Boolean) });
