// The chat widget: a button in the corner of a page that opens a chat with a bot.
//
//   <script src="https://chat.example.com/widget.js" data-token-url="/chat-token" defer></script>
//
// The guide "Chat widget" lists the other attributes. The page's own server makes the token, so that the browser never
// has a key. All of it is in a shadow root, with a constructed style sheet, so that neither the page's styles nor a strict
// content security policy of the page get in its way.
(() => {
  "use strict";

  const script = document.currentScript || document.querySelector("script[data-token-url]"); // a module has no current script
  if (!script?.dataset.tokenUrl) {
    console.error("parley: the script of the widget has no data-token-url");
    return;
  }
  const options = script.dataset;
  const base = new URL(".", script.src);
  const tokenURL = new URL(options.tokenUrl, document.baseURI);

  // ---- Texts ----

  const languages = {
    en: {
      title: "Chat", open: "Open the chat", close: "Close the chat", again: "New conversation", message: "Message", send: "Send", stop: "Stop",
      retry: "Try again", good: "Good answer", bad: "Bad answer", sources: "Sources", page: "page", you: "You", bot: "Assistant",
      writing: "The assistant is writing", stopped: "Stopped.", offline: "The connection was lost. Trying again…", failed: "This did not work.",
      away: "The chat is not available now.", origin: "The chat is not available on this page.", wait: "Too many messages. Try again in {n} s.", long: "The message is too long.",
    },
    ru: {
      title: "Чат", open: "Открыть чат", close: "Закрыть чат", again: "Новый разговор", message: "Сообщение", send: "Отправить", stop: "Остановить",
      retry: "Ещё раз", good: "Хороший ответ", bad: "Плохой ответ", sources: "Источники", page: "стр.", you: "Вы", bot: "Ассистент",
      writing: "Ассистент пишет", stopped: "Остановлено.", offline: "Связь прервалась. Пробуем ещё раз…", failed: "Не получилось.",
      away: "Чат сейчас недоступен.", origin: "На этой странице чат недоступен.", wait: "Слишком много сообщений. Попробуйте через {n} с.", long: "Сообщение слишком длинное.",
    },
  };
  const language = (options.language || document.documentElement.lang || navigator.language || "en").toLowerCase();
  const spoken = language.split("-")[0] in languages ? language.split("-")[0] : "en";
  const texts = { ...languages[spoken] };
  if (options.title) texts.title = options.title;
  const direction = options.direction || (/^(ar|dv|fa|he|ku|ps|sd|ug|ur|yi)\b/.test(language) ? "rtl" : "ltr");

  // ---- What outlives a reload: whose thread it is, which thread, and the message that is being answered ----

  const name = `parley:${base}:${tokenURL}`;
  let kept = {};
  try {
    kept = JSON.parse(localStorage.getItem(name)) || {};
  } catch {
    // no storage, or not ours: the widget then begins anew with each page
  }
  function keep(changes) {
    Object.assign(kept, changes);
    try {
      localStorage.setItem(name, JSON.stringify(kept));
    } catch {
      // as above
    }
  }

  // ---- Calls ----

  class Failure extends Error {
    constructor(status, body, retryAfter) {
      super((body && body.message) || String(status));
      this.status = status;
      this.code = (body && body.code) || "";
      this.retryAfter = retryAfter;
    }
    get passes() {
      return [429, 502, 503, 504].includes(this.status) || (this.status === 409 && this.retryAfter > 0);
    }
  }

  let current = null; // {value, renewAt} or the promise of one
  function token(renew) {
    if (renew || (current && current.renewAt <= Date.now())) current = null;
    current ??= fetchToken().then(
      (made) => (current = made),
      (error) => {
        current = null;
        throw error;
      },
    );
    return Promise.resolve(current);
  }
  async function fetchToken() {
    const answer = await fetch(tokenURL, { method: "POST", headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Failure(answer.status, null, Number(answer.headers.get("Retry-After")));
    const made = await answer.json();
    if (kept.user !== made.end_user_id) keep({ user: made.end_user_id, thread: null, pending: null });
    const expires = Date.parse(made.expires_at) || 0;
    return { value: made.token, renewAt: expires - Math.min(30_000, (expires - Date.now()) / 2) };
  }

  async function call(method, path, { body, headers, signal } = {}) {
    for (let renew = false; ; renew = true) {
      const { value } = await token(renew);
      const answer = await fetch(new URL(path, base), {
        method, signal, credentials: "omit", cache: "no-store",
        headers: { Authorization: `Bearer ${value}`, ...(body && { "Content-Type": "application/json" }), ...headers },
        body: body && JSON.stringify(body),
      });
      if (answer.ok) return answer;
      if (answer.status === 401 && !renew) continue;
      throw new Failure(answer.status, await answer.json().catch(() => null), Number(answer.headers.get("Retry-After")));
    }
  }
  const json = async (...of) => (await call(...of)).json();

  // uuid is crypto.randomUUID, which pages without TLS do not have.
  function uuid() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    return [...bytes].map((b, i) => ([4, 6, 8, 10].includes(i) ? "-" : "") + b.toString(16).padStart(2, "0")).join("");
  }

  // events yields the id and the data of each server-sent event.
  async function* events(answer) {
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) {
        const fields = {};
        for (const line of block.split("\n")) {
          const [, field, text] = /^(id|data): ?(.*)$/.exec(line) || [];
          if (field) fields[field] = field in fields ? `${fields[field]}\n${text}` : text;
        }
        if (fields.data) yield { id: fields.id, ...JSON.parse(fields.data) };
      }
    }
  }

  // ---- Text: a small, safe part of Markdown, built as nodes and never as HTML ----

  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) {
      if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
      else if (value === true) made.setAttribute(key, "");
      else if (value !== false && value != null) made.setAttribute(key, value);
    }
    made.append(...children.filter((child) => child != null));
    return made;
  }

  const inline = /`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]\n]+)\]\((https?:\/\/[^\s)]+)\)|(https?:\/\/[^\s<>"')\]]+[^\s<>"')\].,;:!?])|\[(\d{1,3})\]/g;
  function* spans(text, cite) {
    let at = 0;
    for (const found of text.matchAll(inline)) {
      const [whole, code, bold, label, href, url, number] = found;
      const source = number && cite(Number(number));
      if (number && !source) continue;
      if (found.index > at) yield text.slice(at, found.index);
      at = found.index + whole.length;
      if (code) yield element("code", {}, code);
      else if (bold) yield element("strong", {}, bold);
      else if (source) yield source;
      else yield element("a", { href: href || url, target: "_blank", rel: "noopener noreferrer nofollow" }, label || url);
    }
    if (at < text.length) yield text.slice(at);
  }
  function* blocks(text, cite) {
    const parts = text.split(/^```[^\n]*\n?/m);
    for (const [i, part] of parts.entries()) {
      if (i % 2 === 1) {
        yield element("pre", { tabindex: 0, dir: "ltr" }, element("code", {}, part.replace(/\n$/, "")));
        continue;
      }
      for (const paragraph of part.split(/\n{2,}/)) {
        const lines = paragraph.split("\n").filter((line) => line.trim());
        if (!lines.length) continue;
        const ordered = lines.every((line) => /^\s*\d+[.)] /.test(line));
        if (ordered || lines.every((line) => /^\s*[-*•] /.test(line))) {
          yield element(ordered ? "ol" : "ul", { dir: "auto" }, ...lines.map((line) => element("li", {}, ...spans(line.replace(/^\s*(\d+[.)]|[-*•]) /, ""), cite))));
          continue;
        }
        yield element("p", { dir: "auto" }, ...lines.flatMap((line, n) => [...(n ? [element("br")] : []), ...spans(line.replace(/^#{1,6} /, ""), cite)]));
      }
    }
  }

  // ---- The panel ----

  const icons = {
    chat: "M4 4h16a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2H9l-5 4V6a2 2 0 0 1 0-2z", close: "M6 6l12 12M18 6L6 18", again: "M12 5v14M5 12h14",
    send: "M4 12l16-8-6 16-3-7z", stop: "M7 7h10v10H7z", good: "M7 11l4-8a2 2 0 0 1 2 2v5h6l-2 10H7zM3 11h4v9H3z", bad: "M17 13l-4 8a2 2 0 0 1-2-2v-5H5L7 4h10zM21 13h-4V4h4z",
  };
  function icon(of) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", icons[of]);
    svg.append(path);
    return svg;
  }
  const button = (of, label, click, attributes = {}) => element("button", { type: "button", "aria-label": label, title: label, onclick: click, ...attributes }, icon(of));

  const css = `
:host { all: initial; --accent: #2456d6; --on-accent: #fff; --back: #fff; --text: #1a1c20; --soft: #eef0f4; --faint: #5b6170; --line: #868d9c; --bad: #a4161a; color-scheme: light; }
:host([data-theme=dark]) { --accent: #8ab0ff; --on-accent: #0d1b3d; --back: #17191d; --text: #eceef2; --soft: #26292f; --faint: #a8aebb; --line: #7d8493; --bad: #ff9a9a; color-scheme: dark; }
@media (prefers-color-scheme: dark) { :host(:not([data-theme=light])) { --accent: #8ab0ff; --on-accent: #0d1b3d; --back: #17191d; --text: #eceef2; --soft: #26292f; --faint: #a8aebb; --line: #7d8493; --bad: #ff9a9a; color-scheme: dark; } }
* { box-sizing: border-box; }
[hidden] { display: none !important; }
.all { font: 16px/1.5 system-ui, sans-serif; color: var(--text); }
button, textarea { font: inherit; color: inherit; }
button { background: none; border: 0; border-radius: 8px; padding: 8px; min-width: 40px; min-height: 40px; cursor: pointer; }
button:disabled { opacity: .5; cursor: default; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
svg { display: block; width: 24px; height: 24px; fill: none; stroke: currentColor; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.launch { position: fixed; z-index: 2147483000; inset-block-end: 20px; inset-inline-end: 20px; width: 56px; height: 56px; padding: 16px; border-radius: 50%; background: var(--accent); color: var(--on-accent); box-shadow: 0 4px 16px rgb(0 0 0 / .3); }
.panel { position: fixed; z-index: 2147483001; inset-block-end: 20px; inset-inline-end: 20px; width: min(400px, calc(100vw - 40px)); height: min(640px, calc(100dvh - 40px)); display: flex; flex-direction: column; background: var(--back); border: 1px solid var(--line); border-radius: 16px; box-shadow: 0 8px 32px rgb(0 0 0 / .3); overflow: hidden; animation: rise .15s ease-out; }
@keyframes rise { from { opacity: 0; transform: translateY(12px); } }
:host([data-position=start]) :is(.launch, .panel) { inset-inline: 20px auto; }
@media (max-width: 480px), (max-height: 420px) { .panel, :host([data-position=start]) .panel { inset: 0; width: 100%; height: 100dvh; border: 0; border-radius: 0; } }
header { display: flex; align-items: center; gap: 4px; padding-block: 8px; padding-inline: 16px 8px; border-block-end: 1px solid var(--line); }
header h2 { flex: 1; margin: 0; font-size: 1rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.log { flex: 1; overflow-y: auto; overscroll-behavior: contain; padding: 16px; display: flex; flex-direction: column; gap: 12px; }
.item { max-width: 88%; align-self: flex-start; overflow-wrap: anywhere; }
.item.user { align-self: flex-end; }
.text { padding: 8px 12px; border-radius: 12px; background: var(--soft); }
.user .text { background: var(--accent); color: var(--on-accent); white-space: pre-wrap; }
.text > :first-child { margin-block-start: 0; } .text > :last-child { margin-block-end: 0; }
.text a { color: inherit; } .text ol, .text ul { padding-inline-start: 24px; }
pre { overflow-x: auto; padding: 8px; border-radius: 8px; background: var(--back); } code { font-family: ui-monospace, monospace; font-size: .9em; }
.cite { min-width: 24px; min-height: 24px; padding: 0 4px; font-size: .8em; line-height: 1.4; color: var(--accent); text-decoration: underline; }
details { margin-block-start: 4px; font-size: .875rem; color: var(--faint); } summary { cursor: pointer; min-height: 24px; }
blockquote { margin: 4px 0 8px; padding-inline-start: 8px; border-inline-start: 3px solid var(--line); white-space: pre-wrap; }
.rate { display: flex; } .rate button { color: var(--faint); padding: 10px; } .rate svg { width: 20px; height: 20px; } .rate [aria-pressed=true] { color: var(--accent); }
.note { font-size: .875rem; color: var(--faint); } .note.bad { color: var(--bad); } .note button { text-decoration: underline; }
.wait i { display: inline-block; width: 8px; height: 8px; margin: 4px; border-radius: 50%; background: var(--faint); animation: wait 1.2s infinite; } .wait i:nth-child(2) { animation-delay: .2s; } .wait i:nth-child(3) { animation-delay: .4s; }
@keyframes wait { 50% { opacity: .2; } }
form { display: flex; gap: 8px; align-items: end; padding: 12px; border-block-start: 1px solid var(--line); }
textarea { flex: 1; resize: none; max-height: 160px; min-height: 44px; padding: 9px 12px; border: 1px solid var(--line); border-radius: 12px; background: var(--back); field-sizing: content; }
form button { background: var(--accent); color: var(--on-accent); padding: 10px; min-height: 44px; min-width: 44px; } [dir=rtl] form svg { transform: scaleX(-1); }
.hear { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (prefers-reduced-motion: reduce) { * { animation: none !important; } .log { scroll-behavior: auto; } }
@media (forced-colors: active) { .launch, .panel, .text, form button { border: 1px solid; } }
`;

  class Chat extends HTMLElement {
    constructor() {
      super();
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(css);
      this.root = this.attachShadow({ mode: "open" });
      this.root.adoptedStyleSheets = [sheet];
      this.build();
    }

    build() {
      this.launch = button("chat", texts.open, () => this.open(), { class: "launch", "aria-expanded": "false", "aria-haspopup": "dialog" });
      this.log = element("div", { class: "log", role: "log", "aria-label": texts.title, "aria-live": "off", tabindex: 0 });
      this.box = element("textarea", { rows: 1, maxlength: 50_000, dir: "auto", "aria-label": texts.message, placeholder: texts.message, enterkeyhint: "send" });
      this.act = button("send", texts.send, null, { type: "submit" });
      this.form = element("form", {}, this.box, this.act);
      this.fresh = button("again", texts.again, () => this.again());
      const close = button("close", texts.close, () => this.close());
      this.panel = element("div", { class: "panel", role: "dialog", "aria-label": texts.title, hidden: true },
        element("header", {}, element("h2", {}, texts.title), this.fresh, close), this.log, this.form);
      this.hear = element("div", { class: "hear", role: "status" });
      this.root.append(element("div", { class: "all", dir: direction, lang: spoken }, this.launch, this.panel, this.hear));

      this.form.addEventListener("submit", (event) => {
        event.preventDefault();
        if (this.running) this.stop();
        else this.submit();
      });
      this.box.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
        event.preventDefault();
        if (!this.running) this.submit();
      });
      this.panel.addEventListener("keydown", (event) => {
        if (event.key === "Escape" && !event.isComposing) this.close();
      });
    }

    // ---- Open and closed ----

    open(focus = true) {
      this.panel.hidden = false;
      this.launch.hidden = true;
      this.launch.setAttribute("aria-expanded", "true");
      keep({ open: true });
      if (focus) this.box.focus();
      this.begin();
    }

    close() {
      this.panel.hidden = true;
      this.launch.hidden = false;
      this.launch.setAttribute("aria-expanded", "false");
      keep({ open: false });
      this.launch.focus();
    }

    // begin loads the conversation, once, and goes on with what a reload has cut.
    begin() {
      this.begun ??= this.load().catch((error) => {
        this.begun = null;
        this.complain(error, () => this.begin());
      });
      return this.begun;
    }

    async load() {
      this.clear();
      await token(false); // which forgets the thread of another visitor
      if (!kept.thread && !kept.fresh) {
        const { items } = await json("GET", "v1/conversations/threads?limit=1&status=active");
        if (items.length) keep({ thread: items[0].id });
      }
      const items = kept.thread ? await this.history() : [];
      if (!items.length && options.greeting) this.show({ role: "assistant", content: options.greeting, citations: [] });
      for (const item of items) this.show(item);
      const { pending } = kept;
      const of = items.filter((item) => item.operation_id === pending?.turn);
      if (of.some((item) => item.role === "assistant")) keep({ pending: null }); // it was answered meanwhile
      else if (pending) await this.answer(pending, of.length > 0);
    }

    async history() {
      try {
        const { items } = await json("GET", `v1/conversations/threads/${kept.thread}/messages?order=desc&limit=50`);
        return items.reverse();
      } catch (error) {
        if (error.status !== 404) throw error;
        keep({ thread: null, pending: null });
        return [];
      }
    }

    again() {
      this.stopped?.abort();
      keep({ thread: null, pending: null, fresh: true });
      this.begun = null;
      this.begin();
      this.box.focus();
    }

    clear() {
      this.log.replaceChildren();
    }

    // ---- A turn ----

    async submit() {
      const content = this.box.value;
      if (!content.trim()) return;
      await this.begin();
      if (!this.begun || this.running) return;
      this.box.value = "";
      const pending = { content, create: uuid(), turn: uuid() };
      keep({ pending });
      await this.answer(pending, false);
    }

    // answer takes the turn of a message, under the same operation until it has ended: a call that is repeated, also
    // after a reload, joins the turn and takes no other.
    async answer(pending, shown) {
      const stopped = (this.stopped = new AbortController());
      this.busy(true);
      this.warning?.remove();
      if (!shown) this.show({ role: "user", content: pending.content, citations: [] });
      const item = this.show({ role: "assistant", content: "", citations: [], waiting: true });
      try {
        await this.stream(pending, item, stopped.signal);
      } catch (error) {
        if (stopped.signal.aborted) return;
        if (!item.message.content) item.node.remove();
        const again = error.passes || error instanceof TypeError;
        if (!again) keep({ pending: null });
        this.complain(error, again && (() => this.answer(pending, true)));
      } finally {
        if (this.stopped === stopped) this.busy(false);
      }
    }

    async stream(pending, item, signal) {
      const at = { last: null };
      for (let failures = 0; ; failures++) {
        let wait = Math.min(8000, 300 * 2 ** failures);
        try {
          const thread = await this.thread(pending, signal);
          const answer = await call("POST", `v1/conversations/threads/${thread}/turn`, {
            signal, body: { content: pending.content, on_busy: "enqueue" },
            headers: { Accept: "text/event-stream", "X-Operation-Id": pending.turn, ...(at.last && { "Last-Event-ID": at.last }) },
          });
          if (answer.status === 204) return this.reload();
          for await (const event of events(answer)) {
            if (signal.aborted) return;
            if (event.type !== "stream.closed") [at.last, failures] = [event.id, 0];
            if (this.take(event, item)) return;
          }
        } catch (error) {
          if (signal.aborted) throw error;
          if (error.code === "THREAD_NOT_FOUND" && kept.thread) { // it was deleted: another one
            Object.assign(pending, { create: uuid(), turn: uuid() });
            keep({ thread: null, pending });
          } else if (failures >= 6 || !(error instanceof TypeError || (error.passes && !error.turn && error.retryAfter <= 8))) {
            throw error;
          }
          wait = Math.max(wait, 1000 * (error.retryAfter || 0));
          if (failures > 0) this.say(texts.offline);
        }
        if (failures >= 6) throw new Failure(503, { message: texts.failed }, 0);
        await this.pause(wait, signal);
      }
    }

    async thread(pending, signal) {
      if (!kept.thread) {
        const made = await json("POST", "v1/conversations/threads", {
          signal, body: {}, headers: { "X-Operation-Id": pending.create },
        });
        keep({ thread: made.id, fresh: false });
      }
      return kept.thread;
    }

    // take takes in an event, and returns whether it was the last one.
    take(event, item) {
      const { message } = item;
      switch (event.type) {
        case "turn.created":
          this.turn = event.turn_id;
          break;
        case "message.created":
          Object.assign(message, { content: "", citations: [], id: event.message_id });
          this.draw(item);
          break;
        case "message.delta":
          message.content += event.delta.text;
          this.draw(item);
          break;
        case "citation.added":
          message.citations.push(event.citation);
          this.draw(item);
          break;
        case "message.completed":
          Object.assign(message, event.message, { waiting: false });
          this.draw(item);
          break;
        case "turn.failed": {
          const passes = event.error.code === "DOWNSTREAM_UNAVAILABLE";
          throw Object.assign(new Failure(passes ? 503 : 422, event.error, 0), { turn: true });
        }
        case "turn.completed":
        case "turn.cancelled":
          message.waiting = false;
          if (event.type === "turn.cancelled") message.status = "cancelled";
          keep({ pending: null });
          this.draw(item);
          this.say(message.status === "cancelled" ? texts.stopped : `${texts.bot}: ${message.content}`);
          return true;
      }
      return false;
    }

    async stop() {
      if (!this.turn || !kept.thread) return;
      this.act.disabled = true;
      try {
        await call("POST", `v1/conversations/threads/${kept.thread}/turns/${this.turn}/cancel`, { headers: { "X-Operation-Id": uuid() } });
      } catch (error) {
        this.complain(error);
      } finally {
        this.act.disabled = false;
      }
    }

    // reload shows what is stored: of a turn that had ended there are no events any more.
    async reload() {
      keep({ pending: null });
      const items = await this.history();
      this.clear();
      for (const item of items) this.show(item);
    }

    busy(running) {
      this.running = running;
      this.turn = running ? null : this.turn;
      const label = running ? texts.stop : texts.send;
      this.act.setAttribute("aria-label", label);
      this.act.title = label;
      this.act.replaceChildren(icon(running ? "stop" : "send"));
      this.fresh.disabled = running;
      if (running) this.say(texts.writing);
    }

    pause(milliseconds, signal) {
      return new Promise((resolve) => {
        const done = () => {
          clearTimeout(timer);
          removeEventListener("online", done);
          resolve();
        };
        const timer = setTimeout(done, milliseconds);
        addEventListener("online", done);
        signal.addEventListener("abort", done);
      });
    }

    // ---- Drawing ----

    show(message) {
      const item = { message, node: element("div", { class: `item ${message.role}` }) };
      this.log.append(item.node);
      this.draw(item);
      return item;
    }

    draw(item) {
      if (item.due) return;
      item.due = true;
      requestAnimationFrame(() => {
        item.due = false;
        const { log } = this;
        const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
        item.node.replaceChildren(...this.parts(item));
        item.node.toggleAttribute("aria-busy", Boolean(item.message.waiting));
        if (atEnd || item.message.role === "user") log.scrollTop = log.scrollHeight;
      });
    }

    parts(item) {
      const { message } = item;
      const who = element("span", { class: "hear" }, `${message.role === "user" ? texts.you : texts.bot}: `);
      if (message.role === "user") return [who, element("div", { class: "text", dir: "auto" }, message.content)];
      if (!message.content && message.waiting) return [who, element("div", { class: "text wait" }, element("i"), element("i"), element("i"))];
      const sources = message.citations.length ? this.sources(message) : null;
      const cite = (number) =>
        message.citations.some((c) => c.number === number) &&
        element("button", { type: "button", class: "cite", "aria-label": `${texts.sources} ${number}`, onclick: () => this.reveal(sources, number) }, `[${number}]`);
      return [
        who, element("div", { class: "text" }, ...blocks(message.content, cite)),
        message.status === "cancelled" ? element("div", { class: "note" }, texts.stopped) : null,
        sources, message.id && !message.waiting ? this.rating(item) : null,
      ].filter(Boolean);
    }

    sources(message) {
      const quotes = message.citations.map((c) => element("div", { "data-number": c.number, tabindex: -1 },
        `[${c.number}] ${c.title}${c.page ? `, ${texts.page} ${c.page}` : ""}`, c.quote ? element("blockquote", { dir: "auto" }, c.quote) : null));
      return element("details", {}, element("summary", {}, `${texts.sources} (${quotes.length})`), ...quotes);
    }

    reveal(sources, number) {
      sources.open = true;
      const at = sources.querySelector(`[data-number="${number}"]`);
      at.focus();
      at.scrollIntoView({ block: "nearest" });
    }

    rating(item) {
      const { message } = item;
      const one = (rating) => button(rating, texts[rating], async () => {
        const before = message.feedback;
        message.feedback = { rating };
        mark();
        try {
          await call("PUT", `v1/conversations/messages/${message.id}/feedback`, { body: { rating }, headers: { "X-Operation-Id": uuid() } });
        } catch (error) {
          message.feedback = before;
          mark();
          this.complain(error);
        }
      });
      const both = { good: one("good"), bad: one("bad") };
      const mark = () => {
        for (const [rating, node] of Object.entries(both)) node.setAttribute("aria-pressed", String(message.feedback?.rating === rating));
      };
      mark();
      return element("div", { class: "rate" }, both.good, both.bad);
    }

    // say lets a screen reader hear something.
    say(text) {
      this.hear.textContent = text;
    }

    complain(error, again) {
      let text = texts.failed;
      if (error.code === "ORIGIN_NOT_ALLOWED") text = texts.origin;
      else if (error.status === 429) text = texts.wait.replace("{n}", error.retryAfter || 60);
      else if (error.status === 413) text = texts.long;
      else if (error instanceof TypeError || error.passes || error.status === 401 || error.status === 403) text = texts.away;
      this.warning?.remove();
      this.warning = element("div", { class: "note bad" }, text);
      if (again) this.warning.append(" ", element("button", { type: "button", onclick: () => (this.warning.remove(), again()) }, texts.retry));
      this.log.append(this.warning);
      this.log.scrollTop = this.log.scrollHeight;
      this.say(text);
      console.warn("parley:", error);
    }
  }

  customElements.define("parley-chat", Chat);
  const chat = document.createElement("parley-chat");
  if (options.theme) chat.dataset.theme = options.theme;
  if (options.position) chat.dataset.position = options.position;
  if (options.accent) chat.style.setProperty("--accent", options.accent);
  const start = () => {
    document.body.append(chat);
    if (kept.open || options.open === "true") chat.open(false);
  };
  if (document.body) start();
  else addEventListener("DOMContentLoaded", start);
})();
