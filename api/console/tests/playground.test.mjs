import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { accessible, call, counted, eventually, inBrowser, register, shoot, signIn } from './harness.mjs'

const message = (page) => page.getByRole('textbox', { name: 'Message', exact: true })
const send = async (page, text) => {
  await message(page).fill(text)
  await page.keyboard.press('Enter')
}
const words = (n, name = 'word') => Array.from({ length: n }, (_, i) => `${name}${i}`).join(' ')
const text = (name, content) => ({ name, mimeType: 'text/plain', buffer: Buffer.from(content) })

// twoVersions is a bot with v1 live, and v2 whose answers are objects: the echo model answers differently in them.
async function twoVersions() {
  const ada = await register()
  const bot = await call(ada, 'POST', '/v1/bots', { name: 'Orders', instruction: 'Read the order.' })
  const settings = { ...bot.settings, output_schema: { type: 'object', required: ['item'], properties: { item: { type: 'string' } } } }
  await call(ada, 'PUT', `/v1/bots/${bot.id}/instruction`, { instruction: 'Read the order as an object.', settings, publish: false })
  return { ada, bot }
}

for (const size of ['desk', 'phone']) {
  inBrowser(`two versions answer the same messages side by side (${size})`, async (page) => {
    const { ada, bot } = await twoVersions()
    await signIn(page, ada, `/bots/${bot.id}`)
    await page.getByRole('button', { name: 'Compare' }).click()
    await page.getByRole('heading', { name: 'One message, two versions' }).waitFor()
    assert.equal(await page.getByLabel('First version').inputValue(), '1')
    assert.equal(await page.getByLabel('Second version').inputValue(), '2')
    await counted(page.getByRole('button', { name: 'Attach files' }), 0, 'trials take no files')
    await accessible(page)
    await shoot(page, 'compare-empty')

    await send(page, '{"item": "cup"}')
    const [first, second] = [page.getByRole('group', { name: 'v1' }), page.getByRole('group', { name: 'v2' })]
    await first.getByText('Echo: {"item": "cup"}').waitFor()
    await second.getByLabel('Answer as JSON').getByText('"item": "cup"').waitFor()
    await first.getByText(/^v1 · echo · .+ (ms|sec)/).waitFor()
    await second.getByText(/^v2 · echo · .+ (ms|sec)/).waitFor()
    await counted(page.locator('.bubble'), 1, 'the message is there once')

    // An error is of one version, and is tried again in its column alone.
    await send(page, 'no object')
    await second.last().getByRole('button', { name: 'Try again' }).waitFor()
    await first.last().getByText('Echo: no object').waitFor()
    await accessible(page)
    await shoot(page, 'compare')
    const retried = page.waitForRequest(/\/retry$/)
    await second.last().getByRole('button', { name: 'Try again' }).click()
    await retried
    await second.last().getByRole('button', { name: 'Try again' }).waitFor()
    await send(page, '{"item": "pan"}')
    await second.last().getByLabel('Answer as JSON').getByText('"item": "pan"').waitFor()
    await first.last().getByText('Echo: {"item": "pan"}').waitFor()
    await counted(page.locator('.bubble'), 3)

    const threads = (await call(ada, 'GET', '/v1/conversations/threads?trial=true')).items
    assert.equal(threads.length, 2, 'a trial thread each')
    for (const thread of threads) {
      const turns = (await call(ada, 'GET', `/v1/conversations/threads/${thread.id}/turns`)).items
      assert.equal(turns.length, 3, 'the messages that follow are in the same thread')
      assert.equal(new Set(turns.map((x) => x.bot_version)).size, 1)
    }
    assert.equal((await call(ada, 'GET', '/v1/conversations/threads')).items.length, 0)
    if (size === 'desk') {
      const [a, b] = [await first.first().boundingBox(), await second.first().boundingBox()]
      assert.ok(a.y === b.y && b.x >= a.x + a.width, 'beside each other')
    }

    await page.getByLabel('Second version').selectOption('1')
    await page.getByRole('heading', { name: 'One message, two versions' }).waitFor()
    await page.getByLabel('Second version').selectOption('2')
    await second.last().getByText('"item": "pan"').waitFor()
    await page.getByRole('button', { name: 'New comparison' }).click()
    await page.getByRole('heading', { name: 'One message, two versions' }).waitFor()
  }, { size })
}

