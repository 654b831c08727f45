// Recording what is done here, and doing it again.

import { open } from "./dialogs.js";
import { complain, el, field, input, post, t } from "./dom.js";

export function openSession(session) {
  const press = (path) => async () => {
    try {
      await post(path, {});
      dialog.close();
    } catch (error) {
      complain(error);
    }
  };
  const choice = (label, hint, action) => el("button", { type: "button", class: "choice", on: { click: action } }, label, el("small", {}, hint));
  const choices = [
    session.recording
      ? choice(t("record_stop"), t("record_lines", { n: session.lines }), press("record/stop"))
      : choice(t("record_start"), t("record_hint"), press("record/start")),
  ];
  if (session.lines) choices.push(el("a", { class: "choice", href: "/sim/recording", download: "relay-session.jsonl" }, t("record_download"), el("small", {}, t("record_lines", { n: session.lines }))));
  if (session.replaying) choices.push(choice(t("replay_stop"), t("replay_progress", session), press("replay/stop")));
  else choices.push(choice(t("replay_start"), session.error ? t("replay_error", { reason: session.error }) : t("replay_hint"), () => { dialog.close(); openReplay(); }));
  const dialog = open(t("session"), [el("div", { class: "choices" }, ...choices)], {});
}

function openReplay() {
  const speeds = [1, 2, 10, 100].map((speed) => el("option", { value: speed }, `${speed}×`));
  open(t("replay_start"), [
    field(t("replay_file"), input("file", "", { type: "file", accept: ".jsonl,.json,.txt", required: true })),
    field(t("replay_speed"), el("select", { name: "speed" }, ...speeds)),
    el("p", { class: "hint" }, t("replay_warning")),
  ], {
    ok: t("replay_start"),
    submit: async (data) => post("replay", { recording: await data.get("file").text(), speed: Number(data.get("speed")) }),
  });
}

export function showSession(button, session) {
  button.classList.toggle("recording", session.recording);
  button.classList.toggle("replaying", session.replaying);
  const words = session.replaying ? t("replay_progress", session) : session.recording ? t("record_on") : t("session");
  button.querySelector(".words").textContent = words;
  button.title = session.error ? t("replay_error", { reason: session.error }) : words;
}
