import { dictionary } from '../../i18n'

export const t = dictionary({
  en: {
    title: 'Home', welcome: 'Welcome to {name}', lead: 'Three steps to the first answer from your own documents.', progress: '{done} of {all} done',
    botTitle: 'Make a bot', botText: 'A name and an instruction that says how it behaves.', botAction: 'Make a bot',
    documentTitle: 'Give it a document', documentText: '{types}. The bot answers from it and says where.', documentAction: 'Add a document',
    talkTitle: 'Talk to it', talkText: 'Ask something that the document answers.', talkAction: 'Open the playground', done: 'done', open: 'not done yet',
    recentBots: 'Recent bots', allBots: 'All bots', readOnly: 'Nothing is here yet. People who may edit can make the first bot.',
    echoTitle: 'No model key yet: the echo model answers', echoText: 'It repeats what you ask and cites your documents, so the steps cost nothing. For real answers add a key of OpenAI or Anthropic in Settings, Models, where it is tested too.', echoTextOthers: 'It repeats what you ask and cites your documents. For real answers, an owner or admin adds a key of OpenAI or Anthropic in Settings, Models.', echoAction: 'Add a key',
  },
  ru: {
    title: 'Главная', welcome: 'Добро пожаловать в {name}', lead: 'Три шага до первого ответа по вашим документам.', progress: 'Готово {done} из {all}',
    botTitle: 'Создайте бота', botText: 'Имя и инструкция, как ему себя вести.', botAction: 'Создать бота',
    documentTitle: 'Дайте ему документ', documentText: '{types}. Бот отвечает по нему и показывает, откуда.', documentAction: 'Добавить документ',
    talkTitle: 'Поговорите с ним', talkText: 'Спросите о том, что есть в документе.', talkAction: 'Открыть диалог', done: 'готово', open: 'ещё не сделано',
    recentBots: 'Недавние боты', allBots: 'Все боты', readOnly: 'Здесь пока ничего нет. Первого бота могут создать те, кому можно редактировать.',
    echoTitle: 'Ключа модели ещё нет: отвечает модель echo', echoText: 'Она повторяет вопрос и ссылается на ваши документы, так что эти шаги ничего не стоят. Чтобы бот отвечал по-настоящему, добавьте ключ OpenAI или Anthropic: Настройки, Модели. Там же ключ проверят.', echoTextOthers: 'Она повторяет вопрос и ссылается на ваши документы. Чтобы бот отвечал по-настоящему, владелец или администратор добавляет ключ OpenAI или Anthropic: Настройки, Модели.', echoAction: 'Добавить ключ',
  },
})
