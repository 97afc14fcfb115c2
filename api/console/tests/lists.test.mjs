import assert from 'node:assert/strict'
import { accessible, call, inBrowser, register, scrolled, signIn } from './harness.mjs'

const all = 10_000
const bot = (n) => ({
  id: `00000000-0000-7000-8000-${String(n).padStart(12, '0')}`, workspace_id: '00000000-0000-7000-8000-000000000000', name: `Bot ${String(n).padStart(5, '0')}`, status: 'published',
  current_version: 1, published_version: 1, created_at: '2026-01-01T00:00:00Z', updated_at: '2026-01-01T00:00:00Z',
})

// The rows come from the test: so many cannot be made in its time. What is tested is the page.
inBrowser('a list of 10,000 rows is read to its end and keeps few rows in the page', async (page) => {
  const ada = await register()
  await page.route('**/v1/bots?limit=100*', (route) => {
    const from = Number(new URL(route.request().url()).searchParams.get('cursor') ?? 0)
    const next = from + 100 < all ? String(from + 100) : null
    return route.fulfill({ json: { items: Array.from({ length: 100 }, (_, i) => bot(from + i)), has_more: next !== null, next_cursor: next } })
  })
  await signIn(page, ada, '/bots')
  await page.getByRole('link', { name: 'Bot 00000' }).waitFor()
  const rows = await page.evaluate(async (all) => {
    const main = document.querySelector('#main')
    const table = document.querySelector('[role=table]')
    let most = 0
    while (table.getAttribute('aria-rowcount') !== String(all + 1)) {
      main.scrollTop = main.scrollHeight
      await new Promise(requestAnimationFrame)
      most = Math.max(most, table.querySelectorAll('[role=row]').length)
    }
    return most
  }, all)
  assert.ok(rows < 80, `${rows} rows in the page`)
  await scrolled(page, 'Bot 09999')
  await accessible(page)
  await page.locator('#main').evaluate((main) => (main.scrollTop = main.scrollHeight / 2))
  await page.getByRole('link', { name: 'Bot 05000' }).waitFor()
})

inBrowser('a list stays while it is read anew after a change', async (page) => {
  const ada = await register()
  await call(ada, 'POST', '/v1/api-keys', { name: 'Old', role: 'viewer' })
  await signIn(page, ada, '/people/keys')
  const table = page.getByRole('table', { name: 'API keys' })
  await table.getByText('Old').waitFor()
  let release
  const released = new Promise((done) => (release = done))
  const asked = page.waitForRequest((r) => r.method() === 'GET' && /\/v1\/api-keys\?/.test(r.url()))
  await page.route('**/v1/api-keys?*', async (route) => {
    await released
    await route.continue()
  })
  await page.getByRole('button', { name: 'New API key' }).first().click()
  await page.getByLabel('Name').fill('New')
  await page.getByRole('dialog').getByRole('button', { name: 'Create the key' }).click()
  await page.getByRole('button', { name: 'I have copied it' }).click()
  await asked
  assert.ok(await table.getByText('Old').isVisible())
  release()
  await table.getByText('New').waitFor()
})

inBrowser('no row is lost where the next page comes after the list was read anew', async (page) => {
  const ada = await register()
  await call(ada, 'POST', '/v1/api-keys', { name: 'Key', role: 'viewer' })
  const [key] = (await call(ada, 'GET', '/v1/api-keys')).items
  const row = (name, n) => ({ ...key, id: `00000000-0000-7000-8000-${String(n).padStart(12, '0')}`, name })
  let rows = Array.from({ length: 150 }, (_, n) => row(`Key ${String(n).padStart(3, '0')}`, n))
  let release
  const released = new Promise((done) => (release = done))
  await page.route('**/v1/api-keys?limit=100*', async (r) => {
    const at = new URL(r.request().url()).searchParams.get('cursor')
    if (!at) return r.fulfill({ json: { items: rows.slice(0, 100), has_more: true, next_cursor: rows[99].id } })
    if (at.endsWith('099')) await released
    return r.fulfill({ json: { items: rows.slice(rows.findIndex((x) => x.id === at) + 1), has_more: false, next_cursor: null } })
  })
  await signIn(page, ada, '/people/keys')
  const table = page.getByRole('table', { name: 'API keys' })
  await table.getByText('Key 000').waitFor()
  const asked = page.waitForRequest((r) => r.url().includes('cursor='))
  await page.locator('#main').evaluate((main) => (main.scrollTop = main.scrollHeight))
  await asked
  await page.locator('#main').evaluate((main) => (main.scrollTop = 0))
  rows = [row('New', 999), ...rows]
  await page.getByRole('button', { name: 'New API key' }).first().click()
  await page.getByLabel('Name').fill('New')
  await page.getByRole('dialog').getByRole('button', { name: 'Create the key' }).click()
  await page.getByRole('button', { name: 'I have copied it' }).click()
  await table.getByText('New').waitFor()
  release()
  await page.waitForFunction(() => document.querySelector('[role=table]').getAttribute('aria-rowcount') !== '-1')
  assert.equal(await table.getAttribute('aria-rowcount'), '152')
})

inBrowser('of more tools than are read at once the newest are offered, and one of a bot is read by itself', async (page) => {
  const ada = await register()
  const old = await call(ada, 'POST', '/v1/tools', { kind: 'client', name: 'oldest_tool', description: 'It is beyond the list.', schema: { type: 'object' }, effect: 'read' })
  const bot = await call(ada, 'POST', '/v1/bots', { name: 'Buyer', instruction: 'You order cups.', settings: { model: 'echo', tools: [{ id: old.id }] } })
  const [row] = (await call(ada, 'GET', '/v1/tools')).items
  let asked = 0
  await page.route('**/v1/tools?limit=100*', (route) => {
    const from = 100 * asked++
    return route.fulfill({ json: { items: Array.from({ length: 100 }, (_, i) => ({ ...row, id: `00000000-0000-7000-8000-${String(from + i).padStart(12, '0')}`, name: `tool_${from + i}` })), has_more: true, next_cursor: String(asked) } })
  })
  await signIn(page, ada, `/bots/${bot.id}/tools`)
  await page.getByText('Only your newest 500 tools are listed.').waitFor()
  await page.getByText('It is beyond the list.').waitFor()
  await page.getByRole('link', { name: 'oldest_tool' }).waitFor()
  assert.equal(asked, 5)
  await accessible(page)
})
