import assert from 'node:assert/strict'
import { accessible, call, eventually, fillSignIn, inBrowser, register, shoot, signIn } from './harness.mjs'
import { join } from './people-of.mjs'
import { codeOf } from './totp.mjs'

const models = (...items) => ({ items: [{ id: 'echo', provider: 'echo', name: 'echo', source: 'operator', window: null, prices: null }, ...items], patterns: [], next_cursor: null, has_more: false, unavailable: [] })
const mini = { id: 'openai/gpt-4o-mini', provider: 'openai', name: 'gpt-4o-mini', source: 'own_key', window: 128000, prices: null }

inBrowser('the workspace is renamed, and its new name is everywhere', async (page) => {
  const ada = await register()
  await signIn(page, ada, '/settings')
  const name = page.getByLabel('Name')
  await name.fill('Acme Limited')
  await accessible(page)
  await page.locator('form').filter({ has: name }).getByRole('button', { name: 'Save' }).click()
  await page.getByRole('button', { name: /^Workspace Acme Limited/ }).waitFor()
  assert.equal((await call(ada, 'GET', '/v1/auth/me')).workspace_name, 'Acme Limited')
  await shoot(page, 'settings')

  const vera = await join(ada, 'viewer')
  const other = await page.context().newPage()
  await signIn(other, vera, '/settings')
  await other.getByText('Owners and admins can change this.').waitFor()
  assert.equal(await other.getByRole('button', { name: 'Save' }).count() + (await other.getByRole('link', { name: 'Models' }).count()), 0)
  await accessible(other)
})

