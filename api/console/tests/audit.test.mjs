import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { accessible, call, counted, inBrowser, register, shoot, signIn } from './harness.mjs'
import { join } from './people-of.mjs'

for (const size of ['desk', 'phone']) {
  inBrowser(`the log is filtered, opened, verified and exported (${size})`, async (page) => {
    const ada = await register()
    const bot = await call(ada, 'POST', '/v1/bots', { name: '<b>Shop</b>' })
    await call(ada, 'PATCH', `/v1/bots/${bot.id}`, { name: 'Store' }, { 'If-Match': `"${bot.revision ?? 1}"` }).catch(() => undefined)
    await signIn(page, ada, '/audit')
    const table = page.getByRole('table', { name: 'Audit log' })
    await table.getByRole('button', { name: 'bot.create' }).waitFor()
    await accessible(page)
    await shoot(page, 'audit')
    await page.getByLabel('Action').fill('bot.create')
    await page.waitForFunction(() => document.querySelectorAll('.rows .row').length === 1)
    await table.getByRole('button', { name: 'bot.create' }).click()
    const panel = page.getByRole('dialog', { name: 'bot.create' })
    await panel.getByText('<b>Shop</b>').first().waitFor()
    await accessible(page)
    await shoot(page, 'audit-entry')
    await panel.getByRole('button', { name: 'All about this resource' }).click()
    assert.equal(new URL(page.url()).searchParams.get('resource_id'), bot.id)
    await page.getByRole('button', { name: 'Clear filters' }).click()
    await page.waitForFunction(() => document.querySelectorAll('.rows .row').length > 1)

    await page.getByRole('button', { name: 'Verify' }).click()
    await page.getByText('The log is intact').waitFor()
    await accessible(page)
    await shoot(page, 'audit-verify')
    await page.keyboard.press('Escape')

    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Export' }).click()])
    const lines = readFileSync(await download.path(), 'utf8').trimEnd().split('\n').map((l) => JSON.parse(l))
    assert.ok(lines.some((l) => l.action === 'bot.create'))

    await page.getByLabel('Action').fill('nothing.such')
    await page.getByRole('heading', { name: 'No entry matches' }).waitFor()
    await accessible(page)
  }, { size, timeout: 180_000 })
}

for (const size of ['desk', 'phone']) {
  inBrowser(`entries that repeat are one row that opens, unless each is asked for (${size})`, async (page) => {
    const ada = await register()
    for (let i = 0, token = ada.refresh_token; i < 4; i++) ada.refresh_token = token = (await call(null, 'POST', '/v1/auth/refresh', { refresh_token: token })).refresh_token
    await signIn(page, ada, '/audit')
    const table = page.getByRole('table', { name: 'Audit log' })
    const run = table.getByRole('button', { name: /^session\.refresh 5 times$/ })
    const single = table.getByRole('button', { name: 'session.refresh', exact: true })
    await run.waitFor()
    await counted(single, 0)
    assert.equal(await run.getAttribute('aria-expanded'), 'false')
    await accessible(page)
    await shoot(page, 'audit-run')
    await run.click()
    await counted(single, 5)
    assert.equal(await run.getAttribute('aria-expanded'), 'true')
    await accessible(page)
    await shoot(page, 'audit-run-open')
    await single.last().click()
    await page.getByRole('dialog', { name: 'session.refresh' }).getByRole('button', { name: 'Close' }).click()
    await run.click()
    await counted(single, 0)

    await page.getByRole('checkbox', { name: 'Show repeated entries in one row' }).uncheck()
    await counted(single, 5)
    assert.equal(new URL(page.url()).searchParams.get('repeats'), 'each')
    await page.reload()
    await single.first().waitFor()
    await counted(run, 0)
    assert.equal(await page.getByRole('checkbox', { name: 'Show repeated entries in one row' }).isChecked(), false)
    await page.getByRole('checkbox', { name: 'Show repeated entries in one row' }).check()
    await table.getByRole('button', { name: /^session\.refresh \d+ times$/ }).waitFor()
    assert.equal(new URL(page.url()).search, '')
  }, { size })
}

inBrowser('pages of entries that repeat are read until there is another row, and after many only when asked', async (page) => {
  const ada = await register()
  const entry = (i) => ({
    id: `0193a000-0000-7000-8000-${String(i).padStart(12, '0')}`, workspace_id: ada.workspace_id, user_id: null, api_key_id: null, operation_id: null, trace_id: 't-1', action: i % 1450 === 349 ? 'bot.create' : 'session.refresh',
    resource_type: 'session', resource_id: null, changes: {}, ip: `10.0.0.${i % 3}`, user_agent: '', created_at: new Date(Date.now() - i * 60_000).toISOString(),
  })
  await page.route('**/v1/audit-log?*', (route) => {
    const from = Number(new URL(route.request().url()).searchParams.get('cursor') ?? 0)
    return route.fulfill({ json: { items: Array.from({ length: 100 }, (_, i) => entry(from + i)), next_cursor: from < 1900 ? String(from + 100) : null, has_more: from < 1900 } })
  })
  await signIn(page, ada, '/audit')
  const table = page.getByRole('table', { name: 'Audit log' })
  await table.getByRole('button', { name: 'session.refresh 349 times' }).waitFor()
  const more = page.getByRole('button', { name: /^Look further back \(1,\d00 entries read\)$/ })
  await more.waitFor()
  await counted(table.getByRole('button', { name: 'bot.create' }), 1)
  await accessible(page)
  await more.click()
  await counted(table.getByRole('button', { name: 'bot.create' }), 2)
  await table.getByRole('button', { name: 'session.refresh 1,449 times' }).waitFor()
  await table.getByRole('button', { name: 'session.refresh 200 times' }).waitFor()
  await counted(more, 0)
})

inBrowser('an editor has no audit log', async (page) => {
  const ada = await register()
  const eve = await join(ada, 'editor')
  await signIn(page, eve, '/audit')
  await page.getByRole('heading', { name: 'There is nothing here' }).first().waitFor()
  await counted(page.getByRole('link', { name: 'Audit log' }), 0)
})
