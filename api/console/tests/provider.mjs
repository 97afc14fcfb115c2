// An identity provider of OpenID Connect, as small as a test needs it.
import { createSign, generateKeyPairSync, randomBytes } from 'node:crypto'
import { createServer } from 'node:http'

const encoded = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

// startProvider serves a provider on a free port. Its sign-in page signs in who `person` names: claims of the id token, or null for a refusal.
export async function startProvider({ clientId, clientSecret }) {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const provider = { issuer: '', person: null, stop: () => server.close() }
  const codes = new Map()

  const idToken = (claims) => {
    const now = Math.floor(Date.now() / 1000)
    const signed = `${encoded({ alg: 'RS256', kid: '1', typ: 'JWT' })}.${encoded({ iss: provider.issuer, aud: clientId, iat: now, exp: now + 300, ...claims })}`
    return `${signed}.${createSign('RSA-SHA256').update(signed).sign(privateKey).toString('base64url')}`
  }
  const answers = {
    '/.well-known/openid-configuration': () => ({
      issuer: provider.issuer, authorization_endpoint: `${provider.issuer}/authorize`, token_endpoint: `${provider.issuer}/token`, jwks_uri: `${provider.issuer}/jwks`,
      response_types_supported: ['code'], subject_types_supported: ['public'], id_token_signing_alg_values_supported: ['RS256'], code_challenge_methods_supported: ['S256'],
    }),
    '/jwks': () => ({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: '1', use: 'sig', alg: 'RS256' }] }),
    '/token': (_, body, authorization) => {
      const [id, secret] = authorization ? Buffer.from(authorization.slice(6), 'base64').toString().split(':') : [body.get('client_id'), body.get('client_secret')]
      const claims = codes.get(body.get('code'))
      codes.delete(body.get('code'))
      return id === clientId && secret === clientSecret && body.get('code_verifier') && claims ? { access_token: 'not-used', token_type: 'Bearer', expires_in: 300, id_token: idToken(claims) } : null
    },
  }
  const server = createServer(async (request, response) => {
    const at = new URL(request.url, provider.issuer)
    if (at.pathname === '/authorize') {
      const back = new URL(at.searchParams.get('redirect_uri'))
      back.searchParams.set('state', at.searchParams.get('state'))
      if (provider.person) {
        const code = randomBytes(12).toString('hex')
        codes.set(code, { ...provider.person, nonce: at.searchParams.get('nonce') })
        back.searchParams.set('code', code)
      } else back.searchParams.set('error', 'access_denied')
      response.writeHead(200, { 'Content-Type': 'text/html' })
      return response.end(`<!doctype html><title>Staff</title><h1>Sign in at Staff</h1><a href="${back.href.replaceAll('&', '&amp;')}">Go on</a>`)
    }
    let body = ''
    for await (const chunk of request) body += chunk
    const answer = answers[at.pathname]?.(at, new URLSearchParams(body), request.headers.authorization)
    response.writeHead(answer ? 200 : 400, { 'Content-Type': 'application/json' })
    response.end(JSON.stringify(answer ?? { error: 'invalid_request' }))
  })
  await new Promise((done) => server.listen(0, '127.0.0.1', done))
  provider.issuer = `http://127.0.0.1:${server.address().port}`
  return provider
}
