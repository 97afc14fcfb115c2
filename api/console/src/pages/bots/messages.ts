import { dictionary } from '../../i18n'

export const t = dictionary({
  en: {
    title: 'Bots', newBot: 'New bot', name: 'Name', status: 'Status', updated: 'Changed', versions: 'Versions', search: 'Search bots', emptyTitle: 'No bots yet', emptyText: 'A bot has a name, an instruction and documents. Make the first one; you can change everything later.',
    nothingFound: 'No bot has this name', clearSearch: 'Clear the search', nameHint: 'People who talk to it may see the name.', instruction: 'Instruction', instructionHint: 'How it behaves, what it knows about your business, how it speaks.',
    instructionPlaceholder: 'You answer questions of our customers. Be friendly and brief. If you do not know something, say so.', create: 'Create the bot', archived: 'Archived', notPublished: '{version} not published', answersWith: '{version} live',
    viewVersions: { one: '{n} version', other: '{n} versions' },
  },
  ru: {
    title: 'Боты', newBot: 'Новый бот', name: 'Имя', status: 'Состояние', updated: 'Изменён', versions: 'Версии', search: 'Найти бота', emptyTitle: 'Ботов пока нет', emptyText: 'У бота есть имя, инструкция и документы. Создайте первого; потом всё можно изменить.',
    nothingFound: 'Нет бота с таким именем', clearSearch: 'Очистить поиск', nameHint: 'Имя могут видеть собеседники.', instruction: 'Инструкция', instructionHint: 'Как он себя ведёт, что знает о вашем деле, как говорит.',
    instructionPlaceholder: 'Ты отвечаешь на вопросы наших клиентов. Будь дружелюбен и краток. Если чего-то не знаешь, так и скажи.', create: 'Создать бота', archived: 'В архиве', notPublished: '{version} не опубликована', answersWith: 'отвечает {version}',
    viewVersions: { one: '{n} версия', few: '{n} версии', many: '{n} версий', other: '{n} версии' },
  },
})
