// The token leaves the address bar, and so the history, at once.
const form = document.getElementById("form");
const message = document.getElementById("message");
const token = new URLSearchParams(location.search).get("token");
history.replaceState(null, "", location.pathname);

const value = (id) => document.getElementById(id).value;
const calls = {
  "reset-password": () => ["/v1/auth/password/reset", { token, password: value("password") }],
  "verify-email": () => ["/v1/auth/email/verify", { token, password: value("password") }],
  "change-email": () => ["/v1/auth/email/change/confirm", { token, password: value("password") }],
  "set-up": () => ["/v1/auth/set-up", { token, email: value("email"), workspace_name: value("workspace"), password: value("password") }],
};

function say(text, done) {
  message.textContent = text;
  form.hidden = done;
  document.getElementById("console").hidden = !done;
}

if (!token) say(form.dataset.noLink, true);

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const [path, body] = calls[form.dataset.page]();
    const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    const content = answer.status === 204 ? {} : await answer.json();
    if (answer.ok) return say(content.changed === false ? form.dataset.half : form.dataset.done, true);
    const fields = (content.details && content.details.errors) || [];
    say(fields.length > 0 ? fields.map((f) => f.message).join(" ") : content.message, content.code === "LINK_NOT_FOUND");
  } catch (error) {
    say(String(error), false);
  } finally {
    button.disabled = false;
  }
});
