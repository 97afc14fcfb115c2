import assert from 'node:assert/strict'
import jsQR from 'jsqr'
import { accessible, call, counted, fillSignIn, inBrowser, register, shoot, signIn } from './harness.mjs'
import { codeOf } from './totp.mjs'

for (const size of ['desk', 'phone']) {
  inBrowser(`a person sees the own sessions, ends one, and it is signed out (${size})`, async (page, context) => {
    const ada = await register()
    const bot = await call(ada, 'POST', '/v1/bots', { name: 'Shop' })
    const other = await context.newPage()
    await fillSignIn(other, ada, `/bots/${bot.id}`)
    await other.getByRole('heading', { name: 'Talk to Shop' }).waitFor()
    await fillSignIn(page, ada, '/settings/account')
    const table = page.getByRole('table', { name: 'Your sessions' })
    const ends = table.getByRole('button', { name: /^End the session/ })
    await counted(ends, 2, 'that of register() and that of the other page')
    await counted(table.getByText('This session'), 1)
    await table.getByText('127.0.0.0/24').first().waitFor()
    await accessible(page)
    await shoot(page, 'account')

    await ends.first().click() // newest first: the other page
    await page.getByRole('dialog').getByRole('button', { name: 'End', exact: true }).click()
    await page.getByText('The session has ended').waitFor()
    await counted(ends, 1)
    await other.getByRole('link', { name: 'Versions' }).click()
    await other.getByRole('heading', { name: 'Your session has ended' }).waitFor()
    await other.getByLabel('Password', { exact: true }).fill(ada.password)
    await other.getByRole('button', { name: 'Sign in' }).click()
    await other.getByRole('heading', { name: 'v1' }).waitFor()

    await page.goto('/console/people/sessions')
    await counted(ends, 2, 'sessions are found among the people too')
    await accessible(page)
    await shoot(page, 'people-sessions')
    await page.getByRole('button', { name: 'End all others' }).click()
    await accessible(page)
    await page.getByRole('dialog').getByRole('button', { name: 'End all others' }).click()
    await page.getByText('2 sessions have ended').waitFor()
    await counted(ends, 0)
    await assert.rejects(call(ada, 'GET', '/v1/auth/me'), /401/)
  }, { size, timeout: 180_000 })
}

inBrowser('the password is changed: a wrong one is said at its field, and the new one signs in', async (page) => {
  const ada = await register()
  await fillSignIn(page, ada)
  await page.getByRole('button', { name: /^Account/ }).click()
  await page.getByRole('menuitem', { name: 'Account settings' }).click()
  await page.getByRole('button', { name: 'Change the password' }).click()
  await page.getByLabel('Current password').fill('not the password')
  await page.getByLabel('New password').fill('staple the right horse')
  await accessible(page)
  await page.getByRole('dialog').getByRole('button', { name: 'Change the password' }).click()
  await page.locator('.field.invalid').getByText('This is not your password.').waitFor()
  await accessible(page)
  await shoot(page, 'account-password')
  await page.getByLabel('Current password').fill(ada.password)
  await page.getByRole('dialog').getByRole('button', { name: 'Change the password' }).click()
  await page.getByText('The password is changed').waitFor()
  await assert.rejects(call(null, 'POST', '/v1/auth/login', { email: ada.email, password: ada.password }), /401/)
  await call(null, 'POST', '/v1/auth/login', { email: ada.email, password: 'staple the right horse' })
  await assert.rejects(call(ada, 'GET', '/v1/auth/me'), /401/, 'other sessions have ended')
})