for (const size of ['desk', 'phone']) {
  inBrowser(`a model key is put, tested and deleted (${size})`, async (page) => {
    const ada = await register()
    // The provider is not asked: its answers are those that it may give.
    let listed = models()
    let answer = { ok: false, code: 'MODEL_CREDENTIALS', message: 'refused', provider_code: 'invalid_api_key', latency_ms: 212 }
    await page.route('**/v1/models', (r) => r.fulfill({ json: listed }))
    await page.route('**/v1/model-keys/openai/test', (r) => r.fulfill({ json: answer }))
    await signIn(page, ada, '/settings/models')
    await page.getByText('No model key yet: the echo model answers').waitFor()
    await accessible(page)
    await shoot(page, 'settings-models-none')

    await page.getByRole('button', { name: 'Add key: OpenAI' }).click()
    await page.getByLabel('API key', { exact: true }).fill('sk-wrong-key-0001')
    await page.getByLabel(/^Base URL/).fill('https://127.0.0.1/v1')
    await accessible(page)
    await shoot(page, 'settings-key')
    await page.getByRole('button', { name: 'Save and test' }).click()
    await page.locator('.field-error').waitFor()
    await page.getByLabel(/^Base URL/).fill('')
    listed = models(mini)
    await page.getByRole('button', { name: 'Save and test' }).click()
    await page.getByText('The key does not work').waitFor()
    await page.getByText('The provider refuses the key.').waitFor()
    assert.equal((await call(ada, 'GET', '/v1/model-keys')).items[0].last_four, '0001')
    await accessible(page)
    await shoot(page, 'settings-models-bad')

    answer = { ok: true, code: null, message: null, provider_code: null, latency_ms: 212 }
    await page.getByRole('button', { name: 'Test', exact: true }).click()
    await page.getByText('The key works').waitFor()
    await page.getByLabel('Model', { exact: true }).selectOption('openai/gpt-4o-mini')
    await page.getByRole('button', { name: 'Save', exact: true }).click()
    await page.getByText('Saved', { exact: true }).first().waitFor()
    assert.equal((await call(ada, 'GET', '/v1/model-settings')).default_model, 'openai/gpt-4o-mini')
    await accessible(page)
    await shoot(page, 'settings-models')

    await page.getByRole('button', { name: 'Delete the key of OpenAI' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
    await page.getByRole('button', { name: 'Add key: OpenAI' }).waitFor()
    assert.deepEqual((await call(ada, 'GET', '/v1/model-keys')).items, [])
  }, { size, timeout: 180_000 })
}

for (const size of ['desk', 'phone']) {
  inBrowser(`retention is set by an owner, after a warning, and read by an admin (${size})`, async (page) => {
    const ada = await register()
    const path = `/v1/workspaces/${ada.workspace_id}/retention`
    await signIn(page, ada, '/settings')
    const threads = page.getByLabel('Conversations')
    await threads.fill('365')
    await page.getByLabel('Audit log').fill('90')
    await accessible(page)
    await page.locator('form').filter({ has: threads }).getByRole('button', { name: 'Save' }).click()
    await page.getByRole('dialog', { name: 'Delete what is older?' }).waitFor()
    await accessible(page)
    assert.equal((await call(ada, 'GET', path)).threads_days, null, 'nothing is set before it is confirmed')
    await page.getByRole('button', { name: 'Save and delete' }).click()
    await page.getByText('Saved', { exact: true }).waitFor()
    const { threads_days, audit_days, usage_months } = await call(ada, 'GET', path)
    assert.deepEqual({ threads_days, audit_days, usage_months }, { threads_days: 365, audit_days: 90, usage_months: null })
    await page.getByText('Next run').waitFor()
    await shoot(page, 'settings-retention')
    // Longer than before deletes nothing, and asks nothing.
    await threads.fill('')
    await page.locator('form').filter({ has: threads }).getByRole('button', { name: 'Save' }).click()
    await page.waitForFunction(() => !document.querySelector('dialog'))
    await eventually(() => call(ada, 'GET', path), (kept) => kept.threads_days === null, 'conversations are kept for good')

    const bob = await join(ada, 'admin')
    const other = await page.context().newPage()
    await signIn(other, bob, '/settings')
    assert.equal(await other.getByLabel('Audit log').inputValue(), '90')
    assert.equal(await other.getByLabel('Audit log').getAttribute('readonly') !== null, true)
    await accessible(other)
  }, { size, timeout: 180_000 })
}

inBrowser('a second factor is required of all, and a member without one is led to set it', async (page) => {
  const ada = await register()
  const vera = await join(ada, 'viewer')
  await fillSignIn(page, ada, '/settings')
  await page.getByText('Set a second factor of your own first.').waitFor()
  await accessible(page)
  const { secret } = await call(ada, 'POST', '/v1/auth/factors/totp', {})
  await call(ada, 'POST', '/v1/auth/factors/totp/confirm', { code: codeOf(secret) })
  await page.reload()
  await page.getByLabel('Email address').fill(ada.email)
  await page.getByLabel('Password', { exact: true }).fill(ada.password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByLabel('Code').fill(codeOf(secret, 1)) // that of now is used
  await page.getByRole('button', { name: 'Confirm' }).click()
  await page.getByRole('button', { name: 'Require it' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Require it' }).click()
  await page.getByText('A second factor is required now').waitFor()
  assert.equal((await call(ada, 'GET', `/v1/workspaces/${ada.workspace_id}/second-factor`)).required, true)

  const other = await page.context().newPage()
  await signIn(other, vera)
  await other.getByText('This workspace requires a second factor.').waitFor()
  await accessible(other)
  await shoot(other, 'home-factor-missing')
  await other.getByRole('link', { name: 'Set up a second factor' }).click()
  await other.getByRole('button', { name: 'Set up', exact: true }).waitFor()
  await accessible(other)

  await page.getByRole('button', { name: 'Stop requiring it' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Stop requiring it' }).click()
  await page.getByText('A second factor is no longer required').waitFor()
  assert.equal((await call(ada, 'GET', `/v1/workspaces/${ada.workspace_id}/second-factor`)).required, false)
})

inBrowser('the workspace is exported: progress, then a zip that can be downloaded', async (page) => {
  const ada = await register()
  await call(ada, 'POST', '/v1/bots', { name: 'Shop' })
  await signIn(page, ada, '/settings')
  await page.getByText('No exports in the last 30 days.').waitFor()
  // Answers that take longer than the pause between two questions come through too.
  await page.route('**/exports?*', async (r) => {
    await new Promise((done) => setTimeout(done, 2000))
    await r.continue().catch(() => {})
  })
  await page.getByRole('button', { name: 'Start an export' }).click()
  const list = page.getByRole('list', { name: 'Exports' })
  await list.getByText('Ready').waitFor()
  await accessible(page)
  await shoot(page, 'settings-exports')
  const begun = page.waitForEvent('download')
  await list.getByRole('button', { name: /^Download the export of/ }).click()
  const download = await begun
  assert.match(download.suggestedFilename(), /\.zip$/)
  const chunks = []
  for await (const chunk of await download.createReadStream()) chunks.push(chunk)
  assert.equal(Buffer.concat(chunks).subarray(0, 2).toString(), 'PK')
})

for (const size of ['desk', 'phone']) {
  inBrowser(`the workspace is deleted by its typed name, and restored (${size})`, async (page) => {
    const ada = await register('Acme & "Sons"')
    await call(ada, 'POST', '/v1/bots', { name: 'Shop' })
    await signIn(page, ada, '/settings')
    await page.getByRole('button', { name: 'Leave', exact: true }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Leave the workspace' }).click()
    await page.getByText('A workspace keeps an owner.', { exact: false }).waitFor()
    await accessible(page)
    await shoot(page, 'settings-danger')
    await page.getByRole('button', { name: 'Delete', exact: true }).click()
    const yes = page.getByRole('button', { name: 'Delete the workspace' })
    await page.getByLabel(/^Type/).fill('Acme')
    assert.ok(await yes.isDisabled())
    await page.getByLabel(/^Type/).fill('Acme & "Sons"')
    await accessible(page)
    await shoot(page, 'settings-delete')
    await yes.click()
    await page.getByRole('heading', { name: 'Acme & "Sons" is deleted' }).waitFor()
    await accessible(page)
    await shoot(page, 'workspace-deleted')
    await assert.rejects(call(ada, 'GET', '/v1/bots'), /WORKSPACE_DELETED/)
    await page.reload()
    await page.getByRole('button', { name: 'Restore it' }).click()
    await page.getByRole('heading', { name: 'Welcome to Acme & "Sons"' }).waitFor()
    await page.getByRole('link', { name: 'Shop' }).waitFor()
    assert.equal((await call(ada, 'GET', '/v1/bots')).items.length, 1)
  }, { size, timeout: 180_000 })
}

inBrowser('a member with two workspaces goes to the other when one is deleted, and leaves one', async (page) => {
  const ada = await register('First')
  await call(ada, 'POST', '/v1/workspaces', { name: 'Second' })
  await signIn(page, ada, '/settings')
  await page.getByRole('button', { name: 'Delete', exact: true }).click()
  await page.getByLabel(/^Type/).fill('First')
  await page.getByRole('button', { name: 'Delete the workspace' }).click()
  await page.getByRole('heading', { name: 'Welcome to Second' }).waitFor()
  await page.getByRole('button', { name: /^Workspace/ }).click()
  await page.getByRole('menuitemradio', { name: 'First (deleted)' }).click()
  await page.getByRole('button', { name: 'Restore it' }).click()
  await page.getByRole('heading', { name: 'Welcome to First' }).waitFor()

  const vera = await join(ada, 'viewer')
  const other = await page.context().newPage()
  await signIn(other, vera, '/settings')
  const leave = other.getByRole('button', { name: 'Leave', exact: true })
  await leave.waitFor()
  assert.equal(await other.getByRole('heading', { name: /Retention|Exports|Delete the workspace/ }).count(), 0)
  await leave.click()
  await other.getByRole('dialog').getByRole('button', { name: 'Leave the workspace' }).click()
  await other.getByRole('heading', { name: 'Sign in to Parley' }).waitFor()
  await other.getByText('You have left First').waitFor()
  assert.equal((await call(ada, 'GET', '/v1/members')).items.length, 1)
})
