// Draws the rows on whatever screen is there: supervisor, phone panel, wallboard.
import { ctx, t, digits, share, length, clock, now, rows, listen, ofKind, count, List, put, setState, may, touches } from './live.js';
import { open, wire } from './act.js';

const $ = (id) => document.getElementById(id);
const stateWord = (s) => t('web.state.' + s);
const callWord = (r) => (r.rings?.length ? t('state.ringing') : t('state.' + r.state));
const callState = (r) => (r.rings?.length ? 'ringing' : r.state);
const mine = (number) => ctx.exts?.includes(number);
export const other = (r) => (r.dir === 'inbound' ? r.from : r.to);
const pair = (a, b) => [a, b].filter(Boolean).join(' · ');
const nameOf = (number) => rows.get('x:' + number)?.name || '';

// ---- extensions
let wanted = '', only = '';
const fits = (r) => {
  if (only === 'busy' && ['free', 'offline', 'unreachable', 'paused'].includes(r.state)) return false;
  if (only && only !== 'busy' && r.state !== only) return false;
  if (!wanted) return true;
  return [r.ext, r.name, ...(r.queues || []), ...(r.on || []).map((c) => c.peer + ' ' + (c.peer_name || ''))].join(' ').toLowerCase().includes(wanted);
};
const fillTile = (node, r) => {
  const f = node.f, on = r.on?.[0];
  put(f.number, digits(r.ext));
  put(f.name, r.name || '');
  setState(f.state, r.state, stateWord(r.state));
  count(f.time, r.state === 'free' || r.state === 'offline' ? 0 : r.since);
  let peer = on ? on.peer_name || on.peer : r.state === 'paused' && r.reason ? (ctx.words['web.pause.' + r.reason] ?? r.reason) : '';
  if (r.on?.length > 1) peer += ' +' + (r.on.length - 1);
  put(f.peer, on && !on.peer_name ? digits(peer) : peer);
  put(f.queue, on?.queue || '');
};
const byNumber = (r) => r.ext.padStart(12, '0');
const lists = [];
const list = (box, template, options) => {
  if (!$(box)) return null;
  const l = new List($(box), template, { ...options, empty: $(box + '-empty') });
  lists.push(l);
  return l;
};
const tiles = list('tiles', 't-tile', { want: (r) => r.k === 'x' && fits(r), fill: fillTile, order: byNumber });
list('wall-tiles', 't-tile', { want: (r) => r.k === 'x' && r.agent && r.state !== 'offline', fill: fillTile, order: byNumber });

// ---- calls
const who = (f, r) => {
  const number = digits(other(r) || t('web.hidden'));
  put(f.name, r.name || number);
  put(f.number, r.name ? number : '');
};
const fillCall = (node, r) => {
  const f = node.f;
  setState(f.state, callState(r), callWord(r));
  who(f, r);
  put(f.way, t('direction.' + r.dir));
  f.way.dataset.dir = r.dir;
  const person = r.dir !== 'inbound' ? pair(digits(r.from), nameOf(r.from)) : r.ext ? pair(digits(r.ext), nameOf(r.ext) || r.agent) : (r.rings || []).map(digits).join(', ');
  const place = [r.queue || (r.state === 'ivr' ? r.menu : ''), r.source !== ctx.source ? r.source : ''];
  put(f.with, person || pair(...place));
  put(f.queue, person ? pair(...place) : '');
  count(f.time, r.since);
  f.rec.hidden = r.rec !== 'recording';
  const ears = (r.monitors || []).map((m) => m.agent + ' (' + t('web.mode.' + m.mode) + ')').join(', ');
  f.ear.hidden = !ears;
  put(f.ear.lastElementChild, ears);
  for (const mode of ['listen', 'whisper', 'barge']) {
    const b = f[mode];
    if (!b) continue;
    const can = r.leg && may(mode, r) && (!r.caps || r.caps.includes('spy'));
    if (b.hidden !== !can) b.hidden = !can;
    const on = (r.monitors || []).some((m) => m.agent === ctx.user && m.mode === (mode === 'listen' ? 'spy' : mode));
    b.setAttribute('aria-pressed', on);
  }
};
const callOrder = (r) => String(r.started).padStart(15, '0') + r.id;
list('calls', 't-call', { want: (r) => r.k === 'c', fill: fillCall, order: callOrder });

