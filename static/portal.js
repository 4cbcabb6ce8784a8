// Makes the pages quicker to use; every one of them works without it.
"use strict";

// The token travels with every htmx request that is not a plain form.
document.addEventListener("htmx:configRequest", (event) => {
  const token = document.querySelector('meta[name="csrf-token"]');
  if (token && event.detail.verb !== "get") {
    event.detail.headers["X-CSRFToken"] = token.content;
  }
});

// An error answer that names its own place is a short notice of ours; show it there.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr } = event.detail;
  if (xhr.status >= 400 && xhr.getResponseHeader("HX-Retarget")) {
    event.detail.shouldSwap = true;
  }
});

// An API token is tested when it is whole, not at every letter.
document.addEventListener("htmx:beforeRequest", (event) => {
  const field = event.detail.elt;
  if (!field.hasAttribute("data-token-field")) {
    return;
  }
  const token = field.value.trim();
  if (token.length < 32 && token.length > 0) {
    event.preventDefault();
  }
});

function countPicked() {
  const picks = [...document.querySelectorAll("input[name=pick]")];
  const picked = picks.filter((one) => one.checked).length;
  const count = document.querySelector("[data-picked]");
  if (count) {
    count.hidden = picked === 0;
    count.textContent = String(picked);
  }
  const all = document.querySelector("[data-pick-all]");
  if (all) {
    all.checked = picks.length > 0 && picked === picks.length;
    all.indeterminate = picked > 0 && picked < picks.length;
  }
}

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-pick-all]")) {
    for (const pick of document.querySelectorAll("input[name=pick]")) {
      pick.checked = event.target.checked;
    }
  }
  if (event.target.matches("[data-pick-all], input[name=pick]")) {
    countPicked();
  }
});

function reveal(button) {
  const field = document.getElementById(button.dataset.reveals);
  const isHidden = field.type === "password";
  field.type = isHidden ? "text" : "password";
  button.textContent = isHidden ? button.dataset.shown : button.dataset.hidden;
}

async function copy(button) {
  const source = document.getElementById(button.dataset.copies);
  try {
    await navigator.clipboard.writeText(source.textContent);
    button.textContent = button.dataset.done;
  } catch {
    // Not allowed here: the text is marked, so that a person can copy it.
    getSelection().selectAllChildren(source);
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) {
    return;
  }
  if (button.dataset.reveals) {
    reveal(button);
  } else if (button.dataset.copies) {
    copy(button);
  } else if (button.hasAttribute("data-prints")) {
    window.print();
  } else if (button.hasAttribute("data-dismiss")) {
    document.getElementById("notice").replaceChildren();
  }
});

// "/" jumps to the search, but never out of a field.
document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input, textarea, select, [contenteditable]");
  const search = document.querySelector("[data-search]");
  if (event.key === "/" && search && !isTyping && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    search.focus();
  }
});

// Buttons that do nothing without scripts are hidden until one runs.
function unhide(root) {
  for (const part of root.querySelectorAll(
    "[data-pause], [data-reveals], [data-copies], [data-prints], [data-all]",
  )) {
    part.hidden = false;
    if (part.hasAttribute("data-pause")) {
      part.setAttribute("aria-pressed", String(live.paused));
    }
  }
  countPicked();
}
unhide(document);
document.addEventListener("htmx:load", (event) => unhide(event.detail.elt));

// An error summary is read first.
const summary = document.querySelector(".summary");
if (summary) {
  summary.focus();
}
