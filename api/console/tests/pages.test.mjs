// Every page of a workspace in which everything has happened once, at two sizes and in two themes: no violations, and a picture of each.
import assert from 'node:assert/strict'
import { accessible, call, inBrowser, register, shoot, signIn } from './harness.mjs'
import { shopBot } from './people-of.mjs'

const long = 'A name as long as names get, which people who test and models that write will sooner or later give to a thing '.repeat(2).slice(0, 199).trim()

async function shop() {
  const ada = await register()
  const base = await call(ada, 'POST', '/v1/knowledge-bases', { name: long })
  const document = await call(ada, 'POST', `/v1/knowledge-bases/${base.id}/documents`, { title: long, text: 'Goods can be returned within 14 days of delivery.' })
  const { bot, thread, tool } = await shopBot(ada)
  await call(ada, 'POST', '/v1/bots', { name: long })
  await call(ada, 'POST', '/v1/conversations/threads', { bot_id: bot.id, title: long })
  const endpoint = await call(ada, 'POST', '/v1/webhook-endpoints', { bot_id: bot.id, name: long })
  await call(ada, 'POST', '/v1/webhook-subscriptions', { url: 'https://shop.example/parley', events: ['turn.completed'] })
  await call(ada, 'POST', '/v1/api-keys', { name: long, role: 'viewer' })
  await call(ada, 'POST', '/v1/invitations', { email: 'grace@example.com', role: 'editor' })
  const paths = [
    '', '/bots', ...['', '/instruction', '/knowledge', '/tools', '/versions'].map((tab) => `/bots/${bot.id}${tab}`),
    '/knowledge', `/knowledge/${base.id}`, `/knowledge/${base.id}/${document.id}`, '/tools', `/tools/${tool.id}`, '/conversations', `/conversations/${thread.id}`,
    '/channels', `/channels/endpoints/${endpoint.id}`, '/channels/subscriptions', '/channels/deliveries', '/work', '/work/jobs', '/work/dead-letters', '/usage', '/audit',
    '/people', '/people/invitations', '/people/keys', '/settings', '/settings/models', '/settings/account', '/nowhere',
  ]
  return { ada, paths }
}

for (const [size, theme] of [['desk', 'light'], ['phone', 'dark']]) {
  inBrowser(`every page can be read and used by everyone (${size}, ${theme})`, async (page) => {
    const { ada, paths } = await shop()
    await signIn(page, ada)
    for (const path of paths) {
      await page.goto(`/console${path}`)
      await page.getByRole('heading', { level: 1 }).first().waitFor()
      await accessible(page, path)
      assert.equal(await page.getByRole('alert').count(), 0, path)
      await shoot(page, `page${path.replace(/[0-9a-f-]{36}/g, 'one').replaceAll('/', '-')}`, true)
    }
  }, { size, theme, timeout: 300_000 })
}
