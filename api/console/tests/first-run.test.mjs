import assert from 'node:assert/strict'
import { accessible, counted, inBrowser, shoot } from './harness.mjs'
import { pdf } from './pdf.mjs'

for (const size of ['desk', 'phone']) {
  inBrowser(`a newcomer goes from the first page to an answer that cites an uploaded PDF (${size})`, async (page) => {
    const began = Date.now()
    const button = (name) => page.getByRole('button', { name })
    // Checks and pictures of the pages are not what the newcomer does.
    let checking = 0
    const check = async (name) => {
      const from = Date.now()
      await accessible(page)
      await shoot(page, `first-${name}`)
      checking += Date.now() - from
    }
    await page.goto('/')
    await page.getByRole('link', { name: 'Create an account' }).click()
    await page.getByLabel('Email address').fill(`first-${size}-${Date.now()}@example.com`)
    await page.getByLabel('Password', { exact: true }).fill('correct horse battery')
    await page.getByLabel('Name of the workspace').fill('Acme')
    await button('Create an account').click()

    await page.getByText('No model key yet: the echo model answers').waitFor()
    await page.getByRole('link', { name: 'Add a key' }).waitFor()
    await check('home')
    await button('Make a bot').click()
    await page.getByLabel('Name').fill('Support')
    await button('Create the bot').click()

    await page.getByRole('link', { name: 'Give it a document' }).waitFor()
    await check('bot')
    await page.getByRole('link', { name: 'Give it a document' }).click()
    const chooser = page.waitForEvent('filechooser')
    await button('Choose files').first().click()
    await (await chooser).setFiles({ name: 'warranty.pdf', mimeType: 'application/pdf', buffer: pdf('Descale the kettle every month.', 'The warranty of the kettle lasts two years.') })
    await page.getByText('The bot can answer from it now.').waitFor({ timeout: 60_000 })
    await check('document')
    await page.getByRole('link', { name: 'Ask it' }).click()

    await button(/^What does “warranty/).waitFor()
    await check('question')
    await button(/^What does “warranty/).click()
    const citation = button(/^Source 1/).first()
    await citation.waitFor()
    await button('As curl').waitFor()
    await citation.click()
    await page.locator('mark').getByText('kettle').waitFor()
    const seconds = (Date.now() - began - checking) / 1000
    console.log(`first cited answer from a PDF (${size}): ${seconds.toFixed(1)} s`)
    await check('citation')
    await page.keyboard.press('Escape')

    if (size === 'phone') await button('Menu').click()
    await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Home' }).click()
    await page.getByRole('link', { name: 'Support' }).waitFor()
    await counted(page.getByRole('list', { name: /of 3 done/ }), 0, 'the steps are done')
  }, { size, timeout: 240_000 })
}

inBrowser('what models there are is not read, and the steps are there', async (page) => {
  await page.route('**/v1/models', (r) => r.fulfill({ status: 503, json: { code: 'DOWNSTREAM_UNAVAILABLE', message: 'away', trace_id: 't-1', details: null } }))
  await page.goto('/console/register')
  await page.getByLabel('Email address').fill(`first-${Date.now()}@example.com`)
  await page.getByLabel('Password', { exact: true }).fill('correct horse battery')
  await page.getByLabel('Name of the workspace').fill('Acme')
  await page.getByRole('button', { name: 'Create an account' }).click()
  await counted(page.getByRole('list', { name: '0 of 3 done' }).getByRole('listitem'), 3)
  await counted(page.getByText('the echo model answers'), 0)
})
