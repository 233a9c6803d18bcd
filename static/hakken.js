/* What the pages can do beside links and forms; without it, everything is there and takes one more press. */

"use strict";

const PAUSE = 250; // ms without a key or a change before it is acted upon
const PATIENCE = 400; // ms without an answer after which the page says that it waits
const LONGEST_WAIT = 30_000; // ms after which a form that was sent no longer says that it waits

/* A list that changes at once. A form marked data-live is asked by fetch, and what is marked data-fresh in its answer
   takes its place in the page; the address follows, so that it can be kept and gone back to.

   One question is asked at a time, and each is made of what the page holds when its turn comes: two presses in quick
   succession are two changes, not one of them. */

let turn = Promise.resolve();
let waiting = []; // forms whose fields, as they will stand then, are asked for already
let shown = location.pathname + location.search;
let lastChanged = ""; // id of the field whose change was the last question

function ask(form, button, how = {}) {
  const plain = !button?.name;
  if (plain && waiting.includes(form.id)) return;
  if (plain) waiting.push(form.id);
  // Scores chosen beside titles that the answer before may take away.
  const chosen = [...form.querySelectorAll("#titles select")].filter((one) => one.value);
  const more = [...chosen.map((one) => [one.name, one.value]), ...(plain ? [] : [[button.name, button.value]])];
  turn = turn.then(() => {
    if (plain) waiting = waiting.filter((id) => id !== form.id);
    const current = document.getElementById(form.id);
    return current && show(question(current, more), how);
  });
}

function question(form, more) {
  const address = new URL(form.action);
  const own = [...new FormData(form)].filter(([, value]) => value !== "");
  const fields = [...own, ...more.filter((one) => !own.some((other) => String(other) === String(one)))];
  address.search = new URLSearchParams(fields).toString();
  return address.href;
}

async function show(address, { replace = false, back = false, field = "" }) {
  const list = document.querySelector("[data-busy]");
  list?.setAttribute("aria-busy", "true");
  const late = setTimeout(() => say("Fetching the list…", true), PATIENCE);
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!page.querySelector("main")) throw new TypeError("not a page of ours");
    const place = answer.redirected ? answer.url : address;
    if (!back) remember(place, replace || (field !== "" && field === lastChanged));
    lastChanged = field;
    document.title = page.title;
    // An error, and a page gone back to, take the whole place; a changed list takes no more than it needs.
    freshen(page, back || !answer.ok);
    say(document.querySelector("[data-news]")?.dataset.news ?? "");
  } catch {
    if (back) location.reload();
    else say("There was no answer, so nothing has changed. Try again.", true);
  } finally {
    clearTimeout(late);
    list?.removeAttribute("aria-busy");
  }
}

function remember(place, instead) {
  const { pathname, search } = new URL(place);
  if (instead) history.replaceState(null, "", place);
  else if (pathname + search !== shown) history.pushState(null, "", place);
  shown = pathname + search;
}

function say(text, visibly = false) {
  const news = document.getElementById("news");
  news.textContent = text;
  news.classList.toggle("unseen", !visibly);
}

function freshen(page, whole) {
  const focused = document.activeElement;
  const place = placeOf(focused);
  if (whole) {
    const main = document.querySelector("main");
    main.replaceChildren(...page.querySelector("main").childNodes);
    main.focus({ preventScroll: true });
    return;
  }
  const opened = [...document.querySelectorAll("[data-fresh] details[open]")].map(selectorOf);
  for (const old of document.querySelectorAll("[data-fresh]")) {
    const fresh = page.getElementById(old.id);
    if (fresh) old.replaceWith(fresh);
  }
  for (const one of opened) document.querySelector(one)?.setAttribute("open", "");
  if (place && !focused.isConnected) focusAgain(place);
}

const selectorOf = ({ className, name }) => `details.${className}${name ? `[name="${name}"]` : ""}`;

