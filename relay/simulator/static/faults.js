// The drawer where things are made to go wrong: a form above, what stands below.

import { complain, el, field, input, post, t } from "./dom.js";

const GROUPS = {
  calls: ["delay", "hang", "close", "errcode", "http_status", "not_json", "cut", "missing_idx", "expired_token", "rate_limit"],
  sending: ["fail_early", "fail_late", "fail_first", "echo_first"],
  callbacks: ["drop", "duplicate", "reorder", "late", "ids_in_extra"],
};
// What a kind has beside scope and count; a number is where `seconds` starts.
const OWN = {
  delay: { when: true, seconds: 3 }, hang: { when: true, seconds: 0 }, close: { when: true },
  errcode: { when: true, errcode: 1001, message: true }, http_status: { when: true, status: 502, retry_after: true },
  not_json: { when: true }, cut: { when: true }, missing_idx: { when: true, idx: 0 }, expired_token: {}, rate_limit: { seconds: 30, endless: true },
  fail_early: { message: true }, fail_late: { message: true, seconds: 10 }, fail_first: { message: true }, echo_first: {},
  drop: { echoes_only: true }, duplicate: { echoes_only: true, seconds: 0 }, reorder: { echoes_only: true, seconds: 5 },
  late: { echoes_only: true, seconds: 10 }, ids_in_extra: {},
};
const NUMBERS = ["seconds", "errcode", "status", "idx"];
const PATHS = ["/wechat/sendMessage", "/wechat/forwardMsg", "/wechat/revokeMessage", "/wechat/chatLogs", "/oauth/token", "/wechat/list", "/wechat/roomDetail",
  "/wechat/contactInfo", "/wechat/contactDetail", "/wechat/rooms", "/wechat/roomMembers", "/index/serverIpList"];

export class FaultPanel {
  constructor(button) {
    this.button = button;
    this.state = { places: [], people: [] };
    this.element = el("aside", { class: "drawer", id: "faults", "aria-label": t("faults"), hidden: true, on: { keydown: (event) => event.key === "Escape" && this.toggle(false) } });
    this.form = this.makeForm();
    this.standing = el("ul", { class: "standing" });
    this.recent = el("ul", { class: "strikes" });
    this.none = el("p", { class: "hint" }, t("faults_none"));
    this.title = el("h3", {}, t("faults_standing"));
    this.clear = el("button", { type: "button", class: "plain small", on: { click: () => act("faults/clear") } }, t("faults_clear"));
    this.release = el("button", { type: "button", class: "plain small", on: { click: () => act("faults/release") } });
    this.struck = el("h3", {}, t("faults_recent"));
    const close = el("button", { type: "button", class: "plain small", "aria-label": t("close"), on: { click: () => this.toggle(false) } }, "✕");
    const tokens = el("button", { type: "button", class: "plain small", on: { click: () => act("faults/tokens") } }, t("faults_tokens"));
    this.element.append(
      el("header", {}, el("h2", {}, t("faults")), el("p", { class: "hint" }, t("faults_hint")), close),
      el("div", { class: "drawer-body" }, this.form, el("div", { class: "row" }, this.title, this.release, this.clear, tokens), this.none, this.standing, this.struck, this.recent),
    );
    button.addEventListener("click", () => this.toggle(this.element.hidden));
    document.body.append(this.element);
  }

  makeForm() {
    const groups = Object.entries(GROUPS).map(([group, kinds]) =>
      el("optgroup", { label: t(`faults_${group}`) }, ...kinds.map((kind) => el("option", { value: kind }, t(`fault_${kind}`)))));
    this.kind = el("select", { name: "kind", on: { change: () => this.offer() } }, ...groups);
    this.about = el("p", { class: "hint" });
    this.own = el("div", { class: "pair" });
    this.path = el("select", { name: "path" });
    this.account = el("select", { name: "account" });
    this.target = el("select", { name: "target" });
    this.pathField = field(t("fault_path"), this.path);
    this.counts = el("div", { class: "pair" },
      field(t("fault_times"), input("times", "1", { type: "number", min: "1", placeholder: t("fault_endless") })),
      field(t("fault_probability"), input("probability", "100", { type: "number", min: "1", max: "100", required: true })));
    const scope = el("div", { class: "pair" }, field(t("fault_account"), this.account), field(t("fault_target"), this.target));
    const add = el("button", { type: "submit", class: "main" }, t("faults_add"));
    return el("form", { on: { submit: (event) => { event.preventDefault(); this.add(); } } },
      field(t("fault_kind"), this.kind), this.about, this.own, this.pathField, scope, this.counts, add);
  }

  offer() {
    const own = OWN[this.kind.value];
    this.about.textContent = t(`about_${this.kind.value}`);
    const controls = [];
    if (own.when) controls.push(field(t("fault_when"), el("select", { name: "when" }, el("option", { value: "before" }, t("when_before")), el("option", { value: "after" }, t("when_after")))));
    for (const name of NUMBERS) if (own[name] !== undefined) controls.push(field(t(`fault_${name}_`), input(name, String(own[name]), { type: "number", step: name === "seconds" ? "any" : "1", required: true })));
    if (own.message) controls.push(field(t("fault_message"), input("message", t("fault_example"))));
    if (own.retry_after) controls.push(field("Retry-After", input("retry_after", "")));
    if (own.echoes_only) controls.push(field(t("fault_which"), el("select", { name: "echoes_only" }, el("option", { value: "" }, t("which_all")), el("option", { value: "1" }, t("which_echoes")))));
    this.own.replaceChildren(...controls);
    this.pathField.hidden = GROUPS.callbacks.includes(this.kind.value) || this.kind.value === "missing_idx";
    this.counts.firstChild.hidden = Boolean(own.endless);
  }

