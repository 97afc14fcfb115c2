import { dictionary } from '../../i18n'

export const t = dictionary({
  en: {
    title: 'Usage', range: 'Period', week: '7 days', month: '30 days', quarter: '90 days', year: '12 months', bot: 'Bot', allBots: 'All bots', emptyTitle: 'Nothing was used in this time', emptyText: 'Turns, tokens, cost, latency and errors appear here some seconds after the first turn.',
    turns: 'Turns', tokens: 'Tokens', cost: 'Cost', latency: 'Latency', errors: 'Error rate', p50: 'Latency p50', p95: 'Latency p95', completed: 'Completed', failed: 'Failed', input: 'Input', output: 'Output', nothing: 'Nothing in this time', noErrors: 'No errors', asTable: 'As a table', period: 'Period',
    asOf: 'Counted up to {at}. Days are those of {tz}.', byBot: 'By bot', byBotSome: 'The first {n} bots. Choose another one above.', limits: 'Limits', limitsHint: 'Months begin in UTC.', noLimits: 'The operator of this server has set no limits.', left: '{left} left', usedUp: 'Used up', resets: 'resets {date}', unlimited: 'no limit', thisMonth: 'This month', now: 'Now',
    messages: 'Messages', webhook_events: 'Webhook events', storage_bytes: 'Files', bots: 'Bots', members: 'Members', api_keys: 'API keys', webhook_subscriptions: 'Webhook subscriptions', knowledge_bases: 'Knowledge bases', documents: 'Documents', chunks: 'Chunks', knowledge_bytes: 'Text of documents', end_users: 'End users', tools: 'Tools',
  },
  ru: {
    title: 'Расход', range: 'Период', week: '7 дней', month: '30 дней', quarter: '90 дней', year: '12 месяцев', bot: 'Бот', allBots: 'Все боты', emptyTitle: 'За это время расхода не было', emptyText: 'Ответы, токены, стоимость, задержка и ошибки появятся здесь через несколько секунд после первого ответа.',
    turns: 'Ответы', tokens: 'Токены', cost: 'Стоимость', latency: 'Задержка', errors: 'Доля ошибок', p50: 'Задержка p50', p95: 'Задержка p95', completed: 'Успешно', failed: 'С ошибкой', input: 'На входе', output: 'На выходе', nothing: 'За это время ничего', noErrors: 'Ошибок не было', asTable: 'Таблицей', period: 'Период',
    asOf: 'Посчитано до {at}. Дни по времени {tz}.', byBot: 'По ботам', byBotSome: 'Первые {n} ботов. Другого выберите выше.', limits: 'Пределы', limitsHint: 'Месяц начинается по UTC.', noLimits: 'Оператор сервера не задал пределов.', left: 'осталось {left}', usedUp: 'Исчерпано', resets: 'обновится {date}', unlimited: 'без предела', thisMonth: 'В этом месяце', now: 'Сейчас',
    messages: 'Сообщения', webhook_events: 'События вебхуков', storage_bytes: 'Файлы', bots: 'Боты', members: 'Участники', api_keys: 'Ключи API', webhook_subscriptions: 'Подписки вебхуков', knowledge_bases: 'Базы знаний', documents: 'Документы', chunks: 'Фрагменты', knowledge_bytes: 'Текст документов', end_users: 'Конечные пользователи', tools: 'Инструменты',
  },
})