inBrowser('the same form has the same operation until it is answered, and nothing that is kept depends on a password', async (page) => {
  const ada = await register()
  await signIn(page, ada, '/settings/account')
  const answers = [[409, 'OPERATION_IN_PROGRESS'], [500, 'INTERNAL_ERROR'], [503, 'DOWNSTREAM_UNAVAILABLE'], [503, 'DOWNSTREAM_UNAVAILABLE']]
  const operations = []
  await page.route('**/v1/auth/password', (r) => {
    const [status, code] = answers[operations.length]
    operations.push(r.request().headers()['x-operation-id'])
    return r.fulfill({ status, json: { code, message: `no ${operations.length}`, trace_id: 't-1', details: null } })
  })
  const kept = () => page.evaluate(() => sessionStorage.getItem('parley.operation.password.change').split(' ')[1])
  const fill = async () => {
    await page.getByRole('button', { name: 'Change the password' }).click()
    await page.getByLabel('Current password').fill(ada.password)
    await page.getByLabel('New password').fill('staple the right horse')
  }
  const send = async () => {
    const answered = page.waitForResponse('**/v1/auth/password')
    await page.getByRole('dialog').getByRole('button', { name: 'Change the password' }).click()
    await answered
    await page.getByRole('dialog').getByRole('alert').waitFor()
  }
  await fill()
  for (let i = 0; i < 3; i++) await send()
  const before = await kept()
  await page.getByRole('button', { name: 'Cancel' }).click()
  await fill()
  await send()
  assert.deepEqual(operations.map((id) => id === operations[0]), [true, true, true, false])
  assert.notEqual(await kept(), before, 'the same passwords leave another trace')
})

inBrowser('the address is verified by a code and changed by links', async (page) => {
  const ada = await register()
  await signIn(page, ada, '/settings/account')
  await page.getByText('Not verified').waitFor()
  await page.getByRole('button', { name: 'Verify' }).click()
  await page.getByRole('button', { name: 'Send the code' }).click()
  await page.getByText('the code is on its way').waitFor()
  await page.getByLabel('Code of the email').fill('000000')
  await accessible(page)
  await shoot(page, 'account-verify')
  await page.getByRole('dialog').getByRole('button', { name: 'Confirm' }).click()
  await page.getByRole('dialog').getByRole('alert').waitFor()
  await page.getByRole('button', { name: 'Close' }).click()

  await page.getByRole('button', { name: 'Change the email address' }).click()
  await page.getByLabel('New email address').fill(`new-${ada.email}`)
  await page.getByLabel('Password', { exact: true }).fill(ada.password)
  await accessible(page)
  await page.getByRole('button', { name: 'Send the links' }).click()
  await page.getByText('The links are sent').waitFor()
})

// scanned returns what a scanner reads in a picture of an element.
async function scanned(page, locator) {
  const picture = (await locator.screenshot({ animations: 'disabled' })).toString('base64')
  const { data, width, height } = await page.evaluate(async (picture) => {
    const image = await createImageBitmap(new Blob([Uint8Array.from(atob(picture), (c) => c.charCodeAt(0))], { type: 'image/png' }))
    const canvas = new OffscreenCanvas(image.width, image.height).getContext('2d')
    canvas.drawImage(image, 0, 0)
    return { data: [...canvas.getImageData(0, 0, image.width, image.height).data], width: image.width, height: image.height }
  }, picture)
  return jsQR(Uint8ClampedArray.from(data), width, height, { inversionAttempts: 'dontInvert' })?.data
}