const fillEnded = (node, r) => {
  const f = node.f;
  put(f.at, clock(r.ended));
  setState(f.state, r.state, t('disposition.' + r.state));
  who(f, r);
  put(f.with, pair(digits(r.dir !== 'inbound' ? r.from : r.ext), r.queue));
  put(f.talk, r.talk ? length(r.talk) : '–');
  f.link.href = '/calls/' + encodeURIComponent(r.id);
};
const newest = (r) => String(1e15 - r.ended).padStart(16, '0') + r.id;
const shown = () => { const l = ofKind('e').sort((a, b) => b.ended - a.ended)[19]; return l ? l.ended : 0; };
let oldest = 0;
const ended = list('ended', 't-ended', { want: (r) => r.k === 'e' && r.ended >= oldest, fill: fillEnded, order: newest });

const onMine = (r) => [r.ext, r.from, ...(r.rings || [])].some(mine) || ctx.exts?.some((n) => rows.get('x:' + n)?.on?.some((c) => c.call === r.id));
list('current', 't-current', {
  want: (r) => r.k === 'c' && onMine(r),
  fill: (node, r) => {
    const f = node.f;
    setState(f.state, callState(r), callWord(r));
    who(f, r);
    put(f.queue, pair(r.queue, r.trunk));
    count(f.time, r.since);
    f.link.href = '/calls/' + encodeURIComponent(r.id);
    for (const name of ['hangup', 'hold', 'transfer', 'record']) if (f[name]) f[name].hidden = !may(name, r);
    if (f.hold) { put(f.hold.lastElementChild, t(r.state === 'held' ? 'web.act.unhold' : 'web.act.hold')); f.hold.dataset.act = r.state === 'held' ? 'unhold' : 'hold'; }
    if (f.record) { const on = r.rec === 'recording'; f.record.dataset.act = on ? 'pause' : r.rec === 'paused' ? 'resume' : 'record'; put(f.record.lastElementChild, t('web.act.' + f.record.dataset.act)); }
  },
  order: callOrder,
});
list('history', 't-ended', { want: (r) => r.k === 'e' && [r.ext, r.from, r.to].some(mine) && !document.getElementById('h-' + r.id), fill: fillEnded, order: newest });

// ---- queues
const level = (q) => { const n = q.answered + q.abandoned - q.short; return n > 0 ? Math.round((100 * q.in_time) / n) : null; };
const percent = (n) => (n === null ? '–' : share(n));
const fillQueue = (node, r) => {
  const f = node.f, sl = level(r);
  put(f.name, r.name);
  put(f.waiting, digits(r.waiting));
  count(f.oldest, r.oldest);
  put(f.level, percent(sl));
  put(f.target, t('web.queue.target', { n: r.target / 1000 }));
  if (f.meter) { f.meter.value = sl ?? 0; f.meter.dataset.s = sl !== null && sl < 80 ? 'bad' : 'good'; }
  put(f.answered, digits(r.answered));
  put(f.abandoned, digits(r.abandoned));
  const a = r.agents || {}, sum = (...s) => s.reduce((n, k) => n + (a[k] || 0), 0);
  put(f.free, digits(sum('free')));
  put(f.busy, digits(sum('talking', 'ringing', 'held', 'dialling', 'busy', 'monitoring', 'wrapup')));
  put(f.paused, digits(sum('paused', 'resting')));
  node.dataset.s = r.waiting > 0 && sum('free', 'ringing') === 0 ? 'bad' : '';
  if (f.line) drawLine(f.line, r);
};
const drawLine = (box, r) => {
  const calls = (r.line || []).slice(0, 5).map((id, i) => [i + 1, rows.get('c:' + id)]).filter(([, c]) => c);
  while (box.children.length > calls.length) box.lastElementChild.remove();
  calls.forEach(([place, c], i) => {
    const li = box.children[i] || box.appendChild($('t-wait').content.firstElementChild.cloneNode(true));
    put(li.children[0], digits(place));
    put(li.children[1].firstElementChild, c.name || digits(c.from || t('web.hidden')));
    count(li.children[2], c.since);
  });
};
const queues = list('queues', 't-queue', { want: (r) => r.k === 'q', fill: fillQueue, order: (r) => r.name });
list('wall-queues', 't-wallqueue', { want: (r) => r.k === 'q', fill: fillQueue, order: (r) => r.name });

// ---- lines and sources
list('lines', 't-line', {
  want: (r) => r.k === 'l' || r.k === 's',
  fill: (node, r) => {
    const f = node.f, bad = r.k === 's' ? r.state === 'lost' : !!r.alarm;
    put(f.name, r.name);
    put(f.kind, r.k === 's' ? t('web.line.source') : [t('web.line.line'), r.source].filter(Boolean).join(' · '));
    setState(f.state, bad ? 'alarm' : 'up', r.alarm || t(bad ? 'web.line.lost' : 'web.line.up'));
    put(f.in, r.k === 's' ? '' : `${digits(r.in)} / ${digits(r.in_day)}`);
    put(f.out, r.k === 's' ? '' : `${digits(r.out)} / ${digits(r.out_day)}`);
  },
  order: (r) => (r.k === 's' ? '0' : '1') + r.name,
});