inBrowser('a comparison goes on after a reload in its middle', async (page) => {
  const ada = await register()
  const bot = await call(ada, 'POST', '/v1/bots', { name: 'Slow', instruction: 'Be slow.' })
  await call(ada, 'PUT', `/v1/bots/${bot.id}/instruction`, { instruction: 'Be slower.', publish: false })
  await signIn(page, ada, `/bots/${bot.id}`)
  await page.getByRole('button', { name: 'Compare' }).click()
  await send(page, words(120))
  for (const name of ['v1', 'v2']) await page.getByRole('group', { name }).getByText('word10').waitFor()
  await page.reload()
  for (const name of ['v1', 'v2']) {
    await page.getByRole('group', { name }).getByText('word119').waitFor()
    await page.getByRole('group', { name }).getByRole('button', { name: 'As curl' }).waitFor()
    assert.equal(await page.getByRole('group', { name }).locator('.answer').textContent(), `Echo: ${words(120)}`)
  }
  await counted(page.locator('.bubble'), 1)

  // A reload before the server has answered: the message is sent again under the same operation.
  const operations = []
  await page.route(/\/try$/, (route) => (operations.push(route.request().headers()['x-operation-id']) <= 2 ? undefined : route.continue()))
  await send(page, 'And the other one?')
  for (const end = Date.now() + 10_000; operations.length < 2 && Date.now() < end; ) await page.evaluate(() => new Promise(requestAnimationFrame))
  await page.reload()
  for (const name of ['v1', 'v2']) await page.getByRole('group', { name }).last().getByText('Echo: And the other one?').waitFor()
  assert.equal(operations.length, 4)
  assert.deepEqual(operations.slice(2).sort(), operations.slice(0, 2).sort())
  const threads = (await call(ada, 'GET', '/v1/conversations/threads?trial=true')).items
  assert.equal(threads.length, 2)
  for (const thread of threads) assert.equal((await call(ada, 'GET', `/v1/conversations/threads/${thread.id}/turns`)).items.length, 2)
})

