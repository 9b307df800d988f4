// The page of one call: it is loaded anew while the call goes on, and plays its recordings.
import { ctx, rows, listen, length } from './live.js';

const id = document.querySelector('[data-call]')?.dataset.call;

// ---- a call that goes on
let due = 0;
const renew = async () => {
  due = 0;
  const res = await fetch(location.href, { headers: { Accept: 'text/html' } }).catch(() => null);
  if (!res?.ok) return;
  const text = await res.text();
  const fresh = new DOMParser().parseFromString(text, 'text/html').querySelector('[data-call]');
  const old = document.querySelector('[data-call]');
  if (fresh && old && !old.contains(document.activeElement) && !document.querySelector('audio:not([paused])')?.currentTime) { old.replaceWith(fresh); players(); }
};
listen((keys, whole) => {
  if (whole || due || !id) return;
  if (keys.some((k) => k === 'c:' + id || k === 'e:' + id)) due = setTimeout(renew, 500);
});

// ---- players
const players = () => { for (const box of document.querySelectorAll('.player')) if (!box.ready) { box.ready = true; player(box); } };
const player = async (box) => {
  const audio = box.querySelector('audio'), canvas = box.querySelector('canvas'), where = box.querySelector('[data-where]'), play = box.querySelector('[data-play]'), speed = box.querySelector('select');
  let peaks = [], total = +box.dataset.ms;
  const draw = () => {
    const ratio = devicePixelRatio || 1, w = canvas.clientWidth, h = canvas.clientHeight, style = getComputedStyle(box);
    canvas.width = w * ratio; canvas.height = h * ratio;
    const g = canvas.getContext('2d'), at = total ? (audio.currentTime * 1000) / total : 0, tracks = Math.max(1, peaks.length);
    g.scale(ratio, ratio);
    peaks.forEach((track, n) => {
      const mid = (h / tracks) * (n + 0.5), room = h / tracks / 2 - 2, step = w / track.length;
      track.forEach((p, i) => {
        g.fillStyle = style.getPropertyValue(i / track.length <= at ? '--accent' : '--edge');
        const tall = Math.max(1, (p / 127) * room * 2);
        g.fillRect(i * step, mid - tall / 2, Math.max(1, step - 0.6), tall);
      });
    });
    where.textContent = length(audio.currentTime * 1000) + ' / ' + length(total);
    canvas.setAttribute('aria-valuenow', Math.round(audio.currentTime));
    canvas.setAttribute('aria-valuetext', where.textContent);
  };
  const go = (s) => { audio.currentTime = Math.min(total / 1000, Math.max(0, s)); draw(); };
  const toggle = () => (audio.paused ? audio.play() : audio.pause());
  play.addEventListener('click', toggle);
  for (const e of ['play', 'pause', 'ended']) audio.addEventListener(e, () => { play.setAttribute('aria-pressed', !audio.paused); play.querySelector('use').setAttribute('href', audio.paused ? '#i-play' : '#i-stop'); });
  for (const e of ['timeupdate', 'seeked']) audio.addEventListener(e, draw);
  audio.addEventListener('loadedmetadata', () => { if (Number.isFinite(audio.duration)) total = audio.duration * 1000; draw(); });
  speed.addEventListener('change', () => { audio.playbackRate = +speed.value; });
  canvas.addEventListener('click', (e) => go((total / 1000) * (e.offsetX / canvas.clientWidth)));
  box.addEventListener('keydown', (e) => {
    if (e.target === speed || e.ctrlKey || e.metaKey || e.altKey) return;
    const steps = { ArrowLeft: -5, ArrowRight: 5, j: -10, l: 10 };
    if (e.key in steps) go(audio.currentTime + steps[e.key]);
    else if (e.key === 'k' || (e.key === ' ' && e.target === canvas)) toggle();
    else if (e.key === 'Home' && e.target === canvas) go(0);
    else return;
    e.preventDefault();
  });
  addEventListener('resize', draw);
  draw();
  const res = await fetch(box.dataset.peaks).catch(() => null);
  if (res?.ok) { peaks = (await res.json()).peaks; draw(); box.dataset.drawn = peaks.length; }
};
players();
if (ctx.stream) document.documentElement.dataset.live = rows.size > 0;
