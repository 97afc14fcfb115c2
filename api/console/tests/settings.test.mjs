import assert from 'node:assert/strict'
import { accessible, call, inBrowser, register, shoot, signIn } from './harness.mjs'
import { join } from './people-of.mjs'

const models = (...items) => ({ items: [{ id: 'echo', provider: 'echo', name: 'echo', source: 'operator', window: null, prices: null }, ...items], patterns: [], next_cursor: null, has_more: false, unavailable: [] })
const mini = { id: 'openai/gpt-4o-mini', provider: 'openai', name: 'gpt-4o-mini', source: 'own_key', window: 128000, prices: null }

inBrowser('the workspace is renamed, and its new name is everywhere', async (page) => {
  const ada = await register()
  await signIn(page, ada, '/settings')
  const name = page.getByLabel('Name')
  await name.fill('Acme Limited')
  await accessible(page)
  await page.getByRole('button', { name: 'Save' }).click()
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