for (const size of ['desk', 'phone']) {
  inBrowser(`files are attached to a message, and those that are refused say why (${size})`, async (page) => {
    const ada = await register()
    const bot = await call(ada, 'POST', '/v1/bots', { name: 'Clerk', instruction: 'Be kind.' })
    await signIn(page, ada, `/bots/${bot.id}`)
    const input = page.getByLabel('Choose files')
    await page.getByRole('button', { name: 'Attach files' }).waitFor()
    await input.setInputFiles([text('fees.txt', 'The fee is seven crowns.'), { name: 'song.mp3', mimeType: 'audio/mpeg', buffer: Buffer.from('ID3') }])
    await page.getByText('No model reads this type.').waitFor()
    await page.getByText('Remove the files that failed').waitFor()
    await input.setInputFiles({ name: 'photo.png', mimeType: 'image/png', buffer: Buffer.alloc(5 * 1024 * 1024 + 1) })
    await page.getByText('Too big: at most 5.2 MB.').waitFor()
    await input.setInputFiles(text('empty.txt', ''))
    await page.getByText('The file is empty.').waitFor()
    await message(page).fill('What does it cost?')
    assert.ok(await page.getByRole('button', { name: 'Send' }).isDisabled(), 'not sent without what failed')
    await accessible(page)
    await shoot(page, 'attachments-refused')
    for (const name of ['song.mp3', 'photo.png', 'empty.txt']) await page.getByRole('button', { name: `Remove ${name}` }).click()

    // A file is dropped on the page, and another is pasted.
    await page.evaluate(() => {
      const files = (name) => {
        const data = new DataTransfer()
        data.items.add(new File([`Text of ${name}`], name, { type: 'text/plain' }))
        return data
      }
      document.querySelector('.thread').dispatchEvent(new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer: files('dropped.txt') }))
      document.querySelector('textarea').dispatchEvent(new ClipboardEvent('paste', { bubbles: true, cancelable: true, clipboardData: files('pasted.txt') }))
    })
    await page.getByRole('button', { name: 'Remove dropped.txt' }).waitFor()
    await page.getByRole('button', { name: 'Remove pasted.txt' }).click()
    await page.getByRole('button', { name: 'Remove fees.txt' }).waitFor()
    await accessible(page)
    await shoot(page, 'attachments')
    await page.reload()
    await page.getByRole('button', { name: 'Remove fees.txt' }).waitFor()
    assert.equal(await message(page).inputValue(), 'What does it cost?', 'a reload loses nothing')

    await page.getByRole('button', { name: 'Send' }).click()
    await page.locator('.answer').getByText('The fee is seven crowns.').waitFor()
    await page.locator('.answer').getByText('Text of dropped.txt').waitFor()
    await page.getByRole('button', { name: 'As curl' }).waitFor()
    const attached = page.locator('.said.user').getByRole('list', { name: 'Attached files' })
    await attached.getByText('fees.txt').waitFor()
    await counted(page.getByRole('button', { name: /^Remove/ }), 0)
    await accessible(page)
    await shoot(page, 'attachments-sent')
    await page.reload()
    await attached.getByText('dropped.txt').waitFor()

    const [thread] = (await call(ada, 'GET', '/v1/conversations/threads')).items
    await page.goto(`/console/conversations/${thread.id}`)
    await page.getByRole('list', { name: 'Attached files' }).getByText('fees.txt').waitFor()
    assert.deepEqual((await call(ada, 'GET', '/v1/files')).items.map((f) => f.name).sort(), ['dropped.txt', 'fees.txt'], 'a file that was removed is deleted')
  }, { size })
}

inBrowser('an upload is cancelled, fails with its reason, and is tried again', async (page) => {
  const ada = await register()
  const bot = await call(ada, 'POST', '/v1/bots', { name: 'Clerk', instruction: 'Be kind.' })
  await signIn(page, ada, `/bots/${bot.id}`)
  let answer = null
  await page.route('**/v1/files', (route) => (answer ? route.fulfill(answer) : undefined))
  const input = page.getByLabel('Choose files')
  await input.setInputFiles(text('slow.txt', 'Slow.'))
  await page.getByRole('progressbar', { name: 'slow.txt is being uploaded' }).waitFor()
  await message(page).fill('Hello')
  assert.ok(await page.getByRole('button', { name: 'Send' }).isDisabled())
  await accessible(page)
  await page.getByRole('button', { name: 'Cancel the upload of slow.txt' }).click()
  await counted(page.locator('.attach-chip'), 0)
  assert.ok(await page.getByRole('button', { name: 'Send' }).isEnabled())

  const error = (code, message, details = null) => JSON.stringify({ code, message, trace_id: 'x', details })
  answer = { status: 413, contentType: 'application/json', body: error('PAYLOAD_TOO_LARGE', 'the body is too large', { limit_bytes: 1_000_000 }) }
  await input.setInputFiles(text('long.txt', 'Long.'))
  await page.getByText('Too big: at most 1 MB.').waitFor()
  await page.getByRole('button', { name: 'Remove long.txt' }).click()
  answer = { status: 503, contentType: 'application/json', body: error('STORAGE_FULL', 'there is no room for files') }
  await input.setInputFiles(text('note.txt', 'Noted.'))
  await page.getByText('there is no room for files').waitFor()
  await page.unroute('**/v1/files')
  let expired = true
  await page.route('**/v1/files', (route) => {
    if (!expired) return route.continue()
    expired = false
    return route.fulfill({ status: 401, contentType: 'application/json', body: error('UNAUTHORIZED', 'the token has expired') })
  })
  const refreshed = page.waitForResponse(/\/v1\/auth\/refresh$/)
  await page.getByRole('button', { name: 'Try again: note.txt' }).click()
  assert.ok((await refreshed).ok(), 'an access token that has expired is refreshed')
  await page.getByRole('button', { name: 'Remove note.txt' }).waitFor()
  await page.getByRole('button', { name: 'Send' }).click()
  await page.locator('.answer').getByText('Noted.').waitFor()
})

