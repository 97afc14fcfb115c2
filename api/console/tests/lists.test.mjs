import assert from 'node:assert/strict'
import { accessible, call, inBrowser, register, signIn } from './harness.mjs'

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
  await page.waitForFunction(() => {
    const main = document.querySelector('#main')
    main.scrollTop = main.scrollHeight
    return main.textContent.includes('Bot 09999')
  })
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
