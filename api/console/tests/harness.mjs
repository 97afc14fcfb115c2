// What the browser tests stand on: one Chromium a file, a context a test, calls of the API, axe.
import { appendFileSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { chromium } from 'playwright-core'

export const url = process.env.PARLEY_URL
export const password = 'correct horse battery'
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const sizes = { desk: { width: 1280, height: 860 }, phone: { width: 390, height: 844 } }

let browser
after(() => browser?.close())

// opened returns the browser of the file, a new one where there is none any more. Debian's Chromium crashes at its start once in a while.
async function opened() {
  for (let left = 2; !browser?.isConnected(); left--) {
    try {
      browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] })
    } catch (e) {
      if (left === 0) throw e
      console.error(`the browser did not start, and is started again: ${e.message}`)
    }
  }
  return browser
}

// call makes a call of the API, and returns its answer or throws.
export async function call(session, method, path, body, headers = {}) {
  const response = await fetch(url + path, {
    method,
    headers: { ...(body !== undefined && { 'Content-Type': 'application/json' }), ...(session && { Authorization: `Bearer ${session.access_token}` }), ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
  return text ? JSON.parse(text) : null
}

let people = 0
// register makes an account with a workspace, and returns its tokens, email and password.
export async function register(workspace = 'Acme') {
  const email = `ada-${process.pid}-${Date.now()}-${++people}@example.com`
  return { ...(await call(null, 'POST', '/v1/auth/register', { email, password, workspace_name: workspace })), email, password }
}

// inBrowser runs a test with a page in a context of its own. Whatever breaks the policy of the page, throws in it or asks a server that is not among
// others fails the test. A test that fails prints what the page showed and which calls failed, and adds its file and name to FAILED.
export function inBrowser(name, run, { size = 'desk', locale = 'en-US', theme = 'light', timeout = 120_000, others = [] } = {}) {
  test(name, { timeout }, async () => {
    const wrong = []
    const seen = []
    let context, page
    try {
      context = await (await opened()).newContext({ viewport: sizes[size], locale, colorScheme: theme, reducedMotion: 'reduce', baseURL: url })
      context.setDefaultTimeout(20_000)
      page = await context.newPage()
      page.on('pageerror', (e) => wrong.push(`error: ${e.message}`))
      page.on('console', (m) => /Content Security Policy|TrustedHTML|Trusted Type/i.test(m.text()) && wrong.push(m.text()))
      page.on('request', (r) => ![url, ...others].some((own) => r.url().startsWith(own)) && !/^(data|blob):/.test(r.url()) && wrong.push(`request of ${r.url()}`))
      page.on('response', (r) => r.status() >= 400 && seen.push(`${r.status()} ${r.request().method()} ${r.url()}`))
      page.on('requestfailed', (r) => seen.push(`${r.failure()?.errorText} ${r.method()} ${r.url()}`))
      await run(page, context)
      assert.deepEqual(wrong, [])
    } catch (e) {
      if (process.env.FAILED) appendFileSync(process.env.FAILED, `${process.argv[1]}\t${name}\n`)
      console.error(`${name}: ${e.message}\nat ${page?.url()}\n${[...wrong, ...seen].join('\n')}\n${page && (await shown(page))}`)
      if (process.env.SCREENSHOTS) await page?.screenshot({ path: `${process.env.SCREENSHOTS}/failed-${name.replace(/\W+/g, '-')}.png` }).catch(() => {})
      throw e
    } finally {
      await context?.close()
    }
  })
}

// shown returns the texts of a page, and whether it is still drawn.
async function shown(page) {
  const state = page.evaluate(async () => {
    const drawn = await Promise.race([new Promise((done) => requestAnimationFrame(() => done('drawn'))), new Promise((done) => setTimeout(() => done('not drawn'), 2000))])
    return `${drawn}, ${document.visibilityState}, #main at ${document.getElementById('main')?.scrollTop} of ${document.getElementById('main')?.scrollHeight}\n${document.body.innerText.slice(0, 3000)}`
  })
  return Promise.race([state, new Promise((done) => setTimeout(() => done('the page does not answer'), 5000))]).catch((e) => e.message)
}

const atHome = (page) => page.getByRole('navigation', { name: 'Main' }).or(page.getByRole('button', { name: 'Menu' })).first().waitFor()

// fillSignIn opens a page of the console and signs in there, as a person does.
export async function fillSignIn(page, person, path = '') {
  await page.goto('/console' + path)
  await page.getByLabel('Email address').fill(person.email)
  await page.getByLabel('Password', { exact: true }).fill(person.password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await atHome(page)
}

// signIn opens a page of the console in the session of a person's registration or, later, in a new one, as a tab that is reloaded does. It takes half the time of the form.
export async function signIn(page, person, path = '') {
  const token = person.refresh_token ?? (await call(null, 'POST', '/v1/auth/login', { email: person.email, password: person.password })).refresh_token
  delete person.refresh_token // it works once
  await page.addInitScript((token) => {
    if (sessionStorage.getItem('signed in')) return
    sessionStorage.setItem('signed in', 'once')
    sessionStorage.setItem('parley.refresh', token)
  }, token)
  await page.goto('/console' + path)
  await atHome(page)
}

// counted waits until so many elements are there, as pages show what they knew while they load anew.
export async function counted(locator, count, what) {
  for (const end = Date.now() + 20_000; Date.now() < end && (await locator.count()) !== count; ) await new Promise((done) => setTimeout(done, 50))
  assert.equal(await locator.count(), count, what)
}

// scrolled scrolls to the end of a page until a text is there. Once is not enough: a scroll while the page grows may end where it was.
export const scrolled = (page, text) =>
  page.waitForFunction((text) => {
    const main = document.querySelector('#main')
    main.scrollTop = main.scrollHeight
    return main.textContent.includes(text)
  }, text)

// eventually reads something, such as an answer of the API, until it holds, and returns it.
export async function eventually(read, holds, what) {
  for (const end = Date.now() + 20_000; ; await new Promise((done) => setTimeout(done, 50))) {
    const found = await read()
    if (holds(found)) return found
    assert.ok(Date.now() < end, `${what}: ${JSON.stringify(found)}`)
  }
}

// accessible fails where axe finds a violation on the page, or where the page is wider than the window.
export async function accessible(page, where = '') {
  await page.waitForFunction(() => !document.querySelector('.skeleton'))
  // A script of the debugger is not bound by the policy of the page. It is long: once a document.
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(axe)
  const violations = await page.evaluate(async () => {
    const found = await globalThis.axe.run(document, { resultTypes: ['violations'] })
    return found.violations.map((v) => `${v.id}: ${v.help}\n${v.nodes.map((n) => `  ${n.html.slice(0, 200)} ${n.failureSummary}`).join('\n')}`)
  })
  assert.deepEqual(violations, [], where)
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `the page ${where} is wider than the window`)
}

// shoot takes a picture of a state of a page in both themes, where SCREENSHOTS names a folder and STATES is set; of a page itself without STATES too.
export async function shoot(page, name, whole = false) {
  if (!process.env.SCREENSHOTS || !(whole || process.env.STATES)) return
  const size = page.viewportSize().width < 700 ? 'phone' : 'desk'
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme })
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))) // the page is drawn anew
    await page.screenshot({ path: `${process.env.SCREENSHOTS}/${name}-${size}-${colorScheme}.png`, animations: 'disabled' })
  }
}