  fill() {
    const any = (label) => el("option", { value: "" }, label);
    choose(this.path, [any(t("any_call")), ...PATHS.map((path) => el("option", { value: path }, path.replace(/^\/\w+\//, "")))]);
    const ours = this.state.people.filter((person) => person.ours);
    choose(this.account, [any(t("any_account")), ...ours.map((person) => el("option", { value: person.id }, person.name))]);
    const rooms = this.state.places.filter((place) => place.kind === "room");
    const others = this.state.people.filter((person) => !person.ours);
    choose(this.target, [any(t("any_target")), ...[...rooms, ...others].map((known) => el("option", { value: known.id }, known.name))]);
  }

  toggle(open) {
    this.element.hidden = !open;
    this.button.setAttribute("aria-expanded", String(open));
    document.body.classList.toggle("with-drawer", open);
    if (open) {
      this.offer();
      this.kind.focus();
    } else {
      this.button.focus();
    }
  }

  async add() {
    const data = new FormData(this.form);
    const own = OWN[this.kind.value];
    const fault = { kind: this.kind.value, probability: Number(data.get("probability")) / 100, seed: Date.now() % 1000000 };
    for (const name of ["path", "account", "target"]) if (data.get(name) && !(name === "path" && this.pathField.hidden)) fault[name] = data.get(name);
    for (const name of NUMBERS) if (own[name] !== undefined) fault[name] = Number(data.get(name));
    for (const name of ["when", "message", "retry_after"]) if (own[name] && data.get(name)) fault[name] = data.get(name);
    if (own.echoes_only) fault.echoes_only = Boolean(data.get("echoes_only"));
    fault.times = own.endless || !data.get("times") ? null : Number(data.get("times"));
    await act("faults/add", fault);
  }

  showPeople(state) {
    this.state = state;
    this.fill();
  }

  show({ faults, held, strikes }) {
    this.button.querySelector(".bubble-count").textContent = faults.length || held ? String(faults.length || "!") : "";
    this.button.classList.toggle("alarm", faults.length > 0 || held > 0);
    this.standing.replaceChildren(...faults.map((fault) => this.row(fault)));
    this.none.hidden = faults.length > 0;
    this.clear.hidden = faults.length === 0;
    this.release.hidden = held === 0;
    this.release.textContent = t("faults_release", { n: held });
    this.struck.hidden = strikes.length === 0;
    this.recent.replaceChildren(...strikes.slice(-8).reverse().map((strike) => this.strike(strike)));
  }

  row(fault) {
    const times = fault.times === null ? t("struck_endless", { n: fault.struck }) : t("struck_of", { n: fault.struck, all: fault.times });
    const chance = fault.probability < 1 ? ` · ${Math.round(fault.probability * 100)}%` : "";
    const remove = el("button", { type: "button", class: "plain small", on: { click: () => act("faults/remove", { number: fault.number }) } }, t("fault_remove"));
    return el("li", {}, el("div", {}, el("strong", {}, t(`fault_${fault.kind}`)), el("span", { class: "tag" }, times + chance), el("small", {}, this.details(fault))), remove);
  }

  details(fault) {
    const own = OWN[fault.kind];
    const parts = [own.when ? t(`when_${fault.when}`) : "", own.seconds !== undefined && fault.seconds ? t("in_seconds", { n: fault.seconds }) : ""];
    if (own.errcode) parts.push(`errcode ${fault.errcode}`);
    if (own.status) parts.push(`HTTP ${fault.status}`);
    if (own.idx !== undefined) parts.push(`idx ${fault.idx}`);
    if (fault.echoes_only) parts.push(t("which_echoes"));
    if (fault.path) parts.push(fault.path);
    for (const id of [fault.account, fault.target]) if (id) parts.push(this.name(id));
    return parts.filter(Boolean).join(" · ");
  }

  strike(strike) {
    const whom = [strike.account, ...strike.targets].filter(Boolean).map((id) => this.name(id)).join(" → ");
    return el("li", {}, el("time", {}, new Date(strike.time).toLocaleTimeString("zh-CN", { hour12: false })), el("span", {}, t(`fault_${strike.kind}`)), el("small", {}, whom));
  }

  name(id) {
    const known = this.state.people.find((person) => person.id === id) ?? this.state.places.find((place) => place.id === id);
    return known ? known.name : id;
  }
}

function choose(select, options) {
  const chosen = select.value;
  select.replaceChildren(...options);
  if (options.some((option) => option.value === chosen)) select.value = chosen;
}

async function act(path, body = {}) {
  try {
    await post(path, body);
  } catch (error) {
    complain(error);
  }
}
