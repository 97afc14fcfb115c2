import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { accessible, call, counted, inBrowser, register, shoot, signIn } from './harness.mjs'

const attack = '<img src=x onerror=alert(1)>'

// clerk is a workspace whose bot answers from a document.
async function clerk() {
  const ada = await register()
  const base = await call(ada, 'POST', '/v1/knowledge-bases', { name: 'Terms', language: 'english' })
  const document = await call(ada, 'POST', `/v1/knowledge-bases/${base.id}/documents`, { title: 'Returns', text: 'We sell kettles.\n\nGoods can be returned within 14 days of delivery.\n\nShipping is free.' })
  while ((await call(ada, 'GET', `/v1/knowledge-bases/${base.id}/documents/${document.id}`)).status !== 'ready') await new Promise((done) => setTimeout(done, 100))
  const bot = await call(ada, 'POST', '/v1/bots', { name: 'Clerk', settings: { knowledge: [{ id: base.id }] } })
  return { ada, base, bot }
}

const begin = (ada, bot, title) => call(ada, 'POST', '/v1/conversations/threads', { bot_id: bot.id, ...(title && { title }) })
const say = (ada, thread, content, more = {}) => call(ada, 'POST', `/v1/conversations/threads/${thread.id}/turn`, { content, ...more })

for (const size of ['desk', 'phone']) {
  inBrowser(`a person finds a conversation, opens a citation at its words, rates and exports (${size})`, async (page) => {
    const { ada, bot } = await clerk()
    await signIn(page, ada, '/conversations')
    await page.getByRole('heading', { name: 'No conversations yet' }).waitFor()
    await accessible(page)
    await shoot(page, 'conversations-none')

    const thread = await begin(ada, bot, `Returns ${attack}`)
    const first = await say(ada, thread, 'Within how many days can goods be returned?')
    await say(ada, thread, `${attack} متى أعيدها؟`)
    await say(ada, thread, 'And what about kettles?', { parent_turn_id: first.turn_id })
    await begin(ada, bot)
    await page.reload()
    await page.getByRole('link', { name: `Returns ${attack}` }).waitFor()
    await accessible(page)
    await shoot(page, 'conversations')
    await page.getByLabel('Status').selectOption('archived')
    await page.getByRole('heading', { name: 'No conversation matches' }).waitFor()
    await accessible(page)
    await page.getByRole('button', { name: 'Clear the filters' }).first().click()
    await page.getByRole('link', { name: `Returns ${attack}` }).click()
    await page.getByText('And what about kettles?').first().waitFor()
    await accessible(page)
    await shoot(page, 'conversation')

    await page.getByRole('button', { name: 'The version before' }).click()
    await page.getByText('متى أعيدها؟').first().waitFor()
    await page.getByRole('button', { name: 'Show the current one' }).click()
    await page.getByText('And what about kettles?').first().waitFor()

    await page.getByRole('button', { name: 'What was searched' }).first().click()
    await page.getByText('cited', { exact: true }).first().waitFor()
    await accessible(page)
    await shoot(page, 'conversation-searched')

    await page.getByRole('button', { name: 'Bad' }).first().click()
    await page.getByLabel('Comment').fill('Say it shorter.')
    await accessible(page)
    await page.getByRole('button', { name: 'Rate as bad' }).click()
    await page.getByText('Your comment: Say it shorter.').waitFor()
    assert.equal(await page.getByRole('button', { name: 'Bad' }).first().getAttribute('aria-pressed'), 'true')

    const bad = page.url()
    await page.goto('/console/conversations?rating=bad')
    await page.getByRole('link', { name: `Returns ${attack}` }).waitFor()
    await counted(page.getByRole('table', { name: 'Conversations' }).getByRole('link'), 1, 'those that are rated bad')
    await page.getByLabel('Feedback').selectOption('good')
    await page.getByRole('heading', { name: 'No conversation matches' }).waitFor()
    await page.goto(bad)

    const download = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Export' }).click()
    const lines = (await readFile(await (await download).path(), 'utf8')).trim().split('\n')
    assert.equal(lines.length, 4, 'the current branch')

    await page.getByRole('list', { name: 'Sources' }).first().getByRole('link', { name: /Returns/ }).click()
    await page.locator('mark').waitFor()
    assert.equal(await page.locator('mark').textContent(), 'Goods can be returned within 14 days of delivery.')
    assert.ok(await page.locator('mark').evaluate((mark) => mark === document.activeElement), 'the passage has the focus')
    await accessible(page)
    await shoot(page, 'conversation-cited')
    await page.goBack()
    await page.getByRole('button', { name: 'More' }).click()
    await page.getByRole('menuitem', { name: 'Delete' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
    await page.getByRole('heading', { name: 'Conversations' }).waitFor()
    await page.getByRole('link', { name: /^Conversation of/ }).waitFor()
    await counted(page.getByRole('link', { name: `Returns ${attack}` }), 0)
  }, { size, timeout: 240_000 })
}

inBrowser('a turn that failed says what to do, and is tried again', async (page) => {
  const { ada, bot } = await clerk()
  const thread = await begin(ada, bot, 'Broken')
  await say(ada, thread, 'Hello')
  const real = await call(ada, 'GET', `/v1/conversations/threads/${thread.id}/turns`)
  // The echo model never fails: the state of the turn is changed on its way to the page.
  let failed = true
  let operation = ''
  await page.route(/\/turns(\?|$)/, async (route) => {
    const response = await route.fetch()
    const list = await response.json()
    if (failed) list.items[0] = { ...list.items[0], status: 'failed', assistant_message_id: null, error: { code: 'MODEL_QUOTA', message: `no credit ${attack}`, details: null } }
    await route.fulfill({ response, json: list })
  })
  await page.route(/\/messages\?/, async (route) => {
    const response = await route.fetch()
    const list = await response.json()
    if (failed) list.items = list.items.filter((m) => m.role === 'user')
    await route.fulfill({ response, json: list })
  })
  await page.route(/\/retry$/, async (route) => {
    operation = route.request().headers()['x-operation-id']
    failed = false
    await route.fulfill({ json: {} })
  })
  await signIn(page, ada, `/conversations/${thread.id}`)
  await page.getByText('Add credit at the provider of the model').waitFor()
  await page.getByText(`no credit ${attack}`).waitFor()
  await accessible(page)
  await shoot(page, 'conversation-failed')
  await page.getByRole('button', { name: 'Try again' }).click()
  await page.getByText('Echo: Hello').waitFor()
  assert.match(operation, /^[0-9a-f-]{36}$/)
  assert.equal(real.items.length, 1)
})

inBrowser('a viewer reads conversations and is offered no change', async (page) => {
  const { ada, bot } = await clerk()
  const thread = await begin(ada, bot, 'Quiet')
  await say(ada, thread, 'Hello')
  await page.route('**/v1/auth/me', async (route) => {
    const response = await route.fetch()
    const me = await response.json()
    await route.fulfill({ response, json: { ...me, memberships: me.memberships.map((m) => ({ ...m, role: 'viewer' })) } })
  })
  await signIn(page, ada, `/conversations/${thread.id}`)
  await page.getByText('Echo: Hello').waitFor()
  for (const name of ['Good', 'Bad', 'More', 'Try again']) await counted(page.getByRole('button', { name }), 0, name)
  await accessible(page)
  await page.goto('/console/conversations/00000000-0000-4000-8000-000000000000')
  await page.getByRole('heading', { name: 'This conversation is not here' }).waitFor()
  await accessible(page)
})
