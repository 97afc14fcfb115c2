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

inBrowser('an editor has no audit log', async (page) => {
  const ada = await register()
  const eve = await join(ada, 'editor')
  await signIn(page, eve, '/audit')
  await page.getByRole('heading', { name: 'There is nothing here' }).first().waitFor()
  await counted(page.getByRole('link', { name: 'Audit log' }), 0)
})
