import assert from 'node:assert/strict'
import { accessible, call, counted, inBrowser, register, shoot, signIn } from './harness.mjs'
import { join, shopBot } from './people-of.mjs'

const id = (n) => `01923e5b-7a31-7d20-9f3e-5a1b2c3d4e${String(n).padStart(2, '0')}`

for (const size of ['desk', 'phone']) {
  inBrowser(`a call of a tool is approved with other arguments, and one is denied (${size})`, async (page) => {
    const ada = await register()
    await shopBot(ada, { order: '<img src=x onerror=alert(1)>' })
    await signIn(page, ada, '/work')
    const table = page.getByRole('table', { name: 'Tool calls' })
    await table.getByText('Waiting').waitFor()
    await accessible(page)
    await shoot(page, 'work-calls')
    await table.getByRole('link', { name: /cancel_order/ }).click()
    const panel = page.getByRole('dialog', { name: 'cancel_order' })
    await panel.getByText('<img src=x').waitFor()
    await accessible(page)
    await shoot(page, 'work-call')
    await panel.getByRole('button', { name: 'Edit arguments' }).click()
    await panel.getByLabel('Arguments').fill('nonsense')
    await panel.getByRole('button', { name: 'Approve with changes' }).click()
    await panel.getByText('Write a JSON object.').waitFor()
    await panel.getByLabel('Arguments').fill('{"order": "8"}')
    await panel.getByRole('button', { name: 'Approve with changes' }).click()
    await page.getByText('Approved. The turn goes on.').waitFor()
    const made = (await call(ada, 'GET', '/v1/tool-calls')).items[0]
    assert.deepEqual(made.arguments, { order: '8' })
    await page.keyboard.press('Escape')
    await page.getByRole('heading', { name: 'Nothing waits for you' }).waitFor()
    await accessible(page)
    await shoot(page, 'work-calls-empty')
  }, { size, timeout: 180_000 })
}

inBrowser('a call is denied with a reason, and who may not decide sees no button', async (page, context) => {
  const ada = await register()
  await shopBot(ada)
  const vera = await join(ada, 'viewer')
  const other = await context.newPage()
  await signIn(other, vera, '/work')
  await other.getByRole('link', { name: /cancel_order/ }).click()
  await other.getByText('It waits for somebody who may approve').waitFor()
  await counted(other.getByRole('button', { name: /Approve|Deny/ }), 0)
  await counted(other.getByRole('link', { name: 'Jobs' }), 0, 'a viewer may not read jobs')
  await other.close()

  await signIn(page, ada, '/work')
  await page.getByRole('link', { name: /cancel_order/ }).click()
  await page.getByLabel(/^Reason/).fill('The order has left.')
  await page.getByRole('button', { name: 'Deny' }).click()
  await page.getByText('Denied. The bot is told the reason.').waitFor()
  const denied = (await call(ada, 'GET', '/v1/tool-calls')).items[0]
  assert.deepEqual([denied.status, denied.reason], ['denied', 'The order has left.'])
})

