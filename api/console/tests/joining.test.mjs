import assert from 'node:assert/strict'
import { accessible, call, counted, eventually, inBrowser, register, shoot, signIn, url } from './harness.mjs'
import { codeOf } from './totp.mjs'

for (const size of ['desk', 'phone']) {
  inBrowser(`a person is invited with a role, accepts in the browser and sees what the role allows (${size})`, async (page, context) => {
    const ada = await register()
    const bot = await call(ada, 'POST', '/v1/bots', { name: 'Shop' })
    const email = `grace-${size}-${Date.now()}@example.com`
    await signIn(page, ada, '/people')
    await page.getByRole('button', { name: 'Invite a person' }).click()
    await page.getByLabel('Email address').fill(email)
    await page.getByLabel('Role', { exact: true }).selectOption('viewer')
    await page.getByRole('dialog').getByRole('button', { name: 'Invite' }).click()
    const link = await page.getByRole('group', { name: 'Link of the invitation' }).locator('code').textContent()
    assert.match(link, /\/console\/invitation#inv_/)
    await page.getByRole('button', { name: 'Done' }).click()

    const other = await context.newPage()
    await other.goto(link)
    await other.getByRole('heading', { name: 'Accept the invitation' }).waitFor()
    await other.waitForURL((at) => at.hash === '') // the token stays neither in the address nor in the history
    await accessible(other)
    await shoot(other, 'invitation')
    await other.getByLabel('Password', { exact: true }).fill('staple the right horse')
    await other.getByRole('button', { name: 'Join' }).click()
    await other.getByRole('heading', { name: 'Welcome to Acme' }).waitFor()
    await other.getByRole('link', { name: 'Shop' }).waitFor()
    await counted(other.getByRole('button', { name: 'Make a bot' }), 0)
    await other.goto(`/console/bots/${bot.id}/instruction`)
    await other.getByText('You may read this bot, not change it.').waitFor()
    await other.goto('/console/settings')
    await other.getByText('Owners and admins can change this.').waitFor()
    await accessible(other)
    await other.goto('/console/people')
    await other.getByRole('table', { name: 'Members' }).getByText(email).waitFor()
    await counted(other.getByRole('button', { name: /Invite|Actions for/ }), 0)
    await other.goto('/console/audit')
    await other.getByRole('heading', { name: 'There is nothing here', level: 1 }).waitFor()

    // The new person signs in by itself, and the link works once.
    const third = await context.newPage()
    await signIn(third, { email, password: 'staple the right horse' })
    await third.getByRole('heading', { name: 'Welcome to Acme' }).waitFor()
    await third.goto('/console/invitation')
    await third.getByLabel('Token of the invitation').fill(link.split('#')[1])
    await third.getByLabel('Password', { exact: true }).fill('staple the right horse')
    await third.getByRole('button', { name: 'Join' }).click()
    await third.getByRole('alert').waitFor()
    await accessible(third)

    await page.reload()
    await page.getByRole('table', { name: 'Members' }).getByText(email).waitFor()
    assert.equal((await call(ada, 'GET', '/v1/members')).items.find((m) => m.email === email).role, 'viewer')
  }, { size, timeout: 240_000 })
}

inBrowser('a person of another workspace who has a second factor lands in the workspace of the invitation', async (page) => {
  const ada = await register('Acme')
  const grace = await register('Other')
  const { secret } = await call(grace, 'POST', '/v1/auth/factors/totp', {})
  const { recovery_codes: codes } = await call(grace, 'POST', '/v1/auth/factors/totp/confirm', { code: codeOf(secret) })
  const confirmCode = async (code) => {
    await page.getByLabel('Code').fill(code)
    await page.getByRole('button', { name: 'Confirm' }).click()
  }
  await page.goto('/console')
  await page.getByLabel('Email address').fill(grace.email)
  await page.getByLabel('Password', { exact: true }).fill(grace.password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await confirmCode(codes[0])
  await page.getByRole('heading', { name: 'Welcome to Other' }).waitFor()

  const { token } = await call(ada, 'POST', '/v1/invitations', { email: grace.email, role: 'viewer' })
  await page.goto(`/console/invitation#${token}`)
  await page.getByLabel('Password', { exact: true }).fill(grace.password)
  await page.waitForURL((at) => at.hash === '')
  await page.getByRole('button', { name: 'Join' }).click()
  await confirmCode(codes[1])
  await page.getByRole('heading', { name: 'Welcome to Acme' }).waitFor()
  await page.reload()
  await page.getByRole('heading', { name: 'Welcome to Acme' }).waitFor()
})

inBrowser('an API key with limits takes a turn, its usage is shown, and what goes beyond is refused', async (page) => {
  const ada = await register()
  const bot = await call(ada, 'POST', '/v1/bots', { name: 'Shop' })
  await signIn(page, ada, '/people/keys')
  await page.getByRole('button', { name: 'New API key' }).first().click()
  await page.getByLabel('Name').fill('Website')
  await page.getByText('Networks and limits').click()
  await page.getByLabel(/^Turns a day/).fill('1')
  await page.getByRole('button', { name: 'Create the key' }).click()
  const access_token = await page.getByRole('group', { name: 'Key' }).locator('code').textContent()
  await page.getByRole('button', { name: 'I have copied it' }).click()

  const key = { access_token }
  const thread = await call(key, 'POST', '/v1/conversations/threads', { bot_id: bot.id })
  await call(key, 'POST', `/v1/conversations/threads/${thread.id}/turn`, { content: 'hello' })
  const refused = await fetch(`${url}/v1/conversations/threads/${thread.id}/turn`, { method: 'POST', headers: { Authorization: `Bearer ${access_token}`, 'Content-Type': 'application/json' }, body: '{"content":"again"}' })
  assert.equal(refused.status, 429)
  assert.ok(Number(refused.headers.get('Retry-After')) > 0)

  await page.getByRole('button', { name: /^Website/ }).click()
  await page.getByRole('listitem').filter({ hasText: 'Turns today' }).getByText('1 of 1').waitFor()
  await accessible(page)
  await shoot(page, 'keys-used')
})

inBrowser('usage by day counts turns of today, and limits say what is left', async (page) => {
  const ada = await register()
  const bot = await call(ada, 'POST', '/v1/bots', { name: 'Shop', settings: { model: 'echo' } })
  const thread = await call(ada, 'POST', '/v1/conversations/threads', { bot_id: bot.id })
  for (const content of ['one', 'two', 'three']) await call(ada, 'POST', `/v1/conversations/threads/${thread.id}/turn`, { content })
  await eventually(() => call(ada, 'GET', '/v1/analytics/turns'), (turns) => turns.totals.turns === 3, 'turns are counted')
  await signIn(page, ada, '/usage')
  const turns = page.getByRole('slider', { name: 'Turns' })
  await turns.focus()
  await page.keyboard.press('End')
  assert.match(await turns.getAttribute('aria-valuetext'), /: Completed 3, Failed 0$/)
  const used = (await call(ada, 'GET', '/v1/usage')).metrics.find((m) => m.metric === 'turns')
  assert.equal(used.used, 3)
  await page.getByText('Turns', { exact: true }).first().waitFor()
  await accessible(page)
})
