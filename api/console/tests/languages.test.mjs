import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { accessible, call, inBrowser, register, shoot } from './harness.mjs'

const pages = [...readFileSync(new URL('../src/pages/index.ts', import.meta.url), 'utf8').matchAll(/path: '([^']+)', routes/g)].map((m) => m[1])

// latin returns the visible texts of headings, buttons, tabs, labels and columns of the page that have letters and none of them Cyrillic, and the sentences
// that seem to be English.
const latin = (page) =>
  page.evaluate(() => {
    const names = new Set(['OpenAI', 'Anthropic', 'English', 'Parley', 'Base URL', 'curl', 'JSON', 'echo'])
    const visible = (e) => e.checkVisibility({ checkVisibilityCSS: true }) && !e.closest('.visually-hidden, code, pre, time, .languages, .account')
    const texts = [...document.querySelectorAll('h1, h2, h3, button, nav a, main a.button, label, legend, summary, dt, [role=columnheader]')].filter(visible).map((e) => e.getAttribute('aria-label') ?? e.innerText)
    const left = texts.map((t) => t.trim()).filter((t) => /[a-z]{2}/i.test(t) && !/[а-яё]/i.test(t) && !names.has(t) && !/^v\d+$|@|^[a-z_]+\.[a-z_]+$/.test(t))
    const walker = document.createTreeWalker(document.getElementById('main'), NodeFilter.SHOW_TEXT)
    const sentences = []
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      if (node.parentElement && visible(node.parentElement) && /[a-z]{2,} [a-z]{2,} [a-z]{2,}/i.test(node.data)) sentences.push(node.data.trim())
    }
    return [...left, ...sentences]
  })

async function signInRussian(page, person) {
  await page.goto('/console')
  await page.getByRole('heading', { name: 'Вход в Parley' }).waitFor()
  assert.deepEqual(await latin(page), [], 'the sign-in page')
  await page.getByLabel('Электронная почта').fill(person.email)
  await page.getByLabel('Пароль', { exact: true }).fill(person.password)
  await page.getByRole('button', { name: 'Войти' }).click()
  await page.getByRole('heading', { name: 'Добро пожаловать в Акме' }).waitFor()
}

// check opens pages, and fails with all that is wrong on them.
async function check(page, paths) {
  const wrong = []
  for (const path of paths) {
    await page.goto(`/console${path === '/' ? '' : path}`)
    await page.locator('main h1').waitFor()
    await accessible(page).catch((e) => wrong.push(`${path}: ${JSON.stringify(e.actual ?? e.message)}`))
    wrong.push(...(await latin(page)).map((text) => `${path}: ${text}`))
    await shoot(page, `ru${path.replace(/[0-9a-f-]{36}/g, 'id').replace(/\W+/g, '-')}`)
  }
  assert.deepEqual(wrong, [])
}

inBrowser('every page of an empty workspace speaks Russian', async (page) => {
  assert.ok(pages.length >= 9)
  await signInRussian(page, await register('Акме'))
  await check(page, [...pages, '/people/invitations', '/people/keys', '/people/sessions', '/settings/models', '/settings/account', '/nothing'])
}, { locale: 'ru-RU', timeout: 300_000 })

inBrowser('pages with things in them, and their dialogs, speak Russian', async (page) => {
  const ada = await register('Акме')
  const base = await call(ada, 'POST', '/v1/knowledge-bases', { name: 'Справка' })
  const bot = await call(ada, 'POST', '/v1/bots', { name: 'Магазин', instruction: 'Отвечай кратко.', settings: { model: 'echo', knowledge: [{ id: base.id }] } })
  const thread = await call(ada, 'POST', '/v1/conversations/threads', { bot_id: bot.id, title: 'Вопрос о чайнике' })
  await call(ada, 'POST', `/v1/conversations/threads/${thread.id}/turn`, { content: 'Привет' })
  await signInRussian(page, ada)
  await check(page, ['/', '/bots', '/bots?new=1', `/bots/${bot.id}`, `/bots/${bot.id}/instruction`, `/bots/${bot.id}/knowledge`, `/bots/${bot.id}/versions`, '/knowledge', `/knowledge/${base.id}`, '/conversations', `/conversations/${thread.id}`, '/work/jobs', '/usage', '/audit', '/people', '/people?new=1', '/people/keys?new=1'])
}, { locale: 'ru-RU', timeout: 300_000 })
