// The small windows: another type of message, members, new rooms and people, the callback URL.

import { avatar, complain, el, field, input, post, t } from "./dom.js";
import { contentOf, fieldsOf } from "./kinds.js";

const english = document.documentElement.lang === "en";

export function open(title, fields, { ok, submit }) {
  const dialog = el("dialog", { "aria-label": title, on: { close: () => dialog.remove() } });
  const cancel = el("button", { type: "button", class: "plain", on: { click: () => dialog.close() } }, submit ? t("cancel") : t("close"));
  const buttons = el("div", { class: "buttons" }, cancel, submit ? el("button", { type: "submit", class: "main" }, ok) : null);
  const form = el("form", { on: { submit: (event) => { event.preventDefault(); run(); } } }, el("h2", {}, title), ...fields, buttons);
  async function run() {
    try {
      await submit(new FormData(form));
      dialog.close();
    } catch (error) {
      complain(error);
    }
  }
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.append(form);
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

export function openComposer(kind, send) {
  open(t(`type_${kind}`), fieldsOf(kind), { ok: t("send"), submit: (data) => send(contentOf(kind, data)) });
}

export function openCallback(url) {
  const control = input("url", url ?? "", { type: "url", placeholder: "http://127.0.0.1:8080/callback/…" });
  const hint = el("p", { class: "hint" }, t("callback_hint"));
  open(t("callback_url"), [field(t("callback_url"), control), hint], {
    ok: t("save"), submit: (data) => post("callback", { url: data.get("url") }),
  });
}

export function openRoom(people) {
  const boxes = people.map((person) =>
    el("label", { class: "person" }, input("member", person.id, { type: "checkbox", checked: person.ours }), avatar(person, "small"), el("span", {}, person.name)));
  open(t("add_room"), [field(t("name"), input("name", "", { required: true })), el("div", { class: "people" }, ...boxes)], {
    ok: t("create"), submit: (data) => post("rooms", { name: data.get("name"), members: data.getAll("member") }),
  });
}

// `sort` is contacts or accounts.
export function openPerson(title, sort, rooms) {
  const choices = [el("option", { value: "" }, "—"), ...rooms.map((room) => el("option", { value: room.id }, room.name))];
  open(title, [field(t("name"), input("name", "", { required: true })), field(t("join"), el("select", { name: "room" }, ...choices))], {
    ok: t("create"), submit: (data) => post(sort, { name: data.get("name"), room: data.get("room") }),
  });
}

export function openPrivate(people) {
  const options = (ours) => people.filter((p) => p.ours === ours).map((p) => el("option", { value: p.id }, p.name));
  open(t("add_private"), [
    field(t("account"), el("select", { name: "account" }, ...options(true))),
    field(t("customer"), el("select", { name: "contact" }, ...options(false))),
  ], { ok: t("create"), submit: (data) => post("private", { account: data.get("account"), contact: data.get("contact") }) });
}

export function openMembers(place, people) {
  const inside = new Set(place.members.map((person) => person.id));
  const row = (person, isIn) => {
    const move = async () => {
      try {
        await post("members", { room: place.id, member: person.id, inside: !isIn });
        dialog.close();
      } catch (error) {
        complain(error);
      }
    };
    const button = el("button", { type: "button", class: "plain small", on: { click: move } }, isIn ? t("remove") : t("join"));
    return el("div", { class: "person" }, avatar(person, "small"), el("span", {}, person.name, el("small", {}, person.id)), button);
  };
  const outside = people.filter((person) => !inside.has(person.id));
  const dialog = open(t("members_of", { name: place.name }), [
    el("div", { class: "people" }, ...place.members.map((person) => row(person, true))),
    outside.length ? el("h3", {}, t("outside")) : null,
    el("div", { class: "people" }, ...outside.map((person) => row(person, false))),
  ].filter(Boolean), {});
}

export function openAdd(state) {
  const choose = (action) => () => { dialog.close(); action(); };
  const entry = (label, action, disabled = false) => el("button", { type: "button", class: "choice", disabled, on: { click: choose(action) } }, label);
  const hasBoth = state.people.some((p) => p.ours) && state.people.some((p) => !p.ours);
  const rooms = state.places.filter((place) => place.kind === "room");
  const dialog = open(t("add"), [el("div", { class: "choices" },
    entry(t("add_room"), () => openRoom(state.people)),
    entry(t("add_contact"), () => openPerson(t("add_contact"), "contacts", rooms)),
    entry(t("add_account"), () => openPerson(t("add_account"), "accounts", rooms)),
    entry(t("add_private"), () => openPrivate(state.people), !hasBoth),
  )], {});
}

export function loadExample() {
  return post("example", { lang: english ? "en" : "zh" }).catch(complain);
}
