// Signing in with an identity provider. The providers of a server are its settings, so this file has a server of its own.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { startProvider } from './provider.mjs'

const freePort = () =>
  new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => done(port))
    })
  })

const client = { clientId: 'parley', clientSecret: 'secret-of-the-provider' }
const provider = await startProvider(client)
const address = `127.0.0.1:${await freePort()}`
const folder = await mkdtemp(join(tmpdir(), 'parley-oidc-'))
await chmod(folder, 0o711) // as root, Postgres runs as another user
const { DATABASE_URL: _, ...inherited } = process.env
const parley = spawn(process.env.PARLEY_BIN, ['serve'], {
  env: {
    ...inherited, HTTP_ADDR: address, PUBLIC_URL: `http://${address}`, DATA_DIR: join(folder, 'data'), LOG_FORMAT: 'json', AUTH_RATE_LIMIT_MAX: '100000', RATE_LIMIT_MAX: '100000',
    OIDC_PROVIDERS: JSON.stringify([{ id: 'staff', name: 'Staff', issuer: provider.issuer, client_id: client.clientId, client_secret: client.clientSecret }]),
  },
  stdio: ['ignore', 'pipe', 'pipe'],
})
const ended = new Promise((done) => parley.on('exit', done))
await new Promise((done, failed) => {
  let log = ''
  const seen = (chunk) => {
    log += chunk
    if (log.includes('"msg":"serving"')) done()
  }
  parley.stdout.on('data', seen)
  parley.stderr.on('data', seen)
  void ended.then(() => failed(new Error(`the server has ended:\n${log}`)))
})
after(async () => {
  parley.kill('SIGTERM')
  await ended
  provider.stop()
  await rm(folder, { recursive: true, force: true })
})

process.env.PARLEY_URL = `http://${address}`
const { accessible, counted, inBrowser, shoot } = await import('./harness.mjs')

const grace = { sub: 'grace-1', email: 'grace@example.com', email_verified: true }

async function signInAtProvider(page, person) {
  provider.person = person
  await page.goto('/console')
  await page.getByRole('link', { name: 'Continue with Staff' }).click()
  await page.getByRole('heading', { name: 'Sign in at Staff' }).waitFor()
  await page.getByRole('link', { name: 'Go on' }).click()
}

inBrowser('a person signs in with an identity provider, makes a workspace and sees the identity', async (page) => {
  await page.goto('/console')
  await page.getByRole('link', { name: 'Continue with Staff' }).waitFor()
  await accessible(page)
  await shoot(page, 'sign-in-provider')
  await signInAtProvider(page, grace)
  await page.getByRole('heading', { name: 'You are in no workspace' }).waitFor()
  assert.equal(new URL(page.url()).search, '', 'the code does not stay in the address')
  await accessible(page)
  // The session becomes one of the workspace by its next tokens, before which nothing of the workspace can be read.
  await page.route('**/v1/auth/refresh', (route) => setTimeout(() => void route.continue(), 500))
  await page.getByLabel('Name of the workspace').fill('Acme')
  await page.getByRole('button', { name: 'Create' }).click()
  await page.getByRole('heading', { name: 'Welcome to Acme' }).waitFor()

  await page.getByRole('button', { name: /^Account/ }).click()
  await page.getByRole('menuitem', { name: 'Account settings' }).click()
  const identities = page.getByRole('list', { name: 'Identity providers' })
  await identities.getByText('grace@example.com').waitFor()
  await accessible(page)
  await shoot(page, 'account-identities')
  await identities.getByRole('button', { name: 'Unlink Staff' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Unlink' }).click()
  await page.getByText('It is the only way to sign in to your account.', { exact: false }).waitFor()
  await counted(identities.getByRole('listitem'), 1)
  await accessible(page)

  await page.getByText('Your account has no password yet', { exact: false }).waitFor()
  await counted(page.getByRole('button', { name: 'Change the password' }), 0)
  await page.getByRole('button', { name: 'Set a password' }).click()
  await page.getByText('The link is on its way').waitFor()

  await page.getByRole('button', { name: /^Account/ }).click()
  await page.getByRole('menuitem', { name: 'Sign out' }).click()
  await signInAtProvider(page, grace)
  await page.getByRole('heading', { name: 'Welcome to Acme' }).waitFor()
}, { others: [provider.issuer], timeout: 180_000 })

inBrowser('a sign-in that the provider refuses, or whose address it has not verified, says so', async (page) => {
  await signInAtProvider(page, null)
  await page.getByText('OIDC_SIGN_IN_REFUSED', { exact: false }).waitFor()
  await accessible(page)
  await page.getByRole('link', { name: 'Back to sign-in' }).click()
  await signInAtProvider(page, { ...grace, sub: 'eve-1', email_verified: false })
  await page.getByRole('alert').waitFor()
  await accessible(page)
  await shoot(page, 'sign-in-unverified')
  await page.getByRole('link', { name: 'Back to sign-in' }).click()
  await page.getByRole('heading', { name: 'Sign in to Parley' }).waitFor()
}, { others: [provider.issuer] })
