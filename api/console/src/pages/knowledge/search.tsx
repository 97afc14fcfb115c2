import { useMemo, useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../../api/client'
import { useQuery } from '../../api/hooks'
import { language, number } from '../../i18n'
import { Link, query, setQuery } from '../../router'
import { Badge, Button, Checkbox, EmptyState, ErrorState, Notice, Select, Skeleton, TextField } from '../../ui'
import { t } from './messages'
import { markedParts, unitsOf } from './text'

type Hit = Schemas['SearchHit']
const digits = (n: number, fraction: number) => new Intl.NumberFormat(language.value, { minimumFractionDigits: fraction, maximumFractionDigits: fraction }).format(n)

// SearchBase searches a base like a turn does, and explains the order of what it finds. The query is in the address.
export function SearchBase({ base }: { base: Schemas['KnowledgeBase'] }) {
  const [asked, mode, rerank] = [query('q') ?? '', query('mode') ?? '', query('rerank') === '1']
  const [text, setText] = useState(asked)
  const [draft, setDraft] = useState({ mode, rerank })
  const path = { knowledge_base_id: base.id }
  const found = useQuery(asked ? `search ${base.id} ${mode} ${rerank} ${asked}` : null, (signal) =>
    ok(api.POST('/v1/knowledge-bases/{knowledge_base_id}/search', { params: { path }, body: { query: asked, top_k: 10, explain: true, ...(mode && { mode: mode as Schemas['SearchMode'] }), ...(rerank && { rerank }) }, signal })),
  )
  const search = () => {
    const next = { q: text.trim(), mode: draft.mode || null, rerank: draft.rerank ? '1' : null }
    if (next.q === asked && (next.mode ?? '') === mode && draft.rerank === rerank) found.reload()
    else setQuery(next)
  }
  const modes = [{ value: '', label: t('mode_auto') }, { value: 'lexical', label: t('mode_lexical') }, ...(base.embedding_model ? [{ value: 'vector', label: t('mode_vector') }] : [])]
  return (
    <>
      <form class="search-form" role="search" onSubmit={(e) => (e.preventDefault(), search())}>
        <div class="search-line">
          <TextField label={t('searchLabel')} placeholder={t('searchPlaceholder')} value={text} onInput={setText} required maxLength={2000} autocomplete="off" />
          <Button kind="primary" type="submit" icon="search" busy={!!asked && found.loading}>
            {t('search')}
          </Button>
        </div>
        <div class="search-options">
          {base.embedding_model && <Select label={t('mode')} value={draft.mode} onChange={(to) => setDraft({ ...draft, mode: to })} options={modes} />}
          <Checkbox label={t('rerank')} checked={draft.rerank} onChange={(to) => setDraft({ ...draft, rerank: to })} />
        </div>
      </form>
      {!asked ? (
        <EmptyState icon="search" title={t('searchTitle')}>{t('searchText')}</EmptyState>
      ) : found.failure ? (
        <ErrorState failure={found.failure} onRetry={found.reload} />
      ) : found.data ? (
        <Results result={found.data} base={base} />
      ) : (
        <Skeleton lines={6} tall />
      )}
    </>
  )
}

function Results({ result, base }: { result: Schemas['SearchResult']; base: Schemas['KnowledgeBase'] }) {
  const scores = [
    { name: t('score'), text: t('scoreTip') },
    { name: t('lexical'), text: t('lexicalTip') },
    ...(base.embedding_model ? [{ name: t('cosine'), text: t('cosineTip') }] : []),
    ...(result.explanation?.reranked ? [{ name: t('rerankScore'), text: t('rerankTip') }] : []),
  ]
  return (
    <div class="stack">
      <p class="hint" role="status">
        {result.items.length ? t('found', { n: result.items.length }) : t('nothing')}
      </p>
      {result.degraded && <Notice tone="warn" icon="alert">{t('degraded')}</Notice>}
      {!result.items.length && <EmptyState icon="search" title={t('nothing')}>{t('nothingText')}</EmptyState>}
      {result.items.length > 0 && (
        <details class="more-about">
          <summary>{t('readScores')}</summary>
          <dl class="score-help">
            {scores.map((s) => (
              <div key={s.name}>
                <dt>{s.name}</dt>
                <dd>{s.text}</dd>
              </div>
            ))}
          </dl>
          {!base.embedding_model && <p class="hint after-help">{t('noVectors')}</p>}
        </details>
      )}
      <ol class="hits" aria-label={t('results')}>
        {result.items.map((hit, i) => (
          <HitCard key={hit.chunk_id} hit={hit} place={i + 1} />
        ))}
      </ol>
      {result.explanation && <Explained explanation={result.explanation} base={base.id} />}
    </div>
  )
}

function HitCard({ hit, place }: { hit: Hit; place: number }) {
  const [open, setOpen] = useState(false)
  const parts = useMemo(() => {
    const units = unitsOf(hit.text)
    return markedParts(hit.text, hit.highlights.map((h): [number, number] => [units(h.start - hit.start), units(h.end - hit.start)]))
  }, [hit])
  const long = hit.text.length > 480 || hit.text.split('\n').length > 7
  return (
    <li class="card hit">
      <header>
        <span class="hit-place" aria-hidden="true">{place}</span>
        <Link to={`/knowledge/${hit.knowledge_base_id}/${hit.document_id}?start=${hit.start}&end=${hit.end}`}>
          <bdi>{hit.title}</bdi>
        </Link>
        <small dir="auto">{[hit.page !== null && t('page', { n: hit.page }), ...hit.headings].filter(Boolean).join(' › ')}</small>
      </header>
      <p class={`hit-text${open ? ' open' : ''}`} dir="auto">
        {parts.map((part, i) => (part.marked ? <mark key={i}>{part.text}</mark> : part.text))}
      </p>
      {long && (
        <button type="button" class="text-link" aria-expanded={open} onClick={() => setOpen(!open)}>
          {open ? t('less') : t('more')}
        </button>
      )}
      <dl class="scores">
        <div class="score-main">
          <dt>{t('score')}</dt>
          <dd>
            <meter min={0} max={1} value={hit.score} aria-hidden="true" />
            {digits(hit.score, 3)}
          </dd>
        </div>
        <div>
          <dt>{t('lexical')}</dt>
          <dd>{hit.lexical_rank === null ? <span class="hint">{t('lexicalNone')}</span> : `#${number(hit.lexical_rank)}`}</dd>
        </div>
        {hit.cosine !== null && (
          <div>
            <dt>{t('cosine')}</dt>
            <dd>{digits(hit.cosine, 3)}</dd>
          </div>
        )}
        {hit.rerank_score !== null && (
          <div>
            <dt>{t('rerankScore')}</dt>
            <dd>{digits(hit.rerank_score, 3)}</dd>
          </div>
        )}
      </dl>
    </li>
  )
}

const reasons: Record<string, 'why_min_score' | 'why_same_document' | 'why_joined' | 'why_top_k'> = { min_score: 'why_min_score', same_document: 'why_same_document', joined: 'why_joined', top_k: 'why_top_k' }

function Explained({ explanation: x, base }: { explanation: Schemas['SearchExplanation']; base: string }) {
  return (
    <>
      {x.words.length > 0 && (
        <section class="section">
          <header>
            <h2>{t('words')}</h2>
          </header>
          <ul class="words">
            {x.words.map((w) => (
              <li key={w.word}>
                <b dir="auto">{w.word}</b>
                {w.instead_of && <Badge tone="warn">{t('insteadOf', { word: w.instead_of })}</Badge>}
                <small>
                  {t('nChunks', { n: w.chunks })} · {w.weight ? `${t('weight')} ${digits(w.weight, 2)}` : t('tooCommon')}
                </small>
              </li>
            ))}
          </ul>
        </section>
      )}
      {x.left_out.length > 0 && (
        <details class="more-about">
          <summary>
            {t('leftOut')} <small>{x.left_out.length}</small>
          </summary>
          <ul class="list">
            {x.left_out.map((l) => (
              <li key={l.chunk_id}>
                <Link to={`/knowledge/${base}/${l.document_id}`}>
                  <b dir="auto">{l.title}</b>
                  <small>
                    {reasons[l.reason] ? t(reasons[l.reason]!) : l.reason} · {digits(l.score, 3)}
                  </small>
                </Link>
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  )
}
