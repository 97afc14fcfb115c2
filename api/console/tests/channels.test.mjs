import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { createServer } from 'node:http'
import { promisify } from 'node:util'
import { accessible, call, counted, inBrowser, register, shoot, signIn, url } from './harness.mjs'
import { join } from './people-of.mjs'

const sign = (secret, id, at, body) => 'v1,' + createHmac('sha256', Buffer.from(secret.replace('whsec_', ''), 'base64')).update(`${id}.${at}.${body}`).digest('base64')

// send sends a signed event to an endpoint, as an outside system does.
async function send(endpoint, id, event) {
  const body = JSON.stringify(event)
  const at = String(Math.floor(Date.now() / 1000))
  return call(null, 'POST', endpoint.path, event, { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': sign(endpoint.secret, id, at, body) })
}

const message = (text, conversation = 'chat-42') => ({ type: 'message.received', data: { conversation_id: conversation, text } })

// receiver starts a server on this machine that keeps what is delivered to it, and answers as answer says.
async function receiver(answer = { status: 200, body: 'ok' }) {
  const got = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (part) => (body += part))
    request.on('end', () => {
      got.push({ headers: request.headers, body })
      response.writeHead(answer.status, { 'Content-Type': 'text/html' }).end(answer.body)
    })
  })
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening))
  return { got, answer, url: `http://127.0.0.1:${server.address().port}/hook`, close: () => (server.closeAllConnections(), server.close()) }
}

const verified = (secret, { headers, body }) => headers['webhook-signature'].split(' ').includes(sign(secret, headers['webhook-id'], headers['webhook-timestamp'], body))

const echoBot = (owner, name = 'Shop') => call(owner, 'POST', '/v1/bots', { name, settings: { model: 'echo' } })

for (const size of ['desk', 'phone']) {
  inBrowser(`an endpoint is made in the page, and a message that is sent twice is answered once (${size})`, async (page) => {
    const ada = await register()
    const bot = await echoBot(ada)
    await signIn(page, ada, '/channels')
    await page.getByRole('heading', { name: 'No endpoints yet' }).waitFor()
    await accessible(page)
    await shoot(page, 'channels-empty')
    await page.getByRole('button', { name: 'New endpoint' }).first().click()
    const dialog = page.getByRole('dialog', { name: 'New endpoint' })
    await dialog.getByLabel('Name').fill('Telegram')
    await accessible(page)
    await shoot(page, 'channels-endpoint-new')
    await dialog.getByRole('button', { name: 'Create' }).click()

    const ready = page.getByRole('dialog', { name: 'The endpoint is ready' })
    const secret = await ready.getByRole('region', { name: 'Secret', exact: true }).textContent()
    const script = await ready.getByRole('region', { name: 'Signed example' }).textContent()
    const made = (await call(ada, 'GET', '/v1/webhook-endpoints')).items[0]
    assert.equal(await ready.getByRole('region', { name: 'Send to this URL' }).textContent(), url + made.path)
    assert.equal(made.bot_id, bot.id)
    await accessible(page)
    await shoot(page, 'channels-endpoint-secret')
    await ready.getByRole('button', { name: 'I have the secret' }).click()
    await page.getByRole('heading', { name: 'Telegram' }).waitFor()
    await page.getByText('Nothing came in yet').waitFor()
    await accessible(page)
    await counted(page.getByText(secret), 0, 'the secret is not shown again')

    // The example works as it stands.
    const { stdout } = await promisify(execFile)('bash', ['-c', script])
    assert.equal(JSON.parse(stdout).duplicate, false, stdout)

    const text = 'أين طلبي؟ <img src=x onerror="alert(1)"><script>alert(2)</script>'
    const endpoint = { ...made, secret }
    const first = await send(endpoint, 'msg_1', message(text, 'chat-7'))
    const second = await send(endpoint, 'msg_1', message(text, 'chat-7'))
    assert.deepEqual([first.duplicate, second.duplicate, second.event_id], [false, true, first.event_id])

    const events = page.getByRole('table', { name: 'Events' })
    await events.getByText('msg_1', { exact: true }).waitFor()
    await counted(events.getByText('Processed'), 2)
    await counted(events.getByText('msg_1', { exact: true }), 1)
    await accessible(page)
    await shoot(page, 'channels-endpoint')
    await events.getByRole('link', { name: /chat-7/ }).click()
    const panel = page.getByRole('dialog', { name: 'Message' })
    await panel.getByRole('heading', { name: 'Reply' }).waitFor()
    await counted(panel.locator('.said').getByText(text), 2, 'the message and its echo, as texts')
    await counted(panel.locator('img, script'), 0)
    assert.equal(await panel.locator('.said').first().evaluate((p) => getComputedStyle(p).direction), 'rtl')
    await accessible(page)
    await shoot(page, 'channels-event')
    const turns = (await call(ada, 'GET', `/v1/conversations/threads/${(await call(ada, 'GET', `/v1/webhook-events/${first.event_id}`)).thread_id}/turns`)).items
    assert.equal(turns.length, 1)
    await panel.getByRole('link', { name: 'Open the conversation' }).click()
    await page.getByText(text).first().waitFor()
  }, { size, timeout: 180_000 })
}

