// A person with a role in somebody's workspace.
import { call, password } from './harness.mjs'

let people = 0

// join invites a person with a role into the workspace of another and accepts the invitation; it returns tokens, email and password.
export async function join(owner, role) {
  const email = `${role}-${process.pid}-${Date.now()}-${++people}@example.com`
  const { token } = await call(owner, 'POST', '/v1/invitations', { email, role })
  return { ...(await call(null, 'POST', '/v1/invitations/accept', { token, password })), email, password }
}

// shopBot makes a bot of the echo model with a tool that waits for approval, and a turn whose call waits. Its orders are numbered.
export async function shopBot(owner, { order = '7', kind = 'http' } = {}) {
  const tool = await call(owner, 'POST', '/v1/tools', {
    kind, name: 'cancel_order', description: 'Cancels an order.', effect: 'write', ...(kind === 'http' && { url: 'https://shop.example/orders/cancel', method: 'POST' }),
    schema: { type: 'object', properties: { order: { type: 'string' } }, required: ['order'] },
  })
  const bot = await call(owner, 'POST', '/v1/bots', { name: 'Shop', settings: { model: 'echo', tools: [{ id: tool.id }] } })
  const thread = await call(owner, 'POST', '/v1/conversations/threads', { bot_id: bot.id })
  const response = await fetch(`${process.env.PARLEY_URL}/v1/conversations/threads/${thread.id}/turn`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream', Authorization: `Bearer ${owner.access_token}` },
    body: JSON.stringify({ content: `call cancel_order {"order":"${order}"}` }),
  })
  const reader = response.body.getReader()
  const text = new TextDecoder()
  for (let seen = ''; !/turn\.waiting/.test(seen); ) {
    const { done, value } = await reader.read()
    if (done) throw new Error(`no call waits: ${seen}`)
    seen += text.decode(value, { stream: true })
  }
  await reader.cancel()
  return { bot, thread, tool }
}