inBrowser('a file that is larger than the server takes is refused with the limit', async (page) => {
  const ada = await register()
  const bot = await call(ada, 'POST', '/v1/bots', { name: 'Clerk', instruction: 'Be kind.' })
  await signIn(page, ada, `/bots/${bot.id}`)
  const folder = await mkdtemp(join(tmpdir(), 'parley-'))
  await writeFile(join(folder, 'huge.txt'), 'x'.repeat(26_500_000))
  await page.getByLabel('Choose files').setInputFiles(join(folder, 'huge.txt'))
  await page.getByText('Too big: at most 26 MB.').waitFor()
  await rm(folder, { recursive: true })
})

inBrowser('an answer goes on after a lost connection without a reload, and its text is there once', async (page) => {
  const ada = await register()
  const bot = await call(ada, 'POST', '/v1/bots', { name: 'Slow', instruction: 'Be slow.' })
  await signIn(page, ada, `/bots/${bot.id}`)
  // The stream breaks off amid an event, and it cannot be followed for a while. Going offline does not end a stream that runs.
  let begun = 0
  let offline = true
  let refused = 0
  let after = 0
  await page.route(/\/turns\/[^/]+\/events$/, (route) => {
    after = Number(route.request().headers()['last-event-id'])
    if (!offline) return route.continue()
    refused++
    return route.abort('internetdisconnected')
  })
  await page.route(/\/turn$/, async (route) => {
    begun++
    const request = route.request()
    const response = await fetch(request.url(), { method: 'POST', headers: await request.allHeaders(), body: request.postData() })
    const decoder = new TextDecoder()
    let body = ''
    let at = -1
    for await (const chunk of response.body) {
      body += decoder.decode(chunk, { stream: true })
      at = body.indexOf('word12', body.indexOf('event: message.created')) // the events before have the message
      if (body.includes('event: message.created') && at >= 0) break
    }
    await route.fulfill({ status: 200, contentType: 'text/event-stream', body: body.slice(0, at + 3) })
  })
  // All that is shown on the way is a beginning of the answer.
  await page.evaluate((full) => {
    globalThis.wrong = []
    new MutationObserver(() => {
      const shown = document.querySelector('.answer')?.textContent ?? ''
      if (!full.startsWith(shown)) globalThis.wrong.push(shown)
    }).observe(document.body, { childList: true, subtree: true, characterData: true })
  }, `Echo: ${words(200)}`)
  await send(page, words(200))
  await page.locator('.answer').getByText('word11').waitFor()
  await page.getByText('The connection was lost. Going on…').waitFor()
  await accessible(page)
  await shoot(page, 'connection-lost')
  offline = false
  await page.locator('.answer').getByText('word199').waitFor()
  await page.getByRole('button', { name: 'As curl' }).waitFor()
  await counted(page.getByText('The connection was lost. Going on…'), 0)
  assert.equal(await page.locator('.answer').textContent(), `Echo: ${words(200)}`)
  await counted(page.locator('.turn'), 1)
  assert.equal(begun, 1, 'the turn is followed, not begun again')
  assert.ok(refused > 0)
  assert.ok(after > 10, `it goes on after the last event, and not after ${after}`)
  assert.deepEqual(await page.evaluate(() => globalThis.wrong), [])
  const [thread] = (await call(ada, 'GET', '/v1/conversations/threads')).items
  assert.equal((await call(ada, 'GET', `/v1/conversations/threads/${thread.id}/messages`)).items.length, 2)
})

