import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { accessible, call, counted, inBrowser, register, shoot, signIn } from './harness.mjs'

for (const size of ['desk', 'phone']) {
  inBrowser(`a person registers, sees the three steps and signs out (${size})`, async (page) => {
    await page.goto('/')
    assert.equal(new URL(page.url()).pathname, '/console', 'a browser is led to the console')
    await page.getByRole('heading', { name: 'Sign in to Parley' }).waitFor()
    await accessible(page)
    await shoot(page, 'sign-in')
    await page.getByRole('link', { name: 'Create an account' }).click()
    await page.getByLabel('Email address').fill(`new-${size}-${Date.now()}@example.com`)
    await page.getByLabel('Password', { exact: true }).fill('correct horse battery')
    await page.getByLabel('Name of the workspace').fill('Acme')
    await accessible(page)
    await shoot(page, 'register')
    await page.getByRole('button', { name: 'Create an account' }).click()
    await page.getByRole('heading', { name: 'Welcome to Acme' }).waitFor()
    await counted(page.getByRole('list', { name: '0 of 3 done' }).getByRole('listitem'), 3)
    await accessible(page)
    await shoot(page, 'home-empty')
    assert.deepEqual(await page.evaluate(() => Object.keys(localStorage).filter((k) => /refresh|access/.test(k))), [], 'tokens are not kept beyond the tab')

    await page.reload()
    await page.getByRole('heading', { name: 'Welcome to Acme' }).waitFor()

    if (size === 'phone') await page.getByRole('button', { name: 'Menu' }).click()
    await page.getByRole('button', { name: /^Account/ }).click()
    await accessible(page)
    await page.getByRole('menuitem', { name: 'Sign out' }).click()
    await page.getByRole('heading', { name: 'Sign in to Parley' }).waitFor()
    assert.equal(await page.evaluate(() => sessionStorage.length), 0, 'nothing of the session is left')
  }, { size })
}

inBrowser('a wrong password is said, and the right one signs in', async (page) => {
  const ada = await register()
  await page.goto('/console/bots')
  await page.getByLabel('Email address').fill(ada.email)
  await page.getByLabel('Password', { exact: true }).fill('wrong password')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('alert').waitFor()
  await accessible(page)
  await page.getByLabel('Password', { exact: true }).fill(ada.password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('heading', { name: 'No bots yet' }).waitFor()
  await accessible(page)
  await shoot(page, 'bots-empty')
})

inBrowser('the console speaks Russian', async (page) => {
  const ada = await register()
  await page.goto('/console')
  await page.getByRole('heading', { name: 'Вход в Parley' }).waitFor()
  assert.equal(await page.evaluate(() => document.documentElement.lang), 'ru')
  await page.getByRole('button', { name: 'English' }).click()
  await signIn(page, ada)
  await page.getByRole('button', { name: /^Account/ }).click()
  await page.getByRole('menuitemradio', { name: 'Русский' }).click()
  await page.getByRole('heading', { name: 'Добро пожаловать в Acme' }).waitFor()
  await accessible(page)
}, { locale: 'ru-RU' })

// codeOf returns the code of an authenticator app (RFC 6238).
function codeOf(secret) {
  const bits = [...secret].map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('')
  const key = Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)))
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)))
  const mac = createHmac('sha1', key).update(counter).digest()
  return String((mac.readUInt32BE(mac.at(-1) & 15) & 0x7fffffff) % 1_000_000).padStart(6, '0')
}

inBrowser('a second factor is asked for after the password', async (page) => {
  const ada = await register()
  const { secret } = await call(ada, 'POST', '/v1/auth/factors/totp', {})
  const { recovery_codes: codes } = await call(ada, 'POST', '/v1/auth/factors/totp/confirm', { code: codeOf(secret) })
  await page.goto('/console')
  await page.getByLabel('Email address').fill(ada.email)
  await page.getByLabel('Password', { exact: true }).fill(ada.password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('heading', { name: 'Second factor' }).waitFor()
  await accessible(page)
  await shoot(page, 'second-factor')
  await page.getByLabel('Code').fill('000000')
  await page.getByRole('button', { name: 'Confirm' }).click()
  await page.getByRole('alert').waitFor()
  await page.getByLabel('Code').fill(codes[0])
  await page.getByRole('button', { name: 'Confirm' }).click()
  await page.getByRole('heading', { name: 'Welcome to Acme' }).waitFor()
})

inBrowser('a forgotten password has a link sent, and does not tell who has an account', async (page) => {
  await page.goto('/console')
  await page.getByRole('link', { name: 'Forgot the password?' }).click()
  await page.getByLabel('Email address').fill('nobody@example.com')
  await accessible(page)
  await page.getByRole('button', { name: 'Send the link' }).click()
  await page.getByRole('heading', { name: 'Look into your mailbox' }).waitFor()
  await accessible(page)
})

inBrowser('tabs that were duplicated keep their session', async (page, context) => {
  const ada = await register()
  await signIn(page, ada)
  await page.getByRole('heading', { name: 'Welcome to Acme' }).waitFor()
  const stored = await page.evaluate(() => ({ ...sessionStorage }))
  const other = await context.newPage()
  await other.goto('/console')
  await other.evaluate((all) => Object.entries(all).forEach(([k, v]) => sessionStorage.setItem(k, v)), stored)
  await other.reload()
  await other.getByRole('heading', { name: 'Welcome to Acme' }).waitFor()
  const next = await other.evaluate(() => sessionStorage.getItem('parley.refresh'))
  await page.waitForFunction((token) => sessionStorage.getItem('parley.refresh') === token, next)
})
