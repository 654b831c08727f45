// One message, whatever its type.

import { avatar, el, t } from "./dom.js";

export const ICONS = {
  announcement: "📢", picture: "🖼️", link: "🔗", file: "📄", voice: "🎤", video: "🎬", program: "🧩", card: "👤",
  channel: "📺", location: "📍", redpacket: "🧧", emotionpic: "😊", imgtext: "📰", merge: "💬",
  system: "⚙️", revoke: "↩️",
};

export function typeName(type) {
  return t(`type_${type}`) === `type_${type}` ? type : t(`type_${type}`);
}

export function clock(time) {
  const date = new Date(time);
  const today = new Date().toDateString() === date.toDateString();
  const day = today ? "" : `${date.getMonth() + 1}/${date.getDate()} `;
  return day + date.toLocaleTimeString("zh-CN", { hour: "2-digit", minute: "2-digit", hour12: false });
}

export function bubble(message) {
  if (message.type === "system") return aside(message, message.shown.text);
  if (message.type === "revoke") return aside(message, t("revoked", { name: message.name }));
  const side = message.ours ? "right" : "left";
  const classes = ["message", side, message.failed && "failed", message.revoked && "revoked"].filter(Boolean);
  const face = avatar({ id: message.sender, name: message.name, ours: message.ours });
  const mark = message.ours ? el("span", { class: message.via ? "mark bot" : "mark" }, t(message.via ? "bot" : "phone")) : null;
  return el(
    "li",
    { class: classes.join(" "), "data-number": message.number },
    el("div", { class: "who" }, face, mark),
    el("div", { class: "said" }, head(message), body(message), foot(message)),
  );
}

function aside(message, text) {
  return el("li", { class: "aside", "data-number": message.number }, el("span", {}, `${clock(message.time)}　${text}`));
}

function head(message) {
  const time = el("time", { datetime: new Date(message.time).toISOString(), title: new Date(message.time).toLocaleString() }, clock(message.time));
  const type = message.type === "text" ? el("span", { class: "faint" }, typeName("text")) : null;
  return el("div", { class: "head" }, el("span", { class: "name", title: message.sender }, message.name), via(message), type, time);
}

function via(message) {
  if (!message.via) return null;
  const words = message.origin ? t("via_forward_from", { name: message.origin }) : t(`via_${message.via}`);
  return el("span", { class: `badge ${message.via}`, title: words }, words);
}

function body(message) {
  const { shown, type } = message;
  const plain = shown.text !== undefined && type !== "announcement";
  const classes = ["bubble", plain ? "plain-text" : "rich", `type-${/^\w+$/.test(type) ? type : "unknown"}`].join(" ");
  return el("div", { class: classes }, ...(plain ? [shown.text] : parts(type, shown)));
}

function parts(type, shown) {
  const found = [el("div", { class: "kind" }, el("span", { "aria-hidden": "true" }, ICONS[type] ?? "✉️"), typeName(type), el("code", {}, type))];
  const picture = shown.image && image(shown.image, type);
  if (picture) found.push(picture);
  if (shown.title) found.push(el("div", { class: "title" }, shown.title));
  if (shown.text) found.push(el("div", { class: "words" }, shown.text));
  if (shown.desc) found.push(el("div", { class: "desc" }, type === "voice" ? `${shown.desc}″` : shown.desc));
  if (shown.lines) found.push(el("ul", { class: "lines" }, ...shown.lines.map((line) => el("li", {}, line))));
  if (shown.url && !picture) found.push(el("div", { class: "url", title: shown.url }, shown.url));
  return found;
}

// Only pictures of this page's own are loaded: it works offline and tells no other server that it is being read.
function image(url, type) {
  let parsed;
  try {
    parsed = new URL(url, location.origin);
  } catch {
    return null;
  }
  if (parsed.origin !== location.origin && !url.startsWith("data:image/")) return null;
  return el("img", { src: parsed.href, alt: typeName(type), loading: "lazy" });
}

function foot(message) {
  if (message.failed) return el("div", { class: "foot bad" }, `❗ ${t("failed", { reason: t(message.failed) })}`);
  if (message.revoked) return el("div", { class: "foot" }, t("was_revoked"));
  return null;
}