inBrowser('a message that failed is kept over a reload, and begins a new thread where its own was deleted', async (page) => {
  const ada = await register()
  const bot = await call(ada, 'POST', '/v1/bots', { name: 'Clerk', instruction: 'Be kind.' })
  await signIn(page, ada, `/bots/${bot.id}`)
  const operations = []
  const unavailable = { status: 503, contentType: 'application/json', body: JSON.stringify({ code: 'DOWNSTREAM_UNAVAILABLE', message: 'the server is busy', trace_id: 'x', details: null }) }
  const again = page.getByRole('button', { name: /^Try again/ })
  // The thread could not be made.
  await page.route(/\/v1\/conversations\/threads$/, (route) => (route.request().method() === 'POST' ? route.fulfill(unavailable) : route.continue()))
  await send(page, 'Hello')
  await again.waitFor()
  await page.unroute(/\/v1\/conversations\/threads$/)
  // Then the turn could not be taken.
  await page.route(/\/turn$/, (route) => (operations.push(route.request().headers()['x-operation-id']) === 1 ? route.fulfill(unavailable) : route.continue()))
  await page.reload()
  await again.waitFor()
  await page.reload()
  await page.locator('.answer').getByText('Echo: Hello').waitFor()
  await page.getByRole('button', { name: 'As curl' }).waitFor()
  assert.equal(operations.length, 2)
  assert.equal(operations[0], operations[1])
  const [thread, ...others] = (await call(ada, 'GET', '/v1/conversations/threads')).items
  assert.equal(others.length, 0)

  await call(ada, 'DELETE', `/v1/conversations/threads/${thread.id}`)
  await send(page, 'Still there?')
  await again.click()
  await page.locator('.answer').getByText('Echo: Still there?').waitFor()
  const [fresh] = (await call(ada, 'GET', '/v1/conversations/threads')).items
  assert.notEqual(fresh.id, thread.id)

  // A message that was not answered before a reload, whose thread was deleted meanwhile.
  let reached = false
  await page.unroute(/\/turn$/)
  await page.route(/\/turn$/, (route) => (reached ? route.continue() : void (reached = true)))
  await send(page, 'Once more')
  for (const end = Date.now() + 10_000; !reached && Date.now() < end; ) await page.evaluate(() => new Promise(requestAnimationFrame))
  await call(ada, 'DELETE', `/v1/conversations/threads/${fresh.id}`)
  await page.reload()
  await page.locator('.answer').getByText('Echo: Once more').waitFor()
  await counted(page.locator('.turn'), 1)
})

inBrowser('a message is stopped before its answer begins, and none is sent while the history is not there', async (page) => {
  const ada = await register()
  const bot = await call(ada, 'POST', '/v1/bots', { name: 'Clerk', instruction: 'Be kind.' })
  await signIn(page, ada, `/bots/${bot.id}`)
  await send(page, 'Hello')
  await page.getByRole('button', { name: 'As curl' }).waitFor()
  await page.route(/\/turn$/, () => undefined)
  await send(page, 'Never mind')
  await page.getByRole('button', { name: 'Stop' }).click()
  await page.locator('.turn').last().locator('.hint').waitFor()
  await page.unroute(/\/turn$/)

  let broken = true
  await page.route(/\/messages\?/, (route) => (broken ? route.fulfill({ status: 500, contentType: 'application/json', body: JSON.stringify({ code: 'INTERNAL_ERROR', message: 'oh', trace_id: 'x', details: null }) }) : route.continue()))
  await page.reload()
  await page.getByRole('button', { name: /^Try again/ }).waitFor()
  await message(page).fill('Kept')
  assert.ok(await page.getByRole('button', { name: 'Send' }).isDisabled())
  broken = false
  await page.getByRole('button', { name: /^Try again/ }).click()
  await page.locator('.answer').getByText('Echo: Hello').waitFor()
  await counted(page.locator('.turn'), 1, 'what was stopped is not sent after a reload')
  assert.equal(await message(page).inputValue(), 'Kept')
  await page.getByRole('button', { name: 'Send' }).click()
  await page.locator('.answer').getByText('Echo: Kept').waitFor()
})

// unanswered takes the calls of a path to the server, without its answer to the page. It returns how many there were.
async function unanswered(page, path) {
  const taken = { count: 0 }
  await page.route(path, async (route) => {
    const request = route.request()
    const headers = await request.allHeaders()
    void fetch(request.url(), { method: 'POST', headers, body: request.postData() }).then(() => taken.count++)
  })
  return taken
}