/* Whoever works with the keyboard goes on where they were: at the same thing, or at what took its place. */

function placeOf(element) {
  const within = element?.closest("[data-fresh]");
  if (!within) return null;
  const alike = `button[name="${CSS.escape(element.name ?? "")}"]`;
  return { id: element.id, within: within.id, alike, index: visible(within, alike).indexOf(element) };
}

const visible = (within, what) => [...within.querySelectorAll(what)].filter((one) => one.checkVisibility());

function focusAgain({ id, within, alike, index }) {
  const area = document.getElementById(within);
  const peers = area ? visible(area, alike) : [];
  const next = (id && document.getElementById(id)) || peers[Math.min(index, peers.length - 1)];
  (next ?? document.querySelector("[data-busy]"))?.focus({ preventScroll: true });
}

let pending = null; // a change, or what is being typed, until it is acted upon: a form, how to ask, and a timer

function later(form, how) {
  clearTimeout(pending?.timer);
  pending = { form, how, timer: setTimeout(now, PAUSE) };
}

function now() {
  const { form, how, timer } = pending;
  clearTimeout(timer);
  pending = null;
  ask(form, null, how);
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.matches("[data-waits]")) sayThatItWaits(form);
  if (!form.matches("[data-live]") || event.submitter?.matches("[data-plain]")) return;
  event.preventDefault();
  if (pending && pending.form !== form) now();
  clearTimeout(pending?.timer); // what is pending in this form goes with it
  pending = null;
  ask(form, event.submitter);
});

document.addEventListener("change", ({ target }) => {
  const form = target.form;
  if (!target.closest("[data-instant]") || !form?.matches("[data-live]") || !form.checkValidity()) return;
  later(form, { field: target.id });
});

document.addEventListener("input", ({ target }) => {
  if (target.form?.matches("[data-waits]")) sayThatItWaits(target.form, false);
  if (target.type !== "search" || !target.form?.matches("[data-live]")) return;
  later(target.form, { replace: true });
});

addEventListener("popstate", () => {
  // A jump within the page is no other page.
  if (location.pathname + location.search === shown) return;
  shown = location.pathname + location.search;
  turn = turn.then(() => show(location.href, { back: true }));
});

/* A list that is being fetched, by a form or by a link that may have to wait for another site. */

function sayThatItWaits(form, waits = true) {
  const said = form.querySelector("[data-waiting]");
  said.textContent = waits ? said.dataset.waiting : "";
  if (waits) setTimeout(() => sayThatItWaits(form, false), LONGEST_WAIT);
}

document.addEventListener("click", (event) => {
  const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
  if (plain && event.target.closest("a[data-waits]")) setTimeout(() => say("Fetching the list…", true), PATIENCE);
});

addEventListener("pageshow", () => {
  // Whoever comes back finds nothing that still waits.
  for (const form of document.querySelectorAll("form[data-waits]")) sayThatItWaits(form, false);
  say("");
});

/* An export that is dropped anywhere on its form. */

const dropped = (event) => event.target.closest?.("[data-drop]");

