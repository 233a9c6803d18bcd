/* What the pages can do beside links and forms; without it, everything is there and takes one more press. */

"use strict";

const PAUSE = 250; // ms without a key before what was typed is looked up

/* A list that changes at once: a form marked data-live is sent when something in it changes, and what is marked
   data-fresh in its answer takes its place in the page. The address follows, so that it can be kept and gone back to. */

let asked = 0; // of answers that overtake each other only the last question's counts

async function show(address, { remember, whole = false }) {
  const mine = ++asked;
  const list = document.querySelector("[data-busy]");
  list?.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (mine !== asked) return;
    if (!answer.ok || !page.querySelector("[data-fresh]")) {
      location.assign(address); // an error has a page of its own
      return;
    }
    const place = answer.redirected ? answer.url : address;
    if (remember === "push" && place !== location.href) history.pushState(null, "", place);
    if (remember === "replace") history.replaceState(null, "", place);
    document.title = page.title;
    freshen(page, whole);
  } catch {
    if (mine === asked) location.assign(address); // the browser says best what is wrong with the network
  } finally {
    if (mine === asked) list?.removeAttribute("aria-busy");
  }
}

function freshen(page, whole) {
  const focused = document.activeElement;
  const place = whole ? null : placeOf(focused);
  if (whole) {
    document.querySelector("main").replaceChildren(...page.querySelector("main").childNodes);
  } else {
    for (const old of document.querySelectorAll("[data-fresh]")) {
      const fresh = page.getElementById(old.id);
      if (fresh) old.replaceWith(fresh);
    }
  }
  if (place && !focused.isConnected) focusAgain(place);
  const said = document.querySelector("#news");
  if (said) said.textContent = document.querySelector("[data-news]")?.dataset.news ?? "";
}

/* Whoever works with the keyboard goes on where they were: at the same thing, or at what took its place. */

function placeOf(element) {
  const within = element?.closest("[data-fresh]");
  if (!within) return null;
  const alike = `button[name="${CSS.escape(element.name ?? "")}"]`;
  return { id: element.id, within: within.id, alike, index: [...within.querySelectorAll(alike)].indexOf(element) };
}

function focusAgain({ id, within, alike, index }) {
  const peers = document.getElementById(within)?.querySelectorAll(alike) ?? [];
  const next = (id && document.getElementById(id)) || peers[Math.min(index, peers.length - 1)];
  (next ?? document.querySelector("[data-busy]"))?.focus({ preventScroll: true });
}

function question(form, button) {
  const address = new URL(form.action);
  const fields = [...new FormData(form, button)].filter(([, value]) => value !== "");
  address.search = new URLSearchParams(fields).toString();
  return address.href;
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.matches("[data-waits]")) sayThatItWaits(form);
  if (!form.matches("[data-live]") || form.method !== "get" || event.submitter?.matches("[data-plain]")) return;
  event.preventDefault();
  show(question(form, event.submitter), { remember: "push" });
});

document.addEventListener("change", (event) => {
  const form = event.target.form;
  if (event.target.closest("[data-instant]") && form.checkValidity()) form.requestSubmit();
});

addEventListener("popstate", () => {
  if (document.querySelector("[data-busy]")) show(location.href, { remember: "", whole: true });
});

/* Titles that are looked up while their name is typed. */

let typing;

document.addEventListener("input", (event) => {
  const form = event.target.form;
  if (event.target.type !== "search" || !form?.matches("[data-search]")) return;
  clearTimeout(typing);
  typing = setTimeout(() => show(question(form), { remember: "replace" }), PAUSE);
});

/* A list that is being fetched. */

function sayThatItWaits(form) {
  const said = form.querySelector("[data-waiting]");
  if (said) said.textContent = said.dataset.waiting;
  form.setAttribute("aria-busy", "true");
}

addEventListener("pageshow", () => {
  // Whoever comes back finds no form that still waits.
  for (const form of document.querySelectorAll("[data-waits][aria-busy]")) {
    form.removeAttribute("aria-busy");
    form.querySelector("[data-waiting]").textContent = "";
  }
});

/* An export that is dropped anywhere on its form. */

for (const form of document.querySelectorAll("[data-drop]")) {
  const field = form.querySelector("input[type=file]");
  const over = (on) => form.classList.toggle("over", on);
  form.addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    over(true);
  });
  form.addEventListener("dragleave", (event) => over(form.contains(event.relatedTarget)));
  form.addEventListener("drop", (event) => {
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    over(false);
    field.files = event.dataTransfer.files;
    field.focus();
  });
}