for (const [size, theme] of [['desk', 'dark'], ['phone', 'light']]) {
  inBrowser(`a second factor is set up, asked for, renewed and removed (${size})`, async (page) => {
    const ada = await register()
    await signIn(page, ada, '/settings/account')
    await page.getByRole('button', { name: 'Set up' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Set up' }).click()
    const secret = await page.getByRole('group', { name: 'Secret' }).locator('code').textContent()
    const uri = await page.getByRole('link', { name: 'Open the authenticator app' }).getAttribute('href')
    assert.match(uri, new RegExp(`^otpauth://totp/.*${secret}`))
    const code = page.getByRole('img', { name: 'QR code of the secret, for an authenticator app' })
    await code.waitFor()
    assert.equal(await scanned(page, code), uri)
    await page.getByLabel('Code that the app shows').fill('000000')
    await page.getByRole('button', { name: 'Turn on' }).click()
    await page.locator('.field-error').waitFor()
    await accessible(page)
    await shoot(page, 'account-factor')
    await page.getByLabel('Code that the app shows').fill(codeOf(secret))
    await page.getByRole('button', { name: 'Turn on' }).click()
    const codes = page.getByRole('list', { name: 'Your recovery codes' }).getByRole('listitem')
    await counted(codes, 10)
    const first = await codes.first().textContent()
    await accessible(page)
    await shoot(page, 'account-codes')
    await page.keyboard.press('Escape')
    await counted(codes, 10, 'Escape does not lose them')
    await page.getByRole('button', { name: 'I have stored them' }).click()
    await page.getByText('10 recovery codes are left').waitFor()
    await accessible(page)
    assert.ok((await call(null, 'POST', '/v1/auth/login', { email: ada.email, password: ada.password }).catch((e) => e.message)).includes('SECOND_FACTOR_REQUIRED'))

    // The server asks for a fresh authentication 10 minutes after the sign-in.
    let stale = true
    await page.route('**/v1/auth/factors/recovery-codes', (r) => (stale ? r.fulfill({ status: 403, json: { code: 'REAUTHENTICATION_REQUIRED', message: 'authenticate again', trace_id: 't-1', details: null } }) : r.continue()))
    await page.getByRole('button', { name: 'New recovery codes' }).click()
    await page.getByRole('button', { name: 'Create', exact: true }).click()
    const fresh = page.getByRole('group', { name: 'Confirm that it is you' })
    await fresh.waitFor()
    await accessible(page)
    await shoot(page, 'account-fresh')
    await fresh.getByLabel('Password', { exact: true }).fill(ada.password)
    await fresh.getByLabel('Code of your app').fill(first)
    stale = false
    await page.keyboard.press('Enter')
    await counted(codes, 10)
    assert.notEqual(await codes.first().textContent(), first)
    await page.getByRole('button', { name: 'I have stored them' }).click()
    await page.getByRole('button', { name: 'Remove the second factor' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click()
    await page.getByText('The second factor is removed').waitFor()
    assert.equal((await call(await call(null, 'POST', '/v1/auth/login', { email: ada.email, password: ada.password }), 'GET', '/v1/auth/factors')).totp, null)
  }, { size, theme, timeout: 180_000 })
}

inBrowser('a second factor is set up by its secret where no QR code can be drawn', async (page) => {
  const ada = await register()
  await page.route(/\/assets\/qr-code-[^/]+\.js$/, (route) => route.abort())
  await signIn(page, ada, '/settings/account')
  await page.getByRole('button', { name: 'Set up' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Set up' }).click()
  const secret = await page.getByRole('group', { name: 'Secret' }).locator('code').textContent()
  await counted(page.locator('.qr-box'), 0)
  await page.getByLabel('Code that the app shows').fill(codeOf(secret))
  await page.getByRole('button', { name: 'Turn on' }).click()
  await counted(page.getByRole('list', { name: 'Your recovery codes' }).getByRole('listitem'), 10)
})

inBrowser('the only owner of a workspace cannot delete the account, and can after deleting the workspace', async (page) => {
  const ada = await register('Acme Labs')
  await signIn(page, ada, '/settings/account')
  await page.getByRole('button', { name: 'Delete the account' }).click()
  await page.getByLabel('Password', { exact: true }).fill(ada.password)
  await page.getByRole('button', { name: 'Delete my account' }).click()
  await page.getByText('You are the only owner of a workspace.', { exact: false }).getByText('Acme Labs').waitFor()
  await accessible(page)
  await shoot(page, 'account-delete')
  await call(ada, 'DELETE', `/v1/workspaces/${ada.workspace_id}`)
  await page.getByRole('button', { name: 'Delete my account' }).click()
  await page.getByRole('heading', { name: 'Sign in to Parley' }).waitFor()
  await assert.rejects(call(null, 'POST', '/v1/auth/login', { email: ada.email, password: ada.password }), /401/)
})