document.addEventListener("dragover", (event) => {
  if (!dropped(event) || !event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  dropped(event).classList.add("over");
});

document.addEventListener("dragleave", (event) => {
  const form = dropped(event);
  if (form && !form.contains(event.relatedTarget)) form.classList.remove("over");
});

document.addEventListener("drop", (event) => {
  const form = dropped(event);
  if (!form || !event.dataTransfer.files.length) return;
  event.preventDefault();
  form.classList.remove("over");
  const field = form.querySelector("input[type=file]");
  field.files = event.dataTransfer.files;
  field.focus();
});

/* What is kept in this browser: colours, and whether single keys are shortcuts. Storage may be blocked. */

function kept(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

function keep(name, value) {
  try {
    if (value) localStorage.setItem(name, value);
    else localStorage.removeItem(name);
  } catch {
    // It holds until the page is left.
  }
}

function showTheme() {
  const theme = document.documentElement.dataset.theme ?? "system";
  for (const one of document.querySelectorAll("[data-theme-choice]")) {
    one.setAttribute("aria-pressed", String(one.dataset.themeChoice === theme));
  }
}

function chooseTheme(theme) {
  const chosen = theme === "system" ? "" : theme;
  if (chosen) document.documentElement.dataset.theme = chosen;
  else delete document.documentElement.dataset.theme;
  keep("theme", chosen);
  showTheme();
}

for (const one of document.querySelectorAll("[data-scripted]")) one.hidden = false;
showTheme();

/* Sending the page to someone. A list that is replaced brings its buttons along, hidden. */

function showSharing() {
  for (const one of document.querySelectorAll("[data-copy]")) one.hidden = !navigator.clipboard;
  for (const one of document.querySelectorAll("[data-share]")) one.hidden = !navigator.share;
}

showSharing();
new MutationObserver(showSharing).observe(document.querySelector("main"), { childList: true, subtree: true });

document.addEventListener("click", async ({ target }) => {
  if (target.matches("[data-theme-choice]")) chooseTheme(target.dataset.themeChoice);
  if (target.matches("[data-keys]")) document.getElementById("keys").showModal();
  if (target.matches("[data-close]")) target.closest("dialog").close();
  try {
    if (target.matches("[data-share]")) await navigator.share({ title: document.title, url: location.href });
    if (!target.matches("[data-copy]")) return;
    await navigator.clipboard.writeText(location.href);
    say("Link copied.", true);
  } catch (error) {
    if (error.name !== "AbortError") say("That didn’t work: copy the address from the browser instead.", true);
  }
});

/* Shortcuts of single keys, which can be switched off: speech input would press them by accident. */

const keysOn = document.getElementById("keys-on");
keysOn.checked = kept("keys") !== "off";
keysOn.addEventListener("change", () => keep("keys", keysOn.checked ? "" : "off"));

const SHORTCUTS = {
  j: () => step(1),
  k: () => step(-1),
  o: () => press(".more > summary"),
  s: () => press(".seen > summary"),
  "/": () => document.querySelector("main input:not([type=hidden], [type=file])")?.focus(),
  "?": () => document.getElementById("keys").showModal(),
};

function step(by) {
  const titles = [...document.querySelectorAll(".entry .title a, .compact tbody th a")];
  const entry = document.activeElement.closest(".entry, .compact tr");
  const at = titles.findIndex((one) => entry?.contains(one));
  const next = at < 0 ? (by > 0 ? 0 : titles.length - 1) : at + by;
  titles[next]?.focus();
}

function press(what) {
  const summary = document.activeElement.closest(".entry, .compact tr")?.querySelector(what);
  summary?.click();
  summary?.focus();
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input:not([type=checkbox]), select, textarea, dialog");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !keysOn.checked) return;
  const shortcut = SHORTCUTS[event.key];
  if (!shortcut) return;
  event.preventDefault();
  shortcut();
});

/* The names of titles that were chosen in the header. They stay chosen in this browser: an address that says nothing of
   them is left for the same one that does. Where the browser stores nothing, the choice lasts as long as the links. */

const STORED = "names";

document.addEventListener("click", ({ target }) => {
  const choice = target.closest(".titles-in [data-names]");
  if (!choice) return;
  // A list that changed in place has another address than the page that was loaded.
  if (choice.search) choice.search = new URLSearchParams([...otherFields(), [STORED, choice.dataset.names]]).toString();
  keep(STORED, choice.dataset.names);
});

const otherFields = () => [...new URLSearchParams(location.search)].filter(([name]) => name !== STORED);

const link = document.querySelector(`.titles-in a[data-names="${CSS.escape(kept(STORED) ?? "")}"]`);
const given = new URLSearchParams(location.search).has(STORED);
if (link && !given && !link.hasAttribute("aria-current")) location.replace(link.href + location.hash);
