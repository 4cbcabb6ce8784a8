// Makes the pages quieter and quicker; every one of them works without it.
"use strict";

const SLOW_AFTER_MS = 10 * 60 * 1000;
const SLOW_EVERY_MS = 30 * 1000;
const NEWS_EVERY_MS = 15 * 1000;

const live = {
  paused: false,
  signedOut: false,
  lastInput: Date.now(),
  lastPoll: Date.now(),
  lastNews: 0,
  lastGood: new Date(),
};

function isPoll(element) {
  return Boolean(element && (element.id === "live" || element.id === "invoice"));
}

function mustWait() {
  const now = Date.now();
  const isIdle = now - live.lastInput > SLOW_AFTER_MS && now - live.lastPoll < SLOW_EVERY_MS;
  return document.hidden || live.paused || live.signedOut || isIdle;
}

// The token travels with every htmx request that is not a plain form.
document.addEventListener("htmx:configRequest", (event) => {
  const token = document.querySelector('meta[name="csrf-token"]');
  if (token && event.detail.verb !== "get") {
    event.detail.headers["X-CSRFToken"] = token.content;
  }
});

// Trigger filters need eval, which the page's policy forbids; so polls are held back here.
document.addEventListener("htmx:beforeRequest", (event) => {
  const { elt, requestConfig } = event.detail;
  if (!isPoll(elt) || (requestConfig && requestConfig.verb !== "get")) {
    return;
  }
  if (mustWait()) {
    event.preventDefault();
    return;
  }
  live.lastPoll = Date.now();
});

// An error answer that names its own place is a short notice of ours; show it there.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr } = event.detail;
  if (xhr.status >= 400 && xhr.getResponseHeader("HX-Retarget")) {
    event.detail.shouldSwap = true;
  }
  if (xhr.status === 401) {
    live.signedOut = true;
  }
});

function showConnection(isLost) {
  const line = document.getElementById("live-lost");
  if (!line) {
    return;
  }
  line.querySelector("[data-last]").textContent = live.lastGood.toLocaleTimeString(
    document.documentElement.lang,
  );
  line.hidden = !isLost;
}

document.addEventListener("htmx:afterRequest", (event) => {
  if (!isPoll(event.detail.elt)) {
    return;
  }
  const status = event.detail.xhr ? event.detail.xhr.status : 0;
  const isLost = status === 0 || status >= 500;
  if (!isLost) {
    live.lastGood = new Date();
  }
  showConnection(isLost);
});

// One short line for those who listen, at most every 15 seconds.
document.addEventListener("htmx:afterSettle", () => {
  const poll = document.getElementById("live");
  const line = document.getElementById("live-news");
  if (!poll || !line || !poll.dataset.news || Date.now() - live.lastNews < NEWS_EVERY_MS) {
    return;
  }
  live.lastNews = Date.now();
  line.textContent = poll.dataset.news;
});

document.addEventListener("click", (event) => {
  const pause = event.target.closest("[data-pause]");
  if (pause) {
    live.paused = !live.paused;
    pause.setAttribute("aria-pressed", String(live.paused));
  }
  const reveal = event.target.closest("[data-reveals]");
  if (reveal) {
    const field = document.getElementById(reveal.dataset.reveals);
    const isHidden = field.type === "password";
    field.type = isHidden ? "text" : "password";
    reveal.textContent = isHidden ? reveal.dataset.shown : reveal.dataset.hidden;
  }
});

// "/" jumps to the search, but never out of a field.
document.addEventListener("keydown", (event) => {
  live.lastInput = Date.now();
  const isTyping = event.target.closest("input, textarea, select, [contenteditable]");
  const search = document.querySelector("[data-search]");
  if (event.key === "/" && search && !isTyping && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    search.focus();
  }
});
for (const name of ["pointermove", "scroll", "touchstart"]) {
  document.addEventListener(name, () => { live.lastInput = Date.now(); }, { passive: true });
}

// Buttons that do nothing without scripts are hidden until one runs.
function unhide(root) {
  for (const button of root.querySelectorAll("[data-pause], [data-reveals]")) {
    button.hidden = false;
    if (button.hasAttribute("data-pause")) {
      button.setAttribute("aria-pressed", String(live.paused));
    }
  }
}
unhide(document);
document.addEventListener("htmx:load", (event) => unhide(event.detail.elt));
