// The types of message that a person can post, each with a small form that is filled in already.

import { el, field, input, t, texts } from "./dom.js";

const picture = () => `${location.origin}/sim/static/example.svg`;
const text = (name, label, value) => ({ name, label, value });
const number = (name, label, value) => ({ name, label, value, type: "number" });

const FORMS = {
  announcement: [{ name: "text", label: "words", value: () => texts.example_announcement, area: true }],
  picture: [text("url", "url", picture)],
  link: [text("title", "heading", () => t("example_link")), text("desc", "desc", () => t("example_desc")), text("url", "url", () => "https://www.example.com/products"), text("cover", "cover", () => "")],
  file: [text("title", "heading", () => t("example_file")), text("url", "url", () => "https://files.example.com/price-list.pdf")],
  voice: [text("url", "url", () => "https://files.example.com/voice.mp3"), number("duration", "duration", () => 6), text("org_content", "org_content", () => t("example_voice"))],
  video: [text("title", "heading", () => t("example_video")), text("url", "url", () => "https://files.example.com/video.mp4"), number("duration", "duration", () => 15), text("cover", "cover", picture)],
  program: [text("title", "heading", () => t("example_program")), text("cover", "cover", picture), text("page", "page", () => "pages/index"), text("org_content", "org_content", () => "{}")],
  card: [text("nickname", "name", () => t("example_card")), text("wxid", "wxid", () => "7881300000000099"), text("corp_name", "corp_name", () => t("example_corp"))],
  channel: [text("title", "heading", () => t("example_channel")), text("desc", "desc", () => t("example_desc")), text("url", "url", () => "https://channels.example.com/1"), text("cover", "cover", picture)],
  location: [text("title", "heading", () => t("example_place")), text("address", "address", () => t("example_address")), number("latitude", "latitude", () => 31.2304), number("longitude", "longitude", () => 121.4737)],
  redpacket: [text("title", "heading", () => t("example_redpacket"))],
  emotionpic: [text("url", "url", picture)],
  imgtext: [text("title", "heading", () => t("example_link")), text("desc", "desc", () => t("example_desc")), text("url", "url", () => "https://www.example.com/news"), text("cover", "cover", picture)],
  merge: [text("title", "heading", () => t("example_merge")), { name: "items", label: "lines", value: () => texts.example_lines, area: true }],
  system: [{ name: "text", label: "words", value: () => t("example_system"), area: true }],
  revoke: [text("wx_svrid", "wx_svrid", () => "7000000000000000001"), text("wx_msgid", "wx_msgid", () => "1000001")],
};

const FINISH = {
  merge: (content) => ({ ...content, items: content.items.split("\n").filter((line) => line.trim()).map(mergeItem) }),
  card: (content) => ({ ...content, avatar: "", corp_wxid: "1970320000000001" }),
};

export const KINDS = Object.keys(FORMS);

export function fieldsOf(kind) {
  return FORMS[kind].map((part) => {
    const control = part.area
      ? el("textarea", { name: part.name, rows: "4", required: true }, part.value())
      : input(part.name, part.value(), { type: part.type ?? "text", step: "any" });
    return field(t(part.label), control);
  });
}

export function contentOf(kind, data) {
  const entries = FORMS[kind].map((part) => [part.name, part.type === "number" ? Number(data.get(part.name)) : data.get(part.name)]);
  const content = Object.fromEntries(entries);
  return FINISH[kind] ? FINISH[kind](content) : content;
}

function mergeItem(line) {
  const [, nickname, words] = /^([^:：]{1,30})[:：]\s*(.*)$/.exec(line) ?? [null, "", line];
  return { msg_type: "text", nickname, text: words };
}