inBrowser('a call that a client was to make is answered in its place, and an unknown one is settled', async (page) => {
  const ada = await register()
  await shopBot(ada, { kind: 'client' })
  await signIn(page, ada, '/work')
  await page.getByRole('link', { name: /cancel_order/ }).click()
  await page.getByLabel('Answer in its place').fill('done by hand')
  await page.getByRole('button', { name: 'Send the result' }).click()
  await page.getByText('Answered. The turn goes on.').waitFor()
  const answered = (await call(ada, 'GET', '/v1/tool-calls')).items[0]
  assert.deepEqual([answered.status, answered.result], ['succeeded', 'done by hand'])
  await page.keyboard.press('Escape')

  // An answer that is lost takes a broken network; the page is shown one.
  const lost = { ...answered, id: id(1), kind: 'http', status: 'unknown', result: null }
  let sent
  await page.route('**/v1/tool-calls?*', (r) => r.fulfill({ json: { items: [lost], next_cursor: null, has_more: false } }))
  await page.route(`**/v1/tool-calls/${lost.id}**`, (r) => {
    if (r.request().method() === 'POST') sent = { body: r.request().postDataJSON(), operation: r.request().headers()['x-operation-id'] }
    return r.fulfill({ json: sent ? { ...lost, status: 'succeeded', result: 'it is cancelled' } : lost })
  })
  await page.getByRole('button', { name: 'Outcome unknown' }).click()
  await page.getByRole('link', { name: /cancel_order/ }).click()
  await page.getByLabel(/^What you found out/).fill('it is cancelled')
  await accessible(page)
  await shoot(page, 'work-unknown')
  await page.getByRole('button', { name: 'It happened' }).click()
  await page.getByText('Settled').waitFor()
  assert.deepEqual(sent.body, { decision: 'succeeded', result: 'it is cancelled' })
  assert.match(sent.operation, /^[0-9a-f-]{36}$/)
})

for (const size of ['desk', 'phone']) {
  inBrowser(`jobs and dead letters are shown, retried and discarded (${size})`, async (page) => {
    const ada = await register()
    const letters = [1, 2].map((n) => ({ id: id(n), job_id: id(n + 10), kind: 'webhook.deliver', key: `delivery-${n}`, attempts: 8, failures: 8, operation_id: null, trace_id: 'trace-1', last_error: 'the server answered <b>500</b>', created_at: new Date().toISOString() }))
    const left = new Set(letters.map((l) => l.id))
    const asked = []
    await page.route('**/v1/dead-letters**', (r) => {
      const [, one] = new URL(r.request().url()).pathname.match(/dead-letters\/([0-9a-f-]{36})/) ?? []
      const method = r.request().method()
      if (method !== 'GET') asked.push(`${method} ${new URL(r.request().url()).pathname.replace(one ?? '', 'ID')}`)
      if (method === 'DELETE') return left.delete(one), r.fulfill({ status: 204 })
      if (method === 'POST' && one) return left.delete(one), r.fulfill({ json: { id: one, job_id: id(30) } })
      if (one) return r.fulfill({ json: { ...letters.find((l) => l.id === one), payload: { url: 'https://shop.example/hook' }, errors: [{ attempt: 8, at: new Date().toISOString(), error: 'the server answered <b>500</b>' }] } })
      return r.fulfill({ json: { items: letters.filter((l) => left.has(l.id)), next_cursor: null, has_more: false } })
    })
    await signIn(page, ada, '/work/jobs')
    await page.getByRole('table', { name: 'Jobs' }).or(page.getByRole('heading', { name: 'No jobs in the last 7 days' })).waitFor()
    await accessible(page)
    await shoot(page, 'work-jobs')
    await page.getByRole('link', { name: 'Dead letters' }).click()
    await page.getByRole('table', { name: 'Dead letters' }).waitFor()
    await accessible(page)
    await shoot(page, 'work-dead-letters')
    await page.getByRole('link', { name: /Deliver a webhook/ }).first().click()
    await page.getByRole('heading', { name: 'Errors' }).waitFor()
    await accessible(page)
    await shoot(page, 'work-dead-letter')
    await page.getByRole('dialog').getByRole('button', { name: 'Retry' }).click()
    await page.getByText('Queued again').waitFor()
    await page.getByRole('link', { name: /Deliver a webhook/ }).first().click()
    await page.getByRole('dialog').getByRole('button', { name: 'Discard' }).click()
    await page.getByRole('dialog', { name: 'Discard this dead letter?' }).getByRole('button', { name: 'Discard' }).click()
    await page.getByRole('heading', { name: 'No dead letters' }).waitFor()
    assert.deepEqual(asked, ['POST /v1/dead-letters/ID/retry', 'DELETE /v1/dead-letters/ID'])
  }, { size, timeout: 180_000 })
}