const stopping = (page) => page.getByText('Stopping… The server has not answered yet.')

for (const reloads of [false, true]) {
  inBrowser(`an answer is stopped before anything of it has arrived${reloads ? ', and the page is reloaded meanwhile' : ''}`, async (page) => {
    const ada = await register()
    const bot = await call(ada, 'POST', '/v1/bots', { name: 'Slow', instruction: 'Be slow.' })
    await signIn(page, ada, `/bots/${bot.id}`)
    await send(page, 'Hello')
    await page.getByRole('button', { name: 'As curl' }).waitFor()
    const [thread] = (await call(ada, 'GET', '/v1/conversations/threads')).items
    const turns = async () => (await call(ada, 'GET', `/v1/conversations/threads/${thread.id}/turns`)).items
    const taken = await unanswered(page, /\/turn$/)
    let unknown = true // what the server has is not known for a while
    await page.route(/\/turns\?limit=\d+$/, (route) => (unknown ? route.fulfill({ status: 503, json: { code: 'DOWNSTREAM_UNAVAILABLE', message: 'busy', trace_id: 'x', details: null } }) : route.continue()))
    await send(page, words(2000))
    await eventually(() => taken.count, (n) => n === 1, 'the server has the message')
    await page.getByRole('button', { name: 'Stop' }).click()
    await stopping(page).waitFor()
    await accessible(page)
    await shoot(page, 'stopping')
    assert.equal((await turns())[0].status, 'running')
    if (reloads) {
      await page.reload()
      await page.getByRole('button', { name: /^Try again/ }).waitFor()
      unknown = false
      await page.getByRole('button', { name: /^Try again/ }).click()
    }
    unknown = false
    await page.locator('.turn').last().getByText('Stopped.').waitFor()
    await counted(stopping(page), 0)
    assert.deepEqual((await turns()).map((x) => x.status), ['cancelled', 'completed'])
    await counted(page.locator('.turn'), 2)
    assert.equal(taken.count, 1, 'it is not sent again')
    await page.unroute(/\/turn$/)
    await send(page, 'And now?')
    await page.locator('.answer').getByText('Echo: And now?').waitFor()
  })
}

inBrowser('the first message of a trial is stopped before anything of it has arrived, and the page is reloaded meanwhile', async (page) => {
  const { ada, bot } = await twoVersions()
  await signIn(page, ada, `/bots/${bot.id}`)
  await page.getByRole('button', { name: 'Try v2' }).click()
  const taken = await unanswered(page, /\/try$/)
  let unknown = true
  await page.route(/\/threads\?trial=true/, (route) => (unknown ? undefined : route.continue()))
  await send(page, `{"item": "${words(2000)}"}`)
  await eventually(() => taken.count, (n) => n === 1, 'the server has the message')
  await page.getByRole('button', { name: 'Stop' }).click()
  await stopping(page).waitFor()
  await page.reload()
  await stopping(page).waitFor()
  unknown = false
  await page.reload()
  await page.getByText('Stopped.').waitFor()
  const [thread, ...others] = (await call(ada, 'GET', '/v1/conversations/threads?trial=true')).items
  assert.equal(others.length, 0)
  assert.deepEqual((await call(ada, 'GET', `/v1/conversations/threads/${thread.id}/turns`)).items.map((x) => x.status), ['cancelled'])
})

// refusedOnce refuses the first call that begins a turn, and returns the operations of all as they come.
async function refusedOnce(page, status, code, seconds) {
  const operations = []
  await page.route(/\/turn$/, async (route) => {
    operations.push(route.request().headers()['x-operation-id'])
    if (operations.length > 1) return route.continue()
    await route.fulfill({ status, headers: { 'Retry-After': String(seconds) }, json: { code, message: 'too much is going on', trace_id: 'x', details: null } })
  })
  return operations
}

