// The parts of a page that keep themselves up to date: when to ask, and what must survive it.
// Trigger filters of htmx need eval, which the page's policy forbids, so polls are held back here.
"use strict";

const SLOW_AFTER_MS = 10 * 60 * 1000;
const SLOW_EVERY_MS = 30 * 1000;
const NEWS_EVERY_MS = 15 * 1000;
const POLLS = new Set(["live", "invoice", "batch-progress", "task", "overview"]);

const live = {
  paused: false,
  signedOut: false,
  lastInput: Date.now(),
  lastPoll: 0,
  lastNews: 0,
  lastGood: new Date(),
  news: "",
  timer: 0,
};

function isPoll(element, config) {
  return Boolean(element && POLLS.has(element.id) && (!config || config.verb === "get"));
}

function mustWait() {
  const now = Date.now();
  const isIdle = now - live.lastInput > SLOW_AFTER_MS && now - live.lastPoll < SLOW_EVERY_MS;
  return document.hidden || live.paused || live.signedOut || isIdle;
}

document.addEventListener("htmx:beforeRequest", (event) => {
  if (!isPoll(event.detail.elt, event.detail.requestConfig)) {
    return;
  }
  if (mustWait()) {
    event.preventDefault();
    return;
  }
  live.lastPoll = Date.now();
});

function showConnection(isLost) {
  const line = document.getElementById("live-lost");
  if (!line || line.hidden === !isLost) {
    return;
  }
  line.querySelector("[data-last]").textContent = live.lastGood.toLocaleTimeString(
    document.documentElement.lang,
    { hourCycle: "h23" },
  );
  line.hidden = !isLost;
}

function showEnd() {
  live.signedOut = true;
  const line = document.getElementById("live-ended");
  if (line) {
    line.hidden = false;
  }
}

document.addEventListener("htmx:afterRequest", (event) => {
  const { elt, requestConfig, xhr } = event.detail;
  if (!isPoll(elt, requestConfig)) {
    return;
  }
  const status = xhr ? xhr.status : 0;
  if (status === 401) {
    showEnd();
  }
  const isLost = status === 0 || status >= 500;
  if (!isLost) {
    live.lastGood = new Date();
  }
  showConnection(isLost);
});

// A row that changed is put in place anew: its tick stays.
document.addEventListener("htmx:oobBeforeSwap", (event) => {
  const { target, fragment } = event.detail;
  const before = target && target.querySelector && target.querySelector("input[name=pick]");
  const after = fragment && fragment.querySelector && fragment.querySelector("input[name=pick]");
  if (before && after) {
    after.checked = before.checked;
  }
});

// What somebody unfolded stays unfolded when the part around it is put in place anew.
let unfolded = [];

function foldsOf(element) {
  return element && element.querySelectorAll ? [...element.querySelectorAll("details")] : [];
}

document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target && POLLS.has(event.detail.target.id)) {
    const folds = foldsOf(event.detail.target);
    unfolded = folds.map((one, place) => (one.open ? folds.length - place : 0)).filter(Boolean);
  }
});

// New lines of a history come on top, so folds are counted from the end.
document.addEventListener("htmx:afterSwap", (event) => {
  if (!event.detail.elt || !POLLS.has(event.detail.elt.id)) {
    return;
  }
  const folds = foldsOf(document.getElementById(event.detail.elt.id));
  for (const place of unfolded) {
    if (folds[folds.length - place]) {
      folds[folds.length - place].open = true;
    }
  }
  unfolded = [];
});

// One short line for those who listen, at most every 15 seconds; the latest news win.
function announce() {
  live.timer = 0;
  const line = document.getElementById("live-news");
  if (line && live.news) {
    line.textContent = live.news;
    live.lastNews = Date.now();
    live.news = "";
  }
}

document.addEventListener("htmx:afterSettle", () => {
  const poll = document.querySelector("#live, #invoice, #batch-progress, #task");
  const line = document.getElementById("live-news");
  if (!poll || !line || !poll.dataset.news || poll.dataset.news === line.textContent) {
    return;
  }
  live.news = poll.dataset.news;
  if (!live.timer) {
    const wait = Math.max(0, NEWS_EVERY_MS - (Date.now() - live.lastNews));
    live.timer = setTimeout(announce, wait);
  }
});

document.addEventListener("click", (event) => {
  const pause = event.target.closest("[data-pause]");
  if (pause) {
    live.paused = !live.paused;
    pause.setAttribute("aria-pressed", String(live.paused));
  }
});

for (const name of ["keydown", "pointermove", "scroll", "touchstart"]) {
  document.addEventListener(name, () => { live.lastInput = Date.now(); }, { passive: true });
}
