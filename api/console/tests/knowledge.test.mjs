import assert from 'node:assert/strict'
import { accessible, call, counted, inBrowser, register, shoot, signIn, url } from './harness.mjs'
import { pdf } from './pdf.mjs'

const attack = '<img src=x onerror=alert(1)>'

async function ready(session, base, document) {
  for (;;) {
    const d = await call(session, 'GET', `/v1/knowledge-bases/${base}/documents/${document}`)
    if (d.status === 'ready' || d.status === 'failed') return d
    await new Promise((done) => setTimeout(done, 100))
  }
}

for (const size of ['desk', 'phone']) {
  inBrowser(`a person makes a base, uploads files, reads and searches them, and gives them to a bot (${size})`, async (page) => {
    const ada = await register()
    await signIn(page, ada, '/knowledge')
    await page.getByRole('heading', { name: 'No knowledge yet' }).waitFor()
    await accessible(page)
    await shoot(page, 'knowledge-none')
    await page.getByRole('button', { name: 'New knowledge base' }).click()
    await page.getByLabel('Name').fill('Manuals')
    await accessible(page)
    await shoot(page, 'knowledge-new')
    await page.getByRole('button', { name: 'Create', exact: true }).click()
    await page.getByText('Drop files here').waitFor()
    await accessible(page)
    await shoot(page, 'knowledge-empty')

    await page.getByLabel('Files to upload').setInputFiles([
      { name: 'kettle.pdf', mimeType: 'application/pdf', buffer: pdf('Descale the kettle every month.', 'The warranty of the kettle lasts two years.') },
      { name: `${attack}.md`, mimeType: 'text/markdown', buffer: Buffer.from(`# Toaster ${attack}\n\nThe warranty of the toaster lasts one year.\n`) },
      { name: 'picture.png', mimeType: 'image/png', buffer: Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex') },
    ])
    const row = (name) => page.getByRole('row').filter({ hasText: name })
    await row('kettle').getByText('Ready').waitFor({ timeout: 40_000 }) // the first PDF of a server takes longer
    await row('img src').getByText('Ready').waitFor()
    await row('picture').getByText('Failed').waitFor()
    await page.getByText('2 documents are ready.').waitFor()
    await accessible(page)
    await shoot(page, 'knowledge-documents')
    await row('picture').getByRole('button', { name: 'Why?' }).click()
    await page.getByText('Save it as PDF, DOCX or text').waitFor()
    await accessible(page)
    await shoot(page, 'knowledge-failed')
    await page.getByRole('button', { name: 'Close' }).click()

    await page.getByLabel('Files to upload').setInputFiles([{ name: 'again.pdf', mimeType: 'application/pdf', buffer: pdf('Descale the kettle every month.', 'The warranty of the kettle lasts two years.') }])
    await page.getByText('The same document is here already.').waitFor()
    await page.getByRole('button', { name: 'Dismiss: again.pdf' }).click()

    await page.getByRole('button', { name: 'Paste text' }).click()
    await page.getByLabel('Title').fill('Returns 🎁')
    await page.getByLabel('Text', { exact: true }).fill('🎁🎁 Goods can be returned within 14 days of delivery.\n\nشحن مجاني')
    await page.getByRole('button', { name: 'Add', exact: true }).click()
    await row('Returns').getByText('Ready').waitFor()

    await page.getByRole('navigation', { name: 'Parts' }).getByRole('link', { name: 'Search' }).click()
    await page.getByRole('heading', { name: 'See what a bot would find' }).waitFor()
    await accessible(page)
    await page.getByLabel('Question or words').fill('How long is the warranty of the kettle?')
    await page.getByRole('search').getByRole('button', { name: 'Search' }).click()
    await page.getByRole('list', { name: 'Results' }).getByRole('link', { name: 'kettle' }).first().waitFor()
    await page.getByText('How to read the scores').click()
    await accessible(page)
    await shoot(page, 'knowledge-search')
    await page.getByLabel('Question or words').fill('returned')
    await page.getByRole('search').getByRole('button', { name: 'Search' }).click()
    await page.getByRole('list', { name: 'Results' }).getByText('returned', { exact: true }).waitFor()
    assert.equal(await page.locator('.hit mark').first().textContent(), 'returned', 'highlights count code points')
    await page.getByRole('link', { name: 'Returns' }).click()
    await page.locator('mark').waitFor()
    assert.match(await page.locator('mark').textContent(), /^🎁🎁 Goods/)
    await accessible(page)
    await shoot(page, 'knowledge-document')
    await page.goBack()

    await page.getByRole('navigation', { name: 'Parts' }).getByRole('link', { name: 'Settings' }).click()
    await page.getByLabel('Description').fill('Of everything in the kitchen')
    await accessible(page)
    await shoot(page, 'knowledge-settings')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByText('Saved.').waitFor()

    await page.getByRole('navigation', { name: 'Parts' }).getByRole('link', { name: /Documents/ }).click()
    await row('picture').getByRole('button', { name: 'Delete: picture' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
    await row('picture').waitFor({ state: 'detached' })

    await page.getByRole('button', { name: 'Ask a bot about it' }).first().click()
    await page.getByLabel('Name of the new bot').waitFor()
    await accessible(page)
    await shoot(page, 'knowledge-ask')
    await page.getByRole('button', { name: 'Open the playground' }).click()
    await page.waitForURL(/\/console\/bots\/[0-9a-f-]+$/)
    const bot = await call(ada, 'GET', `/v1/bots/${page.url().split('/').pop()}`)
    assert.equal(bot.settings.knowledge.length, 1)
  }, { size, timeout: 240_000 })
}

inBrowser('a file is dropped, its upload is lost and tried again with the same operation', async (page) => {
  const ada = await register()
  const base = await call(ada, 'POST', '/v1/knowledge-bases', { name: 'Drops' })
  const operations = []
  await page.route('**/v1/files', async (route) => {
    operations.push(route.request().headers()['x-operation-id'])
    if (operations.length === 1) await route.abort('connectionreset')
    else await route.continue()
  })
  await signIn(page, ada, `/knowledge/${base.id}`)
  await page.getByText('Drop files here').waitFor()
  await page.evaluate(() => {
    const data = new DataTransfer()
    data.items.add(new File(['The shop opens at nine.'], 'hours.txt', { type: 'text/plain', lastModified: 1 }))
    for (const type of ['dragenter', 'dragover', 'drop']) dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }))
  })
  await page.getByText('No connection to the server').waitFor()
  await accessible(page)
  await shoot(page, 'knowledge-upload-lost')
  await page.getByRole('button', { name: 'Try again' }).click()
  await page.getByRole('row').filter({ hasText: 'hours' }).getByText('Ready').waitFor()
  assert.equal(operations.length, 2)
  assert.equal(operations[0], operations[1])
})