inBrowser('a Retry-After is counted down after a reload too, and nothing is sent before', async (page) => {
  const ada = await register()
  const bot = await call(ada, 'POST', '/v1/bots', { name: 'Clerk', instruction: 'Be kind.' })
  const operations = await refusedOnce(page, 429, 'TOO_MANY_TURNS', 40)
  await page.clock.install()
  await signIn(page, ada, `/bots/${bot.id}`)
  await send(page, 'Hello')
  const later = page.getByRole('button', { name: /^Try again in \d+ s$/ })
  await later.waitFor()
  await page.clock.fastForward(10_000)
  await page.reload()
  await later.waitFor()
  const left = Number(/\d+/.exec(await later.textContent())[0])
  assert.ok(left > 5 && left <= 31, `${left} of 40 seconds`)
  assert.ok(await later.isDisabled())
  await page.getByText('Too many answers are being written just now.').waitFor()
  await page.locator('.bubble').getByText('Hello').waitFor()
  await accessible(page)
  await shoot(page, 'retry-after-reload')
  assert.equal(operations.length, 1)
  await page.clock.fastForward(40_000)
  await page.getByRole('button', { name: 'Try again', exact: true }).click()
  await page.locator('.answer').getByText('Echo: Hello').waitFor()
  assert.deepEqual(operations, [operations[0], operations[0]])
  await counted(page.locator('.turn'), 1)
})

inBrowser('a person opens a thread, takes turns, finds the history again and rates an answer', async (page) => {
  const ada = await register()
  const bot = await call(ada, 'POST', '/v1/bots', { name: 'Clerk', instruction: 'Be kind.' })
  await signIn(page, ada, `/bots/${bot.id}`)
  for (const said of ['Hello', 'And again']) {
    await send(page, said)
    await page.locator('.answer').getByText(`Echo: ${said}`).waitFor()
    await counted(page.getByRole('button', { name: 'As curl' }), said === 'Hello' ? 1 : 2)
  }
  await page.getByRole('button', { name: 'Good answer' }).last().click()
  const rated = page.locator('[aria-label="Good answer"][aria-pressed=true]')
  await rated.waitFor()
  await page.reload()
  await page.locator('.answer').getByText('Echo: And again').waitFor()
  await counted(page.locator('.turn'), 2)
  await rated.waitFor()
  await counted(rated, 1, 'the rating is that of the second answer')
  await accessible(page)

  const [thread] = (await call(ada, 'GET', '/v1/conversations/threads')).items
  const messages = (await call(ada, 'GET', `/v1/conversations/threads/${thread.id}/messages`)).items
  assert.deepEqual(messages.filter((m) => m.feedback).map((m) => [m.content, m.feedback.rating]), [['Echo: And again', 'good']])
  await page.goto(`/console/conversations/${thread.id}`)
  await page.getByRole('button', { name: 'Good', exact: true }).last().and(page.locator('[aria-pressed=true]')).waitFor()

  await page.goto(`/console/bots/${bot.id}`)
  await page.getByRole('button', { name: 'New conversation' }).click()
  await page.getByRole('heading', { name: 'Talk to Clerk' }).waitFor()
  assert.ok(await message(page).evaluate((e) => e === document.activeElement))
})

for (const [language, said] of [['Arabic', 'متى تصل طلبيتي؟'], ['Hebrew', 'מתי תגיע ההזמנה שלי?']]) {
  inBrowser(`a message and an answer in ${language} run from right to left`, async (page) => {
    const ada = await register()
    const bot = await call(ada, 'POST', '/v1/bots', { name: 'Clerk', instruction: 'Be kind.' })
    // The echo model begins in English: that is taken out on the way to the page.
    await page.route(/\/(turn|messages\?.*)$/, async (route) => {
      const response = await route.fetch()
      await route.fulfill({ response, body: (await response.text()).replaceAll('Echo: ', '') })
    })
    const direction = (locator) => locator.evaluate((e) => getComputedStyle(e).direction)
    await signIn(page, ada, `/bots/${bot.id}`)
    await message(page).fill(said)
    assert.equal(await direction(message(page)), 'rtl')
    await page.keyboard.press('Enter')
    await page.locator('.answer', { hasText: said }).waitFor()
    await page.getByRole('button', { name: 'As curl' }).waitFor()
    for (const part of ['.bubble', '.answer']) assert.equal(await direction(page.locator(part)), 'rtl', part)
    await shoot(page, `rtl-${language}`)
    await accessible(page)
    await send(page, 'In English')
    await page.locator('.answer', { hasText: 'In English' }).waitFor()
    for (const part of ['.bubble', '.answer']) assert.equal(await direction(page.locator(part).last()), 'ltr', part)

    const [thread] = (await call(ada, 'GET', '/v1/conversations/threads')).items
    await page.goto(`/console/conversations/${thread.id}`)
    const texts = page.locator('.turn-said-text', { hasText: said })
    await texts.first().waitFor()
    for (const shown of await texts.all()) assert.equal(await direction(shown), 'rtl')
  })
}