// ---- figures over all
const figure = (id, text, state) => { const n = $(id); if (!n) return; put(n.querySelector('dd > span'), text); if (state !== undefined) n.dataset.s = state; };
const figures = () => {
  const qs = ofKind('q'), xs = ofKind('x').filter((x) => x.agent), n = (...s) => xs.filter((x) => s.includes(x.state)).length;
  const add = (k) => qs.reduce((s, q) => s + q[k], 0);
  const all = { answered: add('answered'), abandoned: add('abandoned'), short: add('short'), in_time: add('in_time') };
  const sl = level(all), oldest = qs.map((q) => q.oldest).filter(Boolean).sort()[0] || 0, waiting = add('waiting');
  figure('f-calls', digits(ofKind('c').length));
  figure('f-waiting', digits(waiting), waiting && !n('free', 'ringing') ? 'bad' : '');
  const node = $('f-longest')?.querySelector('dd > span');
  if (node) { if (oldest) count(node, oldest); else { count(node, 0); put(node, '–'); } }
  figure('f-free', digits(n('free')));
  figure('f-busy', digits(n('talking', 'ringing', 'held', 'dialling', 'busy', 'wrapup', 'monitoring')));
  figure('f-paused', digits(n('paused', 'resting')));
  figure('f-level', percent(sl), sl === null ? '' : sl >= 80 ? 'good' : 'bad');
  figure('f-answered', digits(all.answered));
  figure('f-abandoned', digits(all.abandoned));
  for (const [id, k] of [['n-calls', 'c'], ['n-tiles', 'x']]) put($(id), digits(ofKind(k).length));
};

// What is said aloud: at most once in ten seconds.
let said = '', saidAt = 0;
const say = () => {
  const box = $('say');
  if (!box) return;
  const text = ofKind('q').filter((q) => q.waiting).map((q) => t('web.say.waiting', { queue: q.name, n: q.waiting })).join(' ');
  if (text === said || now() - saidAt < 10000) return;
  said = text; saidAt = now();
  put(box, text);
};
setInterval(say, 2000);

// ---- one's own state
const panel = $('me');
const drawMe = () => {
  const r = rows.get('x:' + ctx.exts?.[0]);
  if (!panel || !r) return;
  setState($('my-state'), r.state, stateWord(r.state));
  count($('my-time'), r.since);
  put($('my-reason'), [r.state === 'paused' && r.reason ? (ctx.words['web.pause.' + r.reason] ?? r.reason) : '', r.pending ? t('web.me.then', { state: stateWord(r.pending) }) : ''].filter(Boolean).join(' '));
  put($('my-handled'), digits(r.handled || 0));
  put($('my-talk'), length(r.talk || 0));
  for (const b of panel.querySelectorAll('[data-want]')) b.setAttribute('aria-pressed', (b.dataset.want === 'paused') === (r.state === 'paused') && (b.dataset.want === 'offline') === (r.state === 'offline') && (b.dataset.want !== 'available' || !['paused', 'offline'].includes(r.state)));
};

listen((keys, whole) => {
  const limit = shown();
  if (ended && limit !== oldest) { oldest = limit; ended.refresh(); }
  for (const l of lists) l.update(keys);
  // The places of those who wait stand in the queue's row.
  if (queues && keys.some((k) => k[0] === 'c')) queues.update(ofKind('q').filter((q) => q.waiting).map((q) => 'q:' + q.name));
  figures();
  drawMe();
  if (whole) say();
});

for (const b of document.querySelectorAll('[data-only]')) b.addEventListener('click', () => {
  only = only === b.dataset.only ? '' : b.dataset.only;
  for (const x of document.querySelectorAll('[data-only]')) x.setAttribute('aria-pressed', x.dataset.only === only);
  tiles.refresh();
});
$('find')?.addEventListener('input', (e) => { wanted = e.target.value.trim().toLowerCase(); tiles.refresh(); });
document.addEventListener('click', (e) => {
  const tile = e.target.closest('.tile');
  if (tile && !document.body.classList.contains('big')) open(tile.closest('[data-key]').dataset.key);
  const more = e.target.closest('[data-open]');
  if (more) open(more.closest('[data-key]').dataset.key);
});
wire({ other, stateWord, callWord, callState, touches });
