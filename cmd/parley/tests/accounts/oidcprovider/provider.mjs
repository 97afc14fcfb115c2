// An OpenID provider (oidc-provider, certified) at a free port of this machine. Its settings are the JSON in OIDC_PROVIDER: client
// {id, secret, redirect}, and people, the claims of each by name. It prints its issuer. It signs in whom the parameter login_hint
// names, asks for nothing, and refuses the person that is called nobody. Each line of the standard input is JSON with people whose
// claims change; at its end the provider ends.
import http from 'node:http'
import readline from 'node:readline'
import Provider from 'oidc-provider'

const { client, people } = JSON.parse(process.env.OIDC_PROVIDER)
const server = http.createServer()
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`
  const provider = new Provider(issuer, {
    clients: [{ client_id: client.id, client_secret: client.secret, redirect_uris: [client.redirect], application_type: 'web' }],
    pkce: { required: () => true },
    scopes: ['openid', 'email', 'profile', 'groups'],
    claims: { email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
    findAccount: (ctx, sub) => ({ accountId: sub, claims: () => ({ sub, ...people[sub] }) }),
    interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    features: { devInteractions: { enabled: false } },
    cookies: { keys: ['of a test'] },
    loadExistingGrant: async (ctx) => {
      const grant = new provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId })
      grant.addOIDCScope('openid email profile groups')
      await grant.save()
      return grant
    },
  })
  provider.use(async (ctx, next) => {
    if (!ctx.path.startsWith('/interaction/')) return next()
    const { params } = await provider.interactionDetails(ctx.req, ctx.res)
    const result = params.login_hint === 'nobody'
      ? { error: 'access_denied', error_description: 'nobody may sign in' }
      : { login: { accountId: params.login_hint } }
    ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, result))
  })
  server.on('request', provider.callback())
  console.log(issuer)
})
readline.createInterface({ input: process.stdin })
  .on('line', (line) => {
    Object.assign(people, JSON.parse(line))
    console.log('changed')
  })
  .on('close', () => process.exit(0))