for (const [status, code, text] of [[429, 'TOO_MANY_TURNS', 'Too many answers are being written just now.'], [503, 'DOWNSTREAM_UNAVAILABLE', 'Too much is going on']]) {
  inBrowser(`a ${status} counts down its Retry-After, and then lets one retry`, async (page) => {
    const ada = await register()
    const bot = await call(ada, 'POST', '/v1/bots', { name: 'Clerk', instruction: 'Be kind.' })
    const operations = await refusedOnce(page, status, code, 30)
    await page.clock.install()
    await signIn(page, ada, `/bots/${bot.id}`)
    await send(page, 'Hello')
    await page.getByText(text).waitFor()
    const seconds = async () => Number(/^Try again in (\d+) s$/.exec(await page.getByRole('button', { name: /^Try again in/ }).textContent())?.[1])
    const first = await seconds()
    assert.ok(first > 15 && first <= 30)
    assert.ok(await page.getByRole('button', { name: /^Try again in/ }).isDisabled())
    await page.clock.fastForward(10_000)
    const second = await seconds()
    assert.ok(second <= first - 10 && second > 0)
    await shoot(page, `retry-after-${status}`)
    await page.clock.fastForward(30_000)
    await page.getByRole('button', { name: 'Try again', exact: true }).waitFor()
    await accessible(page)
    await page.getByRole('button', { name: 'Try again', exact: true }).click()
    await page.locator('.answer').getByText('Echo: Hello').waitFor()
    await page.getByRole('button', { name: 'As curl' }).waitFor()
    await counted(page.locator('.turn'), 1)
    assert.equal(operations.length, 2)
    assert.equal(operations[0], operations[1], 'it is the same operation')
  })
}

inBrowser('variables of a bot are given to its turns, and answers that are objects are shown as JSON', async (page) => {
  const ada = await register()
  const settings = {
    variables: [{ name: 'customer', default: 'a guest', description: 'Who is asking.' }, { name: 'plan', default: 'free' }],
    output_schema: { type: 'object', required: ['item'], properties: { item: { type: 'string' } } },
  }
  const bot = await call(ada, 'POST', '/v1/bots', { name: 'Shop', instruction: 'Speak to {{customer}} of {{plan}}.', settings })
  await signIn(page, ada, `/bots/${bot.id}`)
  await page.locator('summary', { hasText: 'Variables' }).click()
  await page.getByLabel('customer').fill('Ada')
  await page.getByText('1 of 2 set').waitFor()
  await accessible(page)
  await shoot(page, 'variables')
  await send(page, '{"item": "cup"}')
  await page.getByLabel('Answer as JSON').getByText('"item": "cup"').waitFor()
  await page.getByText('customer: Ada').waitFor()
  await shoot(page, 'output')
  const [thread] = (await call(ada, 'GET', '/v1/conversations/threads')).items
  const [turn] = (await call(ada, 'GET', `/v1/conversations/threads/${thread.id}/turns`)).items
  assert.deepEqual(turn.variables, { customer: 'Ada' })
  await page.goto(`/console/conversations/${thread.id}`)
  await page.getByLabel('Answer as JSON').getByText('"item": "cup"').waitFor()
  await accessible(page)
})
