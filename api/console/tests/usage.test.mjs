import assert from 'node:assert/strict'
import { accessible, call, counted, inBrowser, register, shoot, signIn } from './harness.mjs'

const day = (n) => new Date(Date.now() - n * 86_400_000).toISOString().slice(0, 10)
const period = (n, turns, failed) => ({
  period: day(n), turns, completed: turns - failed, failed, error_rate: turns ? failed / turns : 0, input_tokens: turns * 420, output_tokens: turns * 180, cost_micros: turns * 2300,
  latency_ms: turns ? { p50: 700 + ((n * 37) % 240), p95: 1500 + ((n * 91) % 800), p99: 2600 } : { p50: null, p95: null, p99: null },
})

inBrowser('usage counts a turn, and says that nothing was used before', async (page) => {
  const ada = await register()
  await signIn(page, ada, '/usage')
  await page.getByRole('heading', { name: 'Nothing was used in this time' }).waitFor()
  await accessible(page)
  await shoot(page, 'usage-empty')
  const bot = await call(ada, 'POST', '/v1/bots', { name: 'Shop', settings: { model: 'echo' } })
  const thread = await call(ada, 'POST', '/v1/conversations/threads', { bot_id: bot.id })
  await call(ada, 'POST', `/v1/conversations/threads/${thread.id}/turn`, { content: 'hello' })
  for (let turns = 0; !turns; ) turns = (await call(ada, 'GET', '/v1/analytics/turns')).totals.turns
  await page.reload()
  await page.getByRole('slider', { name: 'Turns' }).waitFor()
  await page.getByRole('region', { name: 'By bot' }).getByRole('link', { name: 'Shop' }).waitFor()
  await accessible(page)
})

inBrowser('a cost is said to be in the operator’s currency, alike in the playground, conversations and usage', async (page) => {
  const ada = await register()
  const bot = await call(ada, 'POST', '/v1/bots', { name: 'Shop', settings: { model: 'echo' } })
  const thread = await call(ada, 'POST', '/v1/conversations/threads', { bot_id: bot.id })
  await call(ada, 'POST', `/v1/conversations/threads/${thread.id}/turn`, { content: 'hello' })
  for (let turns = 0; !turns; ) turns = (await call(ada, 'GET', '/v1/analytics/turns')).totals.turns
  // The echo model costs nothing.
  await page.route(/\/turns\?/, async (route) => {
    const response = await route.fetch()
    await route.fulfill({ response, body: (await response.text()).replace(/"cost_micros":\s*(0|null)/g, '"cost_micros":2300') })
  })
  await signIn(page, ada, `/conversations/${thread.id}`)
  await page.getByText('cost 0.0023 (operator’s currency)').waitFor()
  await accessible(page)
  await page.evaluate(([bot, thread]) => sessionStorage.setItem(`parley.playground.${bot}.`, thread), [bot.id, thread.id])
  await page.goto(`/console/bots/${bot.id}`)
  await page.getByText('cost 0.0023 (operator’s currency)').waitFor()
  await accessible(page)
  await page.goto('/console/usage')
  const cost = 'Cost (operator’s currency)'
  await page.getByRole('heading', { name: cost }).waitFor()
  await page.locator('.totals').getByText(cost).waitFor()
  await page.getByRole('region', { name: 'By bot' }).getByRole('columnheader', { name: cost }).waitFor()
  await accessible(page)
  await shoot(page, 'usage-cost')
})

for (const size of ['desk', 'phone']) {
  inBrowser(`charts are read by pointer, keys and as a table, and limits say what is left (${size})`, async (page) => {
    const ada = await register()
    const items = Array.from({ length: 30 }, (_, i) => period(29 - i, i % 7 === 5 ? 0 : 20 + ((i * 53) % 61) + i * 2, i % 9 === 4 ? 6 : i % 5 === 1 ? 1 : 0))
    const sum = (f) => items.reduce((n, i) => n + i[f], 0)
    const totals = { ...period(0, sum('turns'), sum('failed')), period: undefined, latency_ms: { p50: 812, p95: 1890, p99: 2600 } }
    await page.route('**/v1/analytics/turns?*', (r) => r.fulfill({ json: { granularity: 'day', from: day(29), to: day(-1), as_of: new Date().toISOString(), items, totals } }))
    await page.route('**/v1/usage', (r) =>
      r.fulfill({
        json: {
          month: '2026-11',
          metrics: [
            { metric: 'turns', used: 812, limit: 1000, remaining: 188, resets_at: '2026-12-01T00:00:00Z' },
            { metric: 'cost_micros', used: 5000000, limit: 5000000, remaining: 0, resets_at: '2026-12-01T00:00:00Z' },
            { metric: 'storage_bytes', used: 1048576, limit: 10485760, remaining: 9437184, resets_at: null },
            { metric: 'tokens', used: 91344, limit: null, remaining: null, resets_at: '2026-12-01T00:00:00Z' },
          ],
        },
      }),
    )
    await call(ada, 'POST', '/v1/bots', { name: 'Shop' })
    await signIn(page, ada, '/usage')
    const turns = page.getByRole('slider', { name: 'Turns' })
    await turns.focus()
    await page.keyboard.press('Home')
    assert.match(await turns.getAttribute('aria-valuetext'), /: Completed 20, Failed 0$/)
    await page.keyboard.press('ArrowRight')
    assert.match(await turns.getAttribute('aria-valuetext'), /: Completed 74, Failed 1$/)
    await shoot(page, 'usage')
    await page.getByText('As a table').click()
    await counted(page.getByRole('region', { name: 'As a table' }).getByRole('row'), 31)
    const meter = page.getByRole('meter', { name: 'Turns' })
    assert.equal(await meter.getAttribute('aria-valuetext'), '188 left')
    await page.getByText('Used up', { exact: false }).waitFor()
    await page.getByRole('meter', { name: 'Cost (operator’s currency)' }).waitFor()
    await accessible(page)
    await page.getByText('As a table').click()
    await meter.scrollIntoViewIfNeeded()
    await shoot(page, 'usage-limits')
    await page.getByRole('button', { name: '90 days' }).click()
    assert.equal(new URL(page.url()).search, '?range=quarter')
  }, { size, timeout: 180_000 })
}

inBrowser('usage that cannot be read says so, and is read again', async (page) => {
  const ada = await register()
  let broken = true
  await page.route('**/v1/analytics/turns?*', (r) => (broken ? r.fulfill({ status: 503, json: { code: 'DOWNSTREAM_UNAVAILABLE', message: 'try again', trace_id: 't-1', details: null } }) : r.continue()))
  await signIn(page, ada, '/usage')
  await page.getByRole('alert').waitFor()
  await accessible(page)
  await shoot(page, 'usage-failed')
  broken = false
  await page.getByRole('button', { name: 'Try again' }).click()
  await page.getByRole('heading', { name: 'Nothing was used in this time' }).waitFor()
})
