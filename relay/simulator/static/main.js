// The page follows one event stream: the whole state first, then changes. A new connection starts over.

import { loadExample, openAdd, openCallback } from "./dialogs.js";
import { el, t } from "./dom.js";
import { FaultPanel } from "./faults.js";
import { Room } from "./room.js";
import { openSession, showSession } from "./session.js";

const board = document.getElementById("board");
const tabs = document.getElementById("tabs");
const rooms = new Map();
const faults = new FaultPanel(document.getElementById("faults-button"));
const session = document.getElementById("session");
let state = { places: [], people: [], status: {}, messages: [] };
let started = false;

function showState(next) {
  if (next.run !== state.run) for (const room of rooms.values()) room.clear(); // the simulator was started anew
  state = next;
  const wanted = new Set(state.places.map((place) => place.id));
  for (const [id, room] of rooms) {
    if (!wanted.has(id)) {
      room.element.remove();
      rooms.delete(id);
    }
  }
  for (const place of state.places) {
    if (!rooms.has(place.id)) {
      rooms.set(place.id, new Room(place));
      board.append(rooms.get(place.id).element);
    }
    rooms.get(place.id).update(place, state.people);
  }
  faults.showPeople(state);
  showMessages();
  showTabs();
  document.getElementById("empty").hidden = state.places.length > 0;
  board.hidden = state.places.length === 0;
  showStatus(state.status);
  started = true;
}

// What is already on the page stays, so that a selection or a scrolled list survives a new state.
function showMessages() {
  for (const message of state.messages) {
    const room = rooms.get(message.place);
    if (room && (!room.shown.has(message.number) || message.revoked)) room.show(message, { fresh: started });
  }
}

function showChange(change) {
  for (const message of change.messages) rooms.get(message.place)?.show(message, { fresh: true });
  markTabs(change.messages);
  showStatus(change.status);
}

function showTabs() {
  tabs.replaceChildren(...state.places.map((place) => {
    const tab = el("button", { type: "button", "data-place": place.id }, place.name);
    tab.addEventListener("click", () => {
      tab.classList.remove("unread");
      rooms.get(place.id).element.scrollIntoView({ behavior: "smooth", inline: "start", block: "nearest" });
    });
    return tab;
  }));
  measure();
}

function tabOf(place) {
  return [...tabs.children].find((tab) => tab.dataset.place === place);
}

function isVisible(place) {
  const box = rooms.get(place).element.getBoundingClientRect();
  return box.left > -box.width / 2 && box.right < innerWidth + box.width / 2;
}

function markTabs(messages) {
  for (const { place } of messages) {
    if (rooms.has(place) && !isVisible(place)) tabOf(place)?.classList.add("unread");
  }
}

function measure() {
  tabs.hidden = board.hidden || board.scrollWidth <= board.clientWidth + 4;
  for (const [place] of rooms) {
    const visible = isVisible(place);
    tabOf(place)?.classList.toggle("current", visible);
    if (visible) tabOf(place)?.classList.remove("unread");
  }
}

function showStatus(status) {
  state.status = status;
  faults.show(status.faults);
  showSession(session, status.session);
  for (const name of ["pushes", "timeouts", "requests", "refusals"]) {
    document.getElementById(name).textContent = String(status[name] ?? 0);
  }
  document.getElementById("timeouts-box").classList.toggle("bad", status.timeouts > 0);
  document.getElementById("refusals-box").title = status.last_refusal ? t("last_refusal", status.last_refusal) : "";
  document.getElementById("refusals-box").classList.toggle("bad", status.refusals > 0);
  const [mood, words] = answer(status);
  const button = document.getElementById("callback");
  button.dataset.mood = mood;
  button.title = status.callback_url ?? t("callback_none");
  document.getElementById("callback-url").textContent = status.callback_url ? shortUrl(status.callback_url) : t("callback_none");
  document.getElementById("callback-answer").textContent = words;
}

function shortUrl(url) {
  return url.replace(/^https?:\/\//, "");
}

function answer(status) {
  if (status.stopped) return ["bad", t("stopped")];
  if (!status.last) return ["idle", status.callback_url ? t("callback_waiting") : ""];
  if (status.last.state !== "answered") return [status.last.state === "nowhere" ? "idle" : "bad", t(status.last.state)];
  return [status.last.status === 200 ? "good" : "odd", t("answered", { status: status.last.status, ms: status.last.ms })];
}

function setLive(live) {
  const sign = document.getElementById("live");
  sign.textContent = live ? t("live") : t("lost");
  sign.classList.toggle("lost", !live);
}

function follow() {
  const stream = new EventSource("/sim/events");
  stream.addEventListener("open", () => setLive(true));
  stream.addEventListener("state", (event) => showState(JSON.parse(event.data)));
  stream.addEventListener("change", (event) => showChange(JSON.parse(event.data)));
  stream.addEventListener("error", () => {
    setLive(false);
    if (stream.readyState === EventSource.CLOSED) setTimeout(follow, 2000);
  });
}

document.getElementById("callback").addEventListener("click", () => openCallback(state.status.callback_url));
document.getElementById("add").addEventListener("click", () => openAdd(state));
session.addEventListener("click", () => openSession(state.status.session));
document.getElementById("example").addEventListener("click", loadExample);
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details[open]")) if (!menu.contains(event.target)) menu.open = false;
});
board.addEventListener("scroll", measure, { passive: true });
new ResizeObserver(measure).observe(board);
const head = document.querySelector(".top");
new ResizeObserver(() => document.documentElement.style.setProperty("--head", `${head.offsetHeight}px`)).observe(head);
follow();
