import { api, ok } from '../../api/client'
import { useQuery } from '../../api/hooks'
import { may } from '../../api/permissions'
import { here } from '../../api/session'
import { ago } from '../../i18n'
import { Link, navigate } from '../../router'
import { Button, Icon, LinkButton, Notice, PageBody, PageHeader, Reading, Section } from '../../ui'
import { BotStatus } from '../bots/status'
import { t as ui } from '../../ui/messages'
import { t } from './messages'

export default function Home() {
  const home = useQuery('home', async (signal) => {
    const [bots, bases, threads] = await Promise.all([
      ok(api.GET('/v1/bots', { params: { query: { limit: 5 } }, signal })),
      ok(api.GET('/v1/knowledge-bases', { params: { query: { limit: 100 } }, signal })),
      ok(api.GET('/v1/conversations/threads', { params: { query: { limit: 5 } }, signal })),
    ])
    return { bots: bots.items, documents: bases.items.reduce((n, b) => n + b.documents.ready, 0), threads: threads.items }
  })
  // Whether no model but echo can be used. Where that cannot be read, nothing is said of it.
  const echo = useQuery(may('models.read') ? 'home models' : null, async (signal) => {
    const { items, patterns } = await ok(api.GET('/v1/models', { signal }))
    return items.every((m) => m.provider === 'echo') && patterns.every((p) => p === 'echo')
  })
  const data = home.data
  const steps = data && [data.bots.length > 0, data.documents > 0, data.threads.some((x) => x.last_message_at)]
  const first = data?.bots.at(-1)
  return (
    <>
      <PageHeader title={t('title')} />
      <PageBody narrow>
        {!data || !steps ? (
          <Reading of={home} lines={5} tall />
        ) : (
          <>
            <div class="hero">
              <h2 dir="auto">{t('welcome', { name: here.value?.name ?? '' })}</h2>
              {steps.includes(false) && <p>{t('lead')}</p>}
            </div>
            {steps.includes(false) && may('bots.write') && (
              <ol class="steps" aria-label={t('progress', { done: steps.filter(Boolean).length, all: 3 })}>
                <Step n={1} done={steps[0]!} next={!steps[0]} title={t('botTitle')} text={t('botText')} action={t('botAction')} to="/bots?new=1" />
                <Step n={2} done={steps[1]!} next={steps[0]! && !steps[1]} title={t('documentTitle')} text={t('documentText', { types: ui('documentTypes') })} action={t('documentAction')} to={first && `/bots/${first.id}/knowledge`} />
                <Step n={3} done={steps[2]!} next={steps[0]! && steps[1]! && !steps[2]} title={t('talkTitle')} text={t('talkText')} action={t('talkAction')} to={first && `/bots/${first.id}`} />
              </ol>
            )}
            {echo.data && (
              <div class="section">
                <Notice icon="key" action={may('models.manage') && <LinkButton small to="/settings/models">{t('echoAction')}</LinkButton>}>
                  <b>{t('echoTitle')}</b>
                  <p>{may('models.manage') ? t('echoText') : t('echoTextOthers')}</p>
                </Notice>
              </div>
            )}
            {!data.bots.length && !may('bots.write') && <p class="hint">{t('readOnly')}</p>}
            {data.bots.length > 0 && (
              <Section title={t('recentBots')} actions={<Link to="/bots">{t('allBots')}</Link>}>
                <ul class="list">
                  {data.bots.map((bot) => (
                    <li key={bot.id}>
                      <Link to={`/bots/${bot.id}`}>
                        <Icon name="bot" />
                        <b dir="auto">{bot.name}</b>
                        <BotStatus bot={bot} />
                        <small>{ago(bot.updated_at)}</small>
                      </Link>
                    </li>
                  ))}
                </ul>
              </Section>
            )}
          </>
        )}
      </PageBody>
    </>
  )
}

function Step({ n, done, next, title, text, action, to }: { n: number; done: boolean; next: boolean; title: string; text: string; action: string; to: string | undefined }) {
  return (
    <li class={done ? 'done' : next ? 'next' : ''}>
      <span class="step-mark">
        {done ? <Icon name="check" /> : <span aria-hidden="true">{n}</span>}
        <span class="visually-hidden">{done ? t('done') : t('open')}</span>
      </span>
      <div>
        <h3>{title}</h3>
        <p>{text}</p>
      </div>
      {to && !done && (
        <Button kind={next ? 'primary' : 'plain'} onClick={() => void navigate(to)}>
          {action}
        </Button>
      )}
    </li>
  )
}