inBrowser('a base that a bot uses is deleted only when that is said twice', async (page) => {
  const ada = await register()
  const base = await call(ada, 'POST', '/v1/knowledge-bases', { name: 'Terms' })
  const bot = await call(ada, 'POST', '/v1/bots', { name: 'Clerk' })
  await call(ada, 'PUT', `/v1/bots/${bot.id}/instruction`, { instruction: 'Answer.', settings: { knowledge: [{ id: base.id }] } })
  await signIn(page, ada, `/knowledge/${base.id}?tab=settings`)
  await page.getByRole('button', { name: 'Delete' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
  await page.getByRole('dialog', { name: 'Bots answer from it' }).getByText('Clerk').waitFor()
  await accessible(page)
  await page.getByRole('button', { name: 'Delete all the same' }).click()
  await page.getByRole('heading', { name: 'No knowledge yet' }).waitFor()
})

inBrowser('a viewer reads knowledge and is offered no change', async (page) => {
  const ada = await register()
  const base = await call(ada, 'POST', '/v1/knowledge-bases', { name: 'Terms' })
  const form = new FormData()
  form.append('file', new Blob([`Be kind. ${attack}`], { type: 'text/plain' }), 'kind.txt')
  const file = await (await fetch(`${url}/v1/files`, { method: 'POST', headers: { Authorization: `Bearer ${ada.access_token}` }, body: form })).json()
  const document = await call(ada, 'POST', `/v1/knowledge-bases/${base.id}/documents`, { file_id: file.id, title: attack })
  await ready(ada, base.id, document.id)
  await page.route('**/v1/auth/me', async (route) => {
    const response = await route.fetch()
    const me = await response.json()
    await route.fulfill({ response, json: { ...me, memberships: me.memberships.map((m) => ({ ...m, role: 'viewer' })) } })
  })
  await signIn(page, ada, `/knowledge/${base.id}`)
  await page.getByRole('link', { name: attack }).waitFor()
  for (const name of ['Choose files', 'Paste text', 'Ask a bot about it', /^Delete/]) await counted(page.getByRole('button', { name }), 0, String(name))
  await accessible(page)
  await page.getByRole('link', { name: attack }).click()
  await page.getByText(`Be kind. ${attack}`).first().waitFor()
  await accessible(page)
  await page.goto(`/console/knowledge/${base.id}/00000000-0000-4000-8000-000000000000`)
  await page.getByRole('heading', { name: 'This document is not here' }).waitFor()
  await accessible(page)
})