inBrowser('an endpoint is changed, its secret rotated, disabled, enabled and deleted', async (page) => {
  const ada = await register()
  const bot = await echoBot(ada)
  await echoBot(ada, 'Second')
  const endpoint = await call(ada, 'POST', '/v1/webhook-endpoints', { name: 'Mail', bot_id: bot.id })
  await signIn(page, ada, '/channels')
  await page.getByRole('table', { name: 'Endpoints' }).getByRole('link', { name: 'Mail' }).click()
  await page.getByRole('button', { name: 'Change' }).click()
  const form = page.getByRole('dialog', { name: 'Change the endpoint' })
  await form.getByLabel('Name').fill('')
  await form.getByLabel('Name').fill('Mailbox '.repeat(20).trim())
  await form.getByLabel('Bot').selectOption({ label: 'Second' })
  await form.getByRole('button', { name: 'Save' }).click()
  await page.getByRole('heading', { name: /^Mailbox/ }).waitFor()
  await page.getByRole('link', { name: 'Second' }).waitFor()

  await page.getByRole('button', { name: 'More' }).click()
  await page.getByRole('menuitem', { name: 'Rotate the secret' }).click()
  await page.getByLabel('The old secret stays valid for').selectOption({ label: 'No time: it ends at once' })
  await accessible(page)
  await page.getByRole('button', { name: 'Rotate', exact: true }).click()
  const secret = await page.getByRole('region', { name: 'Secret', exact: true }).textContent()
  await page.getByRole('button', { name: 'I have the secret' }).click()
  await assert.rejects(send(endpoint, 'msg_old', message('old')), /401/)
  await send({ ...endpoint, secret }, 'msg_new', message('new'))
  await page.getByText('msg_new', { exact: true }).waitFor()

  await page.getByRole('button', { name: 'More' }).click()
  await page.getByRole('menuitem', { name: 'Disable' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Disable' }).click()
  await page.getByText('messages that come in are refused').waitFor()
  await assert.rejects(send({ ...endpoint, secret }, 'msg_off', message('off')), /403/)
  await accessible(page)
  await shoot(page, 'channels-endpoint-disabled')
  await page.getByRole('button', { name: 'More' }).click()
  await page.getByRole('menuitem', { name: 'Enable' }).click()
  await page.getByText('Enabled').waitFor()
  await counted(page.getByText('messages that come in are refused'), 0)

  await page.getByRole('button', { name: 'More' }).click()
  await page.getByRole('menuitem', { name: 'Delete' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
  await page.getByRole('heading', { name: 'No endpoints yet' }).waitFor()
  await page.getByRole('link', { name: 'Received' }).click()
  await page.getByRole('table', { name: 'Events' }).getByText('Deleted endpoint').waitFor()
  await accessible(page)
})

for (const size of ['desk', 'phone']) {
  inBrowser(`a subscription is made and tested, and its deliveries are shown and sent again (${size})`, async (page) => {
    const hook = await receiver()
    try {
      const ada = await register()
      const bot = await echoBot(ada)
      const endpoint = await call(ada, 'POST', '/v1/webhook-endpoints', { name: 'Chat', bot_id: bot.id })
      await signIn(page, ada, '/channels/subscriptions')
      await page.getByRole('heading', { name: 'No subscriptions yet' }).waitFor()
      await accessible(page)
      await shoot(page, 'channels-subscriptions-empty')
      await page.getByRole('button', { name: 'New subscription' }).first().click()
      const dialog = page.getByRole('dialog', { name: 'New subscription' })
      await dialog.getByLabel('URL').fill('http://192.0.2.1/hook')
      await dialog.getByLabel('A bot could not answer').uncheck()
      await dialog.getByLabel('A bot answered').uncheck()
      await dialog.getByRole('button', { name: 'Create' }).click()
      await dialog.getByText('Choose at least one event.').waitFor()
      await dialog.getByLabel('A bot answered').check()
      await dialog.getByRole('button', { name: 'Create' }).click()
      await dialog.locator('.field-error').getByText(/must be https/).waitFor()
      await accessible(page)
      await shoot(page, 'channels-subscription-new')
      await dialog.getByLabel('URL').fill(hook.url)
      await dialog.getByRole('button', { name: 'Create' }).click()
      const ready = page.getByRole('dialog', { name: 'The subscription is ready' })
      const secret = await ready.getByRole('region', { name: 'Secret', exact: true }).textContent()
      await accessible(page)
      await ready.getByRole('button', { name: 'I have the secret' }).click()

      await page.getByText('Nothing was delivered yet').waitFor()
      await page.getByRole('button', { name: 'Send a test' }).click()
      await page.getByText('The test was received').waitFor()
      assert.equal(JSON.parse(hook.got[0].body).type, 'ping')
      assert.ok(verified(secret, hook.got[0]), 'the secret of the page verifies the delivery')
      await page.getByRole('table', { name: 'Deliveries' }).getByText('Delivered').waitFor()
      await accessible(page)
      await shoot(page, 'channels-subscription')

      hook.answer.status = 500
      hook.answer.body = '<script>alert(3)</script> مشغول'
      await send(endpoint, 'msg_1', message('Where is my parcel?'))
      await page.goto('/console/channels/deliveries')
      const table = page.getByRole('table', { name: 'Deliveries' })
      await table.getByRole('link', { name: /A bot answered/ }).click()
      const panel = page.getByRole('dialog', { name: 'A bot answered' })
      await panel.getByText('HTTP 500').first().waitFor()
      await panel.getByText('<script>alert(3)</script>').first().waitFor()
      await counted(panel.locator('.said').getByText('Where is my parcel?'), 2)
      await counted(panel.locator('script'), 0)
      await panel.getByRole('link', { name: 'Open the conversation' }).waitFor()
      await accessible(page)
      await shoot(page, 'channels-delivery')
      hook.answer.status = 200
      hook.answer.body = 'ok'
      await panel.getByRole('button', { name: 'Deliver again' }).click()
      await panel.getByText('HTTP 200').waitFor()
      await panel.getByText('Delivered', { exact: true }).waitFor()
      const answers = hook.got.filter((d) => JSON.parse(d.body).type === 'turn.completed')
      assert.equal(new Set(answers.map((d) => d.headers['webhook-id'])).size, 1, 'a repetition has the same id')
      await page.keyboard.press('Escape')
      await page.getByRole('button', { name: 'Failed' }).click()
      await page.getByRole('heading', { name: 'Nothing matches' }).waitFor()
      await page.getByRole('button', { name: 'Delivered' }).click()
      await page.getByLabel('Subscription').selectOption({ label: hook.url })
      await table.getByText('A bot answered').waitFor()
      await counted(table.getByRole('link'), 2)
      await accessible(page)
      await shoot(page, 'channels-deliveries')
    } finally {
      hook.close()
    }
  }, { size, timeout: 180_000 })
}

inBrowser('a subscription whose target is gone fails its test, and is changed, disabled and deleted', async (page) => {
  const hook = await receiver()
  hook.close()
  const ada = await register()
  await call(ada, 'POST', '/v1/webhook-subscriptions', { url: hook.url, events: ['turn.completed'] })
  await signIn(page, ada, '/channels/subscriptions')
  await page.getByRole('table', { name: 'Subscriptions' }).getByRole('link').click()
  await page.getByRole('button', { name: 'Send a test' }).click()
  await page.getByText('The test failed').waitFor()
  await accessible(page)
  await shoot(page, 'channels-test-failed')
  await page.getByRole('link', { name: 'Show the delivery' }).click()
  await page.getByRole('dialog', { name: 'Test' }).getByText('No answer').first().waitFor()
  await accessible(page)
  await page.keyboard.press('Escape')

  await page.getByRole('button', { name: 'Change' }).click()
  const form = page.getByRole('dialog', { name: 'Change the subscription' })
  await form.getByLabel('A document can be searched').check()
  await form.getByRole('button', { name: 'Save' }).click()
  await page.locator('.type-list').getByText('A document can be searched').waitFor()
  await page.getByRole('button', { name: 'More' }).click()
  await page.getByRole('menuitem', { name: 'Rotate the secret' }).click()
  await page.getByRole('button', { name: 'Rotate', exact: true }).click()
  await page.getByRole('region', { name: 'Secret', exact: true }).waitFor()
  await page.getByRole('button', { name: 'I have the secret' }).click()
  await page.getByRole('button', { name: 'More' }).click()
  await page.getByRole('menuitem', { name: 'Disable' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Disable' }).click()
  await page.getByText('events are not delivered').waitFor()
  await page.getByRole('button', { name: 'More' }).click()
  await page.getByRole('menuitem', { name: 'Delete' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
  await page.getByRole('heading', { name: 'No subscriptions yet' }).waitFor()
})

inBrowser('a subscription that is held is adopted by an admin, not by an editor, and a viewer has no page', async (page, context) => {
  const ada = await register()
  const bot = await echoBot(ada)
  const eve = await join(ada, 'editor')
  const edna = await join(ada, 'editor')
  const vera = await join(ada, 'viewer')
  const endpoint = await call(eve, 'POST', '/v1/webhook-endpoints', { name: 'Chat', bot_id: bot.id })
  const held = await call(eve, 'POST', '/v1/webhook-subscriptions', { url: 'http://127.0.0.1:1/', events: ['turn.completed'] })
  const members = (await call(ada, 'GET', '/v1/members')).items
  await call(ada, 'DELETE', `/v1/members/${members.find((m) => m.email === eve.email).user_id}`)

  const other = await context.newPage()
  await signIn(other, edna, `/channels/subscriptions/${held.id}`)
  await other.getByText('An owner or admin has to adopt').waitFor()
  await other.getByText('a person who was removed').waitFor()
  await other.getByRole('button', { name: 'More' }).click()
  await other.getByRole('menuitem', { name: 'Rotate the secret' }).waitFor()
  await counted(other.getByText('Adopt', { exact: true }), 0)
  await other.close()

  const third = await context.newPage()
  await signIn(third, vera, '/channels')
  await third.getByRole('heading', { name: 'There is nothing here', level: 1 }).waitFor()
  await counted(third.getByRole('link', { name: 'Channels' }), 0)
  await counted(third.getByRole('button', { name: 'New endpoint' }), 0)
  await third.close()

  await signIn(page, ada, `/channels/subscriptions/${held.id}`)
  await page.getByText('Held', { exact: true }).waitFor()
  await accessible(page)
  await shoot(page, 'channels-held')
  await page.getByRole('button', { name: 'Adopt' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Adopt' }).click()
  await page.getByText(`${ada.email} (you)`).waitFor()
  await counted(page.getByText('Held', { exact: true }), 0)
  await page.goto(`/console/channels/endpoints/${endpoint.id}`)
  await page.getByRole('button', { name: 'More' }).click()
  await page.getByRole('menuitem', { name: 'Adopt' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Adopt' }).click()
  await page.getByText(`${ada.email} (you)`).waitFor()
})

for (const size of ['desk', 'phone']) {
  inBrowser(`a message that could not be answered says why, and lists that cannot be read say so (${size})`, async (page) => {
    const ada = await register()
    const bot = await call(ada, 'POST', '/v1/bots', { name: 'Keyless', settings: { model: 'openai/gpt-4o-mini' } })
    const endpoint = await call(ada, 'POST', '/v1/webhook-endpoints', { name: 'Shop', bot_id: bot.id })
    await send(endpoint, 'msg_1', message('Hello'))
    await send(endpoint, 'evt_2', { type: 'order.created', data: { order: 7, note: 'x'.repeat(400) } })
    await signIn(page, ada, '/channels/received')
    const table = page.getByRole('table', { name: 'Events' })
    await table.getByRole('link', { name: /order\.created/ }).click()
    await page.getByRole('dialog', { name: 'order.created' }).getByText('are stored and start nothing').waitFor()
    await accessible(page)
    await page.keyboard.press('Escape')
    await shoot(page, 'channels-received')
    await table.getByRole('link', { name: /chat-42/ }).click()
    const panel = page.getByRole('dialog', { name: 'Message' })
    await panel.getByText(/could not (answer|be answered)/).waitFor()
    await accessible(page)
    await shoot(page, 'channels-event-failed')
    await page.keyboard.press('Escape')

    await page.route('**/v1/webhook-endpoints?*', (r) => r.fulfill({ status: 503, json: { code: 'DOWNSTREAM_UNAVAILABLE', message: 'The database is not reachable.', trace_id: 'trace-1', details: null } }))
    await page.getByRole('link', { name: 'Endpoints' }).click()
    await page.getByText('The database is not reachable.').waitFor()
    await accessible(page)
    await shoot(page, 'channels-failing')
    await page.unroute('**/v1/webhook-endpoints?*')
    await page.getByRole('button', { name: 'Try again' }).click()
    await page.getByRole('table', { name: 'Endpoints' }).getByText('Shop').waitFor()
    await shoot(page, 'channels-endpoints')
    await page.goto('/console/channels/endpoints/01923e5b-7a31-7d20-9f3e-5a1b2c3d4e00')
    await page.getByRole('link', { name: 'Back to the list' }).click()
    await page.getByRole('table', { name: 'Endpoints' }).waitFor()
  }, { size, timeout: 180_000 })
}
