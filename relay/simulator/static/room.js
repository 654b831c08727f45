// One conversation: its messages, and the line where somebody in it speaks.

import { ICONS, bubble } from "./bubble.js";
import { avatar, complain, el, post, t } from "./dom.js";
import { openComposer, openMembers } from "./dialogs.js";
import { KINDS } from "./kinds.js";

const KEEP = 300;

export class Room {
  constructor(place) {
    this.place = place;
    this.shown = new Map();
    this.sticks = true;
    this.list = el("ol", { class: "messages", tabindex: "0", "aria-live": "polite", on: { scroll: () => this.scrolled() } });
    this.newer = el("button", { type: "button", class: "newer", hidden: true, on: { click: () => this.toEnd() } }, `↓ ${t("newer")}`);
    this.quiet = el("p", { class: "quiet" }, t("quiet"));
    this.title = el("h2", {});
    this.count = el("button", { type: "button", class: "count", on: { click: () => openMembers(this.place, this.people) } });
    this.faces = el("span", { class: "faces" });
    this.people = [];
    this.element = el(
      "section",
      { class: "room", "data-place": place.id },
      el("header", {}, this.faces, el("div", { class: "room-name" }, this.title, el("small", {}, place.id)), this.count),
      el("div", { class: "scroll" }, this.list, this.quiet, this.newer),
      this.composer(),
    );
    this.update(place, []);
    // A picture that arrives late, or a head that grows, must not push the last message out of sight.
    const keep = () => { if (this.sticks) this.toEnd(); };
    this.list.addEventListener("load", keep, true);
    new ResizeObserver(keep).observe(this.list);
  }

  composer() {
    this.face = el("span", { class: "face" });
    this.speaker = el("select", { "aria-label": t("speak_as"), on: { change: () => this.showFace() } });
    this.input = el("textarea", {
      rows: "1", placeholder: t("placeholder"), "aria-label": t("placeholder"), title: t("keys"),
      on: { keydown: (event) => this.key(event), input: () => this.grow() },
    });
    this.button = el("button", { type: "submit", class: "main", title: t("keys") }, t("send"));
    const menu = el("div", { class: "menu" }, ...KINDS.map((kind) => this.menuItem(kind)));
    this.more = el("details", { class: "more" }, el("summary", { title: t("more"), "aria-label": t("more") }, "＋"), menu);
    return el(
      "form",
      { class: "composer", on: { submit: (event) => { event.preventDefault(); this.say(); } } },
      el("div", { class: "speaker" }, this.face, this.speaker, this.more),
      el("div", { class: "line" }, this.input, this.button),
    );
  }

  menuItem(kind) {
    const choose = () => {
      this.more.open = false;
      openComposer(kind, (content) => this.post(kind, content));
    };
    return el("button", { type: "button", on: { click: choose } }, el("span", { "aria-hidden": "true" }, ICONS[kind] ?? "✉️"), t(`type_${kind}`));
  }

  update(place, people) {
    this.place = place;
    this.people = people;
    this.title.textContent = place.name;
    this.title.title = place.name;
    this.count.textContent = t("count", { n: place.members.length });
    this.count.hidden = place.kind !== "room";
    this.faces.replaceChildren(...place.members.slice(0, 4).map((person) => avatar(person, "tiny")));
    this.faces.dataset.count = String(Math.min(place.members.length, 4));
    this.offer();
  }

  offer() {
    const chosen = this.speaker.value;
    const members = [...this.place.members.filter((p) => !p.ours), ...this.place.members.filter((p) => p.ours)];
    const options = members.map((p) => el("option", { value: p.id }, p.ours ? p.name + t("on_phone") : p.name));
    this.speaker.replaceChildren(...options);
    if (members.some((p) => p.id === chosen)) this.speaker.value = chosen;
    for (const control of [this.speaker, this.input, this.button]) control.disabled = members.length === 0;
    this.input.placeholder = members.length === 0 ? t("nobody") : t("placeholder");
    this.showFace();
  }

  showFace() {
    const person = this.place.members.find((p) => p.id === this.speaker.value);
    this.face.replaceChildren(...(person ? [avatar(person, "small")] : []));
  }

  key(event) {
    // 229 is what browsers report while an input method still composes.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    this.say();
  }

  grow() {
    this.input.style.height = "auto";
    this.input.style.height = `${Math.min(this.input.scrollHeight + 2, 140)}px`;
  }

  async say() {
    const text = this.input.value;
    if (!text.trim()) return;
    this.input.value = "";
    this.grow();
    const sent = await this.post("text", { items: [{ type: "text", text }] });
    if (!sent && !this.input.value) this.input.value = text;
    this.input.focus();
  }

  async post(msgType, content) {
    const sender = this.speaker.value;
    const other = this.place.members.find((p) => p.id !== sender);
    const chat = this.place.kind === "room" ? this.place.id : other?.id;
    try {
      await post("say", { chat, sender, msg_type: msgType, content });
      this.toEnd();
      return true;
    } catch (error) {
      complain(error);
      return false;
    }
  }

  clear() {
    this.shown.clear();
    this.list.replaceChildren();
  }

  show(message, { fresh = false } = {}) {
    const element = bubble(message);
    const old = this.shown.get(message.number);
    this.shown.set(message.number, element);
    if (old) {
      old.replaceWith(element);
    } else {
      this.list.append(element);
      if (fresh) element.classList.add("fresh");
      this.trim();
    }
    this.quiet.hidden = true;
    if (this.sticks) this.toEnd();
    else if (!old && fresh) this.newer.hidden = false;
  }

  trim() {
    while (this.shown.size > KEEP) {
      const [number, element] = this.shown.entries().next().value;
      element.remove();
      this.shown.delete(number);
    }
  }

  atEnd() {
    return this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < 60;
  }

  toEnd() {
    this.sticks = true;
    this.list.scrollTop = this.list.scrollHeight;
    this.newer.hidden = true;
  }

  scrolled() {
    this.sticks = this.atEnd();
    if (this.sticks) this.newer.hidden = true;
  }
}
